"""A pattern in progress: part of the suit that is clipped, divided and lengthened."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..base.figures import Figure, suit
from ..base.meshes import boundary_loops, compact, largest_part, split, strip_faces


class Pattern:
    """Faces cut from a figure's suit, with named parts.

    Every vertex is a combination of the suit's points (`basis`), and hangs `fall` metres below that position.
    """

    def __init__(self, figure: Figure) -> None:
        shared = suit()
        self.figure = figure
        self.faces = shared.faces
        self.basis = sparse.identity(len(figure.points), format="csr")
        self.marks = np.zeros(len(figure.points), np.int64)
        self.fall = np.zeros(len(figure.points))
        self.tags: dict[str, np.ndarray] = {}
        self._bits = 0

    @property
    def points(self) -> np.ndarray:
        """(V, 3): the vertices' positions on the figure's suit, before they hang."""
        return self.basis @ self.figure.points

    @property
    def arms(self) -> np.ndarray:
        """(V, 2) weights of the left and right arm."""
        return self.basis @ suit().arms

    @property
    def legs(self) -> np.ndarray:
        """(V, 2) weights of the left and right leg."""
        return self.basis @ suit().legs

    def divide(self, name: str, field: np.ndarray) -> None:
        """Cut along the zero of a field and name the positive side."""
        result = split(self.faces, field, self.marks, self._bits)
        self._bits += 1
        self.faces, self.marks = result.faces, result.marks
        self.basis = (result.combine @ self.basis).tocsr()
        self.fall = result.combine @ self.fall
        self.tags = {key: value[result.parent] for key, value in self.tags.items()}
        self.tags[name] = result.positive

    def clip(self, field: np.ndarray) -> None:
        """Keep the positive side of a field."""
        self.divide("_kept", field)
        self.keep(self.tags.pop("_kept"))

    def keep_largest(self) -> None:
        """Keep only the largest connected part."""
        self.keep(largest_part(self.faces, len(self.marks)))

    def lengthen(self, loop: np.ndarray, falls: list[np.ndarray], closed: bool = True) -> None:
        """Continue an open edge of L vertices downwards by rings at the given falls, each (L,) metres."""
        owner = self._owners(loop, closed)
        previous = loop
        for fall in falls:
            ring = len(self.marks) + np.arange(len(loop))
            self.basis = sparse.vstack([self.basis, self.basis[loop]], format="csr")
            self.marks = np.concatenate([self.marks, self.marks[loop]])
            self.fall = np.concatenate([self.fall, fall])
            self.faces = np.concatenate([self.faces, strip_faces(previous, ring, closed)])
            self.tags = {key: np.concatenate([value, np.repeat(value[owner], 2)]) for key, value in self.tags.items()}
            previous = ring

    def loops(self) -> list[np.ndarray]:
        """Open edges, longest first."""
        return [loop for loop in boundary_loops(self.faces) if len(loop) > 6]

    def _owners(self, loop: np.ndarray, closed: bool) -> np.ndarray:
        """For each edge of a chain, the face that it belongs to."""
        after = np.full(len(self.marks), -1)
        after[loop] = np.roll(loop, -1)
        if not closed:
            after[loop[-1]] = -1
        found = np.full(len(self.marks), -1)
        for k in range(3):
            first = self.faces[:, k]
            owners = np.flatnonzero(after[first] == self.faces[:, (k + 1) % 3])
            found[first[owners]] = owners
        return found[loop] if closed else found[loop[:-1]]

    def keep(self, chosen: np.ndarray) -> None:
        """Remove all faces except the chosen ones, (F,) bool."""
        faces, used = compact(self.faces[chosen], len(self.marks))
        self.faces = faces
        self.basis, self.marks, self.fall = self.basis[used], self.marks[used], self.fall[used]
        self.tags = {key: value[chosen] for key, value in self.tags.items()}
