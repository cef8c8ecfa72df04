"""Choose which photos of the garment each pair in a step uses."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


class Photos:
    """Pairs grouped by the garment that they show."""

    def __init__(self, garments: Sequence[Hashable | None]) -> None:
        """`garments` has the name of each pair's garment; None if no other pair shows it."""
        self._garments = list(garments)
        self._of: dict[Hashable, list[int]] = {}
        for pair, garment in enumerate(self._garments):
            if garment is not None:
                self._of.setdefault(garment, []).append(pair)

    def others(self, pair: int) -> list[int]:
        """The other pairs that show a pair's garment."""
        garment = self._garments[pair]
        return [] if garment is None else [one for one in self._of[garment] if one != pair]

    def draw(self, pairs: Sequence[int], shares: Sequence[float], seed: int, step: int) -> list[tuple[int, ...]]:
        """For each pair of a step, the indices of the pairs whose photos it uses, starting with its own.

        `shares` are the probabilities of one photo, two photos, and so on; a garment with fewer photos uses all of
        them. The result depends only on the arguments.
        """
        rng = np.random.default_rng([seed, 3, step])
        counts = rng.choice(len(shares), size=len(pairs), p=np.asarray(shares) / sum(shares))
        drawn = []
        for pair, more in zip(pairs, counts.tolist(), strict=True):
            others = self.others(pair)
            chosen = rng.permutation(len(others))[:more]
            drawn.append((pair, *(others[int(number)] for number in chosen)))
        return drawn


def joined(photos: Sequence[tuple[int, ...]]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return the indices of the pairs to read, starting with the step's own, and the positions of each pair's photos
    among these indices."""
    wanted = [one[0] for one in photos]
    places: list[tuple[int, ...]] = []
    for own, (_, *others) in enumerate(photos):
        places.append((own, *range(len(wanted), len(wanted) + len(others))))
        wanted.extend(others)
    return wanted, places
