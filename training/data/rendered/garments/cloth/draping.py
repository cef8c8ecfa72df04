"""Position-based cloth: springs along and across edges, and contacts with a body and lower layers.

Matthias Müller et al., "Position Based Dynamics" (2007). Everything runs on one thread in a fixed order, so that the
same input gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ...base.normals import vertex_normals
from ..base.garment import Springs
from ..base.meshes import boundary_edges, edges_of, opposites_of

ASK_AGAIN = 0.004
"""Distance in metres that a vertex moves before its nearest contact point is searched for again."""


@dataclass(frozen=True)
class Collider:
    """Points of a surface that cloth collides with."""

    points: np.ndarray
    """(P, 3) positions."""
    normals: np.ndarray
    """(P, 3) unit normals, outwards."""
    gap: np.ndarray
    """(P,) minimum distance of cloth from each point, metres."""
    depth: float
    """Maximum penetration to correct, metres; cloth that is deeper is assumed to belong on the other side."""

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree of the points."""
        return cKDTree(self.points, balanced_tree=False, compact_nodes=False)


@dataclass(frozen=True)
class Settle:
    """Settings of the simulation."""

    steps: int
    """Number of time steps."""
    passes: int
    """Passes over the springs per step."""
    gravity: float
    """Gravity in metres per second squared; lower than on Earth, because so few passes could not support its pull."""
    damping: float
    """Fraction of the velocity that is kept per step."""
    friction: float = 0.5
    """Friction: fraction of the motion along the body that is lost in contact."""
    step: float = 1 / 150
    """Duration of a step in seconds."""
    renew: int = 10
    """Steps between searches for the nearest points."""


def make_springs(faces: np.ndarray) -> Springs:
    """Springs of a mesh (F, 3)."""
    count = int(faces.max()) + 1
    pairs = (edges_of(faces).astype(np.int32), opposites_of(faces).astype(np.int32))
    along, across = (of[np.argsort(_colours(of, count), kind="stable")] for of in pairs)
    return Springs(along, across)


def unwrinkled(place: np.ndarray, faces: np.ndarray, even: sparse.csr_matrix, times: int) -> np.ndarray:
    """Slide vertices within the surface so that the texture is evenly spaced; folds are preserved.

    Args:
        place: (V, 3) metres.
        faces: (F, 3).
        even: (V, V) from `flat_averaging` at rest.
        times: number of passes; each extends the smoothing by about one edge.
    """
    place = place.copy()
    rim = boundary_edges(faces)
    edge = np.unique(rim)
    for turn in range(times):
        if turn % 4 == 0:
            normals = vertex_normals(place, faces)
            along = _directions(place, rim)[edge]
        shift = 0.7 * (even @ place - place)
        shift -= (shift * normals).sum(axis=1, keepdims=True) * normals
        shift[edge] = (shift[edge] * along).sum(axis=1, keepdims=True) * along
        place += shift
    return place


def _directions(place: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """(V, 3): unit vectors along the open edges; 0 elsewhere."""
    steps = place[rim[:, 1]] - place[rim[:, 0]]
    total = np.zeros_like(place)
    for axis in range(3):
        for end in range(2):
            total[:, axis] += np.bincount(rim[:, end], steps[:, axis], len(place))
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def drape(
    start: np.ndarray,
    rest: np.ndarray,
    springs: Springs,
    bend: float,
    grow: np.ndarray,
    free: np.ndarray,
    contacts: list[tuple[np.ndarray, Collider]],
    settle: Settle,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Simulate cloth that falls from a start position.

    Args:
        start: (V, 3) metres.
        rest: (V, 3) shape at rest, which determines the lengths of the springs.
        springs: springs of the mesh.
        bend: fraction of a bend that a pass corrects, 0..1; large for stiff cloth.
        grow: (V,) factor on the lengths; above 1 for excess cloth.
        free: (V,) 1 for free vertices, 0 for pinned ones.
        contacts: pairs of a mask (V,) bool of vertices and the collider that they collide with, applied in order.
        rng: draws offsets of about a millimetre, so that folds can start.

    Returns:
        (V, 3).
    """
    place = start.copy()
    if rng is not None:
        place += rng.normal(size=place.shape) * 0.0012 * free[:, None]
    before = place.copy()
    along, across = _lengths(rest, springs.along, grow), _lengths(rest, springs.across, grow)
    contacts_by_row = [(np.flatnonzero(mask), collider) for mask, collider in contacts]
    known = [np.full(len(rows), len(collider.points)) for rows, collider in contacts_by_row]
    asked = [np.full((len(rows), 3), np.inf) for rows, _ in contacts_by_row]
    found = []
    for step in range(settle.steps):
        if step % settle.renew == 0:
            found = [_nearest(place, *pair, *last) for pair, *last in zip(contacts_by_row, known, asked, strict=True)]
        _move(place, before, free, settle.gravity * settle.step**2, settle.damping)
        for turn in range(settle.passes):
            _relax(place, free, springs.along, along, 1.0, turn % 2 == 1)
            if turn % 2 == 1:
                _relax(place, free, springs.across, across, bend, turn % 4 == 3)
        for rows, points, normals, gap, depth in found:
            _collide(place, before, free, rows, points, normals, gap, depth, settle.friction)
    return place


def _lengths(rest: np.ndarray, pairs: np.ndarray, grow: np.ndarray) -> np.ndarray:
    a, b = pairs[:, 0], pairs[:, 1]
    return np.linalg.norm(rest[a] - rest[b], axis=1) * (grow[a] + grow[b]) / 2


def _nearest(place, rows, collider, known, asked):
    """Nearest points of a collider; only vertices that have moved since their last search are searched for again."""
    moved = np.flatnonzero(~(np.abs(place[rows] - asked).max(axis=1) < ASK_AGAIN))
    asked[moved] = place[rows[moved]]
    known[moved] = collider.tree.query(asked[moved], distance_upper_bound=0.15)[1]
    near = known < len(collider.points)
    index = known[near]
    return rows[near], collider.points[index], collider.normals[index], collider.gap[index], collider.depth


@numba.njit(cache=True)
def _colours(pairs, count):
    # Springs of one colour share no vertex, so all of them can be processed at once.
    taken = np.zeros(count, np.int64)
    result = np.zeros(pairs.shape[0], np.int64)
    for e in range(pairs.shape[0]):
        both = taken[pairs[e, 0]] | taken[pairs[e, 1]]
        colour = 0
        while colour < 62 and both >> colour & 1:
            colour += 1
        result[e] = colour
        taken[pairs[e, 0]] |= 1 << colour
        taken[pairs[e, 1]] |= 1 << colour
    return result


@numba.njit(cache=True)
def _move(place, before, free, fall, damping):
    for i in range(place.shape[0]):
        for c in range(3):
            speed = (place[i, c] - before[i, c]) * damping
            before[i, c] = place[i, c]
            place[i, c] += speed * free[i]
        place[i, 2] -= fall * free[i]


@numba.njit(cache=True)
def _relax(place, free, edges, lengths, strength, backwards):
    # Every other pass runs backwards to avoid a preferred direction.
    count = edges.shape[0]
    for k in range(count):
        e = count - 1 - k if backwards else k
        a, b = edges[e, 0], edges[e, 1]
        weight = free[a] + free[b]
        if weight == 0.0:
            continue
        dx = place[a, 0] - place[b, 0]
        dy = place[a, 1] - place[b, 1]
        dz = place[a, 2] - place[b, 2]
        length = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-12
        shift = strength * (length - lengths[e]) / (length * weight)
        fa, fb = free[a] * shift, free[b] * shift
        place[a, 0] -= fa * dx
        place[a, 1] -= fa * dy
        place[a, 2] -= fa * dz
        place[b, 0] += fb * dx
        place[b, 1] += fb * dy
        place[b, 2] += fb * dz


@numba.njit(cache=True)
def _collide(place, before, free, rows, points, normals, gap, depth, friction):
    for k in range(rows.shape[0]):
        i = rows[k]
        if free[i] == 0.0:
            continue
        height = 0.0
        for c in range(3):
            height += (place[i, c] - points[k, c]) * normals[k, c]
        if height >= gap[k] or height < -depth:
            continue
        for c in range(3):
            place[i, c] += (gap[k] - height) * normals[k, c]
        along = 0.0
        for c in range(3):
            along += (place[i, c] - before[i, c]) * normals[k, c]
        for c in range(3):
            place[i, c] -= friction * (place[i, c] - before[i, c] - along * normals[k, c])
