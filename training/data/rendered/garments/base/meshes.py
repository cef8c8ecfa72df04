"""Operations on triangle meshes that keep every new vertex a linear combination of the old ones.

Each operation that creates vertices returns the combinations as a sparse matrix, so that any quantity known at the old
vertices (positions on any body, skin weights, ease) can be transferred with one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

_RIM = np.int64(1) << 62


@dataclass(frozen=True)
class Split:
    """A mesh cut along an isoline."""

    faces: np.ndarray
    """(F', 3) int32."""
    combine: sparse.csr_matrix
    """(V', V): matrix that computes the new vertices from the old ones."""
    parent: np.ndarray
    """(F',) original face that each new face is a part of."""
    positive: np.ndarray
    """(F',) bool: whether the face is on the positive side of the isoline."""
    marks: np.ndarray
    """(V',) int64: bit mask of the isolines that pass through each vertex."""


def triangles_of(quads: np.ndarray) -> np.ndarray:
    """Two triangles for each quad; (Q, 4) -> (2 Q, 3) int32."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def edges_of(faces: np.ndarray) -> np.ndarray:
    """Each edge once, with its lower vertex first; (E, 2)."""
    key, size = _edge_keys(faces)
    key = np.sort(key)
    return np.stack(np.divmod(key[np.diff(key, prepend=-1) > 0], size), axis=1)


def opposites_of(faces: np.ndarray) -> np.ndarray:
    """The two vertices that face each other across every inner edge; (B, 2)."""
    key, _ = _edge_keys(faces)
    across = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    order = np.argsort(key, kind="stable")
    key, across = key[order], across[order]
    same = key[1:] == key[:-1]
    return np.stack([across[:-1][same], across[1:][same]], axis=1)


def averaging(faces: np.ndarray, count: int, pieces: np.ndarray | None = None) -> sparse.csr_matrix:
    """Matrix (count, count) that replaces each vertex by the mean of its neighbours; isolated vertices do not move.

    Vertices on an open edge are averaged only with their neighbours on that edge, so that hems stay smooth and do not
    shrink. Vertices on a seam between faces with different `pieces`, (F,) numbers, are averaged only along the seam.
    """
    edges = edges_of(faces)
    rows, columns = np.concatenate([edges[:, 0], edges[:, 1]]), np.concatenate([edges[:, 1], edges[:, 0]])
    if pieces is not None:
        borders = np.concatenate([boundary_edges(faces[pieces == piece]) for piece in np.unique(pieces)])
        borders = np.unique(np.sort(borders, axis=1), axis=0)
        on_seam = np.zeros(count, bool)
        on_seam[borders.ravel()] = True
        keep = ~on_seam[rows]
        rows = np.concatenate([rows[keep], borders[:, 0], borders[:, 1]])
        columns = np.concatenate([columns[keep], borders[:, 1], borders[:, 0]])
    rim = boundary_edges(faces)
    return _means_of(rows, columns, np.ones(len(rows)), rim, np.ones(len(rim)), count)


def flat_averaging(faces: np.ndarray, points: np.ndarray) -> sparse.csr_matrix:
    """Matrix (V, V) that replaces each vertex by a weighted mean of its neighbours; on flat cloth, no vertex moves.

    The weights are the mean value coordinates (Michael Floater, "Mean value coordinates", 2003) of points (V, 3) at
    rest. They are positive, and exact for affine maps of a flat neighbourhood, so that prints stay straight.
    Vertices on an open edge are only averaged with their neighbours on that edge.
    """
    rows, columns, weights = [], [], []
    for k in range(3):
        here, left, right = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        first, second = points[left] - points[here], points[right] - points[here]
        sizes = [np.maximum(np.linalg.norm(side, axis=1), 1e-4) for side in (first, second)]
        cosine = np.clip((first * second).sum(axis=1) / (sizes[0] * sizes[1]), -0.98, 1.0)
        half = np.sqrt((1 - cosine) / (1 + cosine))  # Tangent of half the angle.
        rows.extend([here, here])
        columns.extend([left, right])
        weights.extend([half / sizes[0], half / sizes[1]])
    rim = boundary_edges(faces)
    near = 1 / np.maximum(np.linalg.norm(points[rim[:, 0]] - points[rim[:, 1]], axis=1), 1e-4)
    return _means_of(np.concatenate(rows), np.concatenate(columns), np.concatenate(weights), rim, near, len(points))


def _means_of(rows, columns, weights, rim, rim_weights, count) -> sparse.csr_matrix:
    """Matrix of weights whose rows sum to one; vertices on the rim only use weights from the rim."""
    on_rim = np.zeros(count, bool)
    on_rim[rim.ravel()] = True
    keep = ~on_rim[rows]
    rows = np.concatenate([rows[keep], rim[:, 0], rim[:, 1]])
    columns = np.concatenate([columns[keep], rim[:, 1], rim[:, 0]])
    weights = np.concatenate([weights[keep], rim_weights, rim_weights])
    alone = np.ones(count, bool)
    alone[rows] = False
    alone = np.flatnonzero(alone)
    rows, columns = np.concatenate([rows, alone]), np.concatenate([columns, alone])
    weights = np.concatenate([weights, np.ones(len(alone))])
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(count, count))
    return (sparse.diags(1.0 / np.asarray(matrix.sum(axis=1)).ravel()) @ matrix).tocsr()


def smoothing(
    faces: np.ndarray, count: int, strength: float, times: int, pieces: np.ndarray | None = None
) -> sparse.csr_matrix:
    """Matrix (count, count) that applies Laplacian smoothing repeatedly; `pieces` is as in `averaging`."""
    step = (1 - strength) * sparse.identity(count, format="csr") + strength * averaging(faces, count, pieces)
    result = step
    for _ in range(times - 1):
        result = step @ result
    return result.tocsr()


def subdivide_quads(quads: np.ndarray, count: int) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Cut each quad into four at the middles of its edges; returns (4 Q, 4) and the matrix (V', count)."""
    sides = np.concatenate([quads[:, [0, 1]], quads[:, [1, 2]], quads[:, [2, 3]], quads[:, [3, 0]]])
    edges, number = np.unique(np.sort(sides, axis=1), axis=0, return_inverse=True)
    number = number.reshape(4, -1) + count
    centre = count + len(edges) + np.arange(len(quads))
    parts = [np.stack([quads[:, k], number[k], centre, number[k - 1]], axis=1) for k in range(4)]
    combine = sparse.vstack([sparse.identity(count), _means(edges, count), _means(quads, count)], format="csr")
    return np.concatenate(parts), combine


def upsample(faces: np.ndarray, count: int) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Cut each triangle into four at the middles of its edges; face 4 f + k is part of face f.

    Corner k of the parent belongs to part k; part 3 is the middle. Returns (4 F, 3) and the matrix (V', count).
    """
    edges = edges_of(faces)
    key = edges[:, 0].astype(np.int64) * count + edges[:, 1]

    def middle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return count + np.searchsorted(key, np.minimum(a, b).astype(np.int64) * count + np.maximum(a, b))

    a, b, c = faces.T
    ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (bc, ca, ab)]
    fine = np.stack([np.stack(part, axis=1) for part in parts], axis=1).reshape(-1, 3)
    return fine.astype(np.int32), sparse.vstack([sparse.identity(count), _means(edges, count)], format="csr")


def upsample_corners(values: np.ndarray) -> np.ndarray:
    """Interpolate per-corner values to the faces that `upsample` returns; (F, 3, C) -> (4 F, 3, C)."""
    a, b, c = values[:, 0], values[:, 1], values[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (bc, ca, ab)]
    fine = np.stack([np.stack(part, axis=1) for part in parts], axis=1)
    return fine.reshape(-1, 3, values.shape[-1])


def split(faces: np.ndarray, field: np.ndarray, marks: np.ndarray, bit: int, snap: float = 0.35) -> Split:
    """Cut a mesh along the zero of a field known at its vertices.

    Vertices near the isoline are moved onto it to avoid slivers; vertices that are already on another isoline only move
    along that isoline. The remaining triangles that the isoline crosses are cut into two or three.

    Args:
        faces: (F, 3).
        field: (V,) positive on one side.
        marks: (V,) int64 bit mask of the isolines that pass through each vertex.
        bit: index of the bit that marks this isoline.
        snap: fraction of an edge within which its end is moved.
    """
    combine, value, marks = _snapped(faces, field.astype(float), marks.copy(), snap)
    marks[value == 0] |= 1 << bit
    sign = np.sign(value[faces]).astype(int)
    crossing = (sign.min(axis=1) < 0) & (sign.max(axis=1) > 0)
    parents: list[int] = []
    pieces: list[list[int]] = []
    cuts: dict[tuple[int, int], int] = {}
    count = len(field)

    def at(a: int, b: int) -> int:
        return cuts.setdefault((min(a, b), max(a, b)), count + len(cuts))

    split_up = np.flatnonzero(crossing)
    for face, corners, signs in zip(split_up.tolist(), faces[split_up].tolist(), sign[split_up].tolist(), strict=True):
        new = _pieces(corners, signs, at)
        pieces.extend(new)
        parents.extend([face] * len(new))
    if cuts:
        ends = np.array(list(cuts))
        share = value[ends[:, 0]] / (value[ends[:, 0]] - value[ends[:, 1]])
        rows = np.repeat(np.arange(len(ends)), 2)
        weights = np.stack([1 - share, share], axis=1).ravel()
        added = sparse.csr_matrix((weights, (rows, ends.ravel())), shape=(len(ends), count))
        marks = np.concatenate([marks, (marks[ends[:, 0]] & marks[ends[:, 1]]) | (1 << bit)])
        value = np.concatenate([value, np.zeros(len(ends))])
        combine = sparse.vstack([combine, added @ combine], format="csr")
    result = np.concatenate([faces[~crossing], np.array(pieces, np.int32).reshape(-1, 3)]).astype(np.int32)
    parent = np.concatenate([np.flatnonzero(~crossing), np.array(parents, int)])
    inner = value[result].sum(axis=1)
    flat = (value[result] == 0).all(axis=1)
    inner[flat] = field[faces[parent[flat]]].sum(axis=1)
    return Split(result, combine.tocsr(), parent, inner > 0, marks)


def compact(faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Renumber the used vertices; returns faces and the old numbers of the kept vertices."""
    used, faces_new = np.unique(faces, return_inverse=True)
    return faces_new.reshape(faces.shape).astype(np.int32), used


def largest_part(faces: np.ndarray, count: int) -> np.ndarray:
    """Faces that belong to the largest connected part; (F,) bool."""
    edges = edges_of(faces)
    graph = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    label = connected_components(graph, directed=False)[1][faces[:, 0]]
    return label == np.bincount(label).argmax()


def boundary_edges(faces: np.ndarray) -> np.ndarray:
    """Edges that belong to a single face, directed as in that face; (E, 2)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    key = _edge_keys(faces)[0]
    order = np.argsort(key)
    new = np.diff(key[order], prepend=-1, append=-1) != 0
    return edges[np.sort(order[new[:-1] & new[1:]])]


def boundary_loops(faces: np.ndarray) -> list[np.ndarray]:
    """Open edges as closed chains of vertex numbers, each in the direction of its faces, longest first."""
    following = {int(a): int(b) for a, b in boundary_edges(faces)}
    loops = []
    while following:
        start = next(iter(following))
        loop, vertex = [start], following.pop(start)
        while vertex in following:
            loop.append(vertex)
            vertex = following.pop(vertex)
        loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)


def strip_faces(first: np.ndarray, second: np.ndarray, closed: bool = True) -> np.ndarray:
    """(2 n, 3) faces between two chains of equal length, which continue the mesh beyond the first chain."""
    a, b = first, second
    a_next, b_next = np.roll(a, -1), np.roll(b, -1)
    if not closed:
        a, b, a_next, b_next = a[:-1], b[:-1], a_next[:-1], b_next[:-1]
    pairs = np.stack([np.stack([a_next, a, b], axis=1), np.stack([a_next, b, b_next], axis=1)], axis=1)
    return pairs.reshape(-1, 3).astype(np.int32)


def _edge_keys(faces: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a number for the edge after each corner, (3 F,), which is the same from both sides, and the divisor that
    decodes it."""
    size = int(faces.max()) + 1 if len(faces) else 1
    first = faces.T.ravel().astype(np.int64)
    second = faces[:, [1, 2, 0]].T.ravel().astype(np.int64)
    return np.minimum(first, second) * size + np.maximum(first, second), size


def _means(groups: np.ndarray, count: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(groups)), groups.shape[1])
    weights = np.full(groups.size, 1.0 / groups.shape[1])
    return sparse.csr_matrix((weights, (rows, groups.ravel())), shape=(len(groups), count))


def _snapped(faces, field, marks, snap):
    """Move vertices near the field's zero onto it; returns the matrix, the moved field and the marks."""
    signs = np.sign(field)[faces]
    edges = edges_of(faces[signs.min(axis=1) != signs.max(axis=1)])
    edges = edges[field[edges[:, 0]] * field[edges[:, 1]] < 0]
    share = field[edges[:, 0]] / (field[edges[:, 0]] - field[edges[:, 1]])
    mover = np.concatenate([edges[:, 0], edges[:, 1]])
    target = np.concatenate([edges[:, 1], edges[:, 0]])
    way = np.concatenate([share, 1 - share])
    # Vertices on the border of the mesh only move along it.
    marks = marks.copy()
    marks[np.unique(boundary_edges(faces))] |= _RIM
    fits = (way < snap) & ((marks[mover] & ~marks[target]) == 0)
    order = np.lexsort((way[fits], mover[fits]))
    mover, target, way = mover[fits][order], target[fits][order], way[fits][order]
    mover, first = np.unique(mover, return_index=True)
    target, way = target[first], way[first]
    stays = np.ones(len(field))
    stays[mover] = 1 - way
    moved = sparse.csr_matrix((way, (mover, target)), shape=(len(field), len(field)))
    value = field.copy()
    value[mover] = 0
    return (sparse.diags(stays) + moved).tocsr(), value, marks & ~_RIM


def _pieces(face, sign, at):
    """Parts into which the isoline divides one triangle."""
    if 0 in sign:
        i = sign.index(0)
        corner, after, before = face[i], face[(i + 1) % 3], face[(i + 2) % 3]
        cut = at(after, before)
        return [[corner, after, cut], [corner, cut, before]]
    lone = sign.index(1) if sign.count(1) == 1 else sign.index(-1)
    a, b, c = face[lone], face[(lone + 1) % 3], face[(lone + 2) % 3]
    ab, ca = at(a, b), at(a, c)
    return [[a, ab, ca], [ab, b, ca], [b, c, ca]]
