"""Self-intersections of cloth: faces that are pierced by an edge of another part."""

from __future__ import annotations

import numba
import numpy as np

from ..base.meshes import edges_of

CELL = 0.015
"""Size of the boxes of the spatial grid, metres; about the length of an edge of the fine cloth."""


def crossing_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) bool: whether each face (F, 3) of a mesh with vertices (V, 3), in metres, is pierced by an edge with which
    it shares no vertex.
    """
    faces = faces.astype(np.int64)
    low = vertices.min(axis=0)
    shape = ((np.ptp(vertices, axis=0)) / CELL).astype(np.int64) + 1
    boxes = ((vertices[faces] - low) / CELL).astype(np.int64)
    first, last = boxes.min(axis=1), boxes.max(axis=1)
    starts, members = _sorted_in(first, last, shape)
    return _pierced(vertices.astype(float), faces, edges_of(faces).astype(np.int64), low, shape, starts, members)


@numba.njit(cache=True)
def _sorted_in(first, last, shape):
    # The faces in each box, one box after another, like the rows of a compressed sparse row matrix.
    starts = np.zeros(shape[0] * shape[1] * shape[2] + 1, np.int64)
    for turn in range(2):
        if turn == 1:
            starts = np.cumsum(starts)
            members = np.empty(starts[-1], np.int64)
            filled = starts.copy()
        for face in range(first.shape[0]):
            for x in range(first[face, 0], last[face, 0] + 1):
                for y in range(first[face, 1], last[face, 1] + 1):
                    for z in range(first[face, 2], last[face, 2] + 1):
                        box = (x * shape[1] + y) * shape[2] + z
                        if turn == 0:
                            starts[box + 1] += 1
                        else:
                            members[filled[box]] = face
                            filled[box] += 1
    return starts, members


@numba.njit(cache=True)
def _pierced(vertices, faces, edges, low, shape, starts, members):
    found = np.zeros(faces.shape[0], np.bool_)
    begin, end = np.empty(3, np.int64), np.empty(3, np.int64)
    for e in range(edges.shape[0]):
        i, j = edges[e, 0], edges[e, 1]
        for axis in range(3):
            begin[axis] = int((min(vertices[i, axis], vertices[j, axis]) - low[axis]) / CELL)
            end[axis] = int((max(vertices[i, axis], vertices[j, axis]) - low[axis]) / CELL)
        for x in range(begin[0], end[0] + 1):
            for y in range(begin[1], end[1] + 1):
                for z in range(begin[2], end[2] + 1):
                    box = (x * shape[1] + y) * shape[2] + z
                    for m in range(starts[box], starts[box + 1]):
                        f = members[m]
                        p, q, r = faces[f, 0], faces[f, 1], faces[f, 2]
                        if found[f] or i == p or i == q or i == r or j == p or j == q or j == r:
                            continue
                        found[f] = _pierces(vertices, i, j, p, q, r)
    return found


@numba.njit(cache=True)
def _pierces(vertices, i, j, p, q, r):
    # The ends are on opposite sides of the face, and the edge passes all three sides of the face on the same side.
    above = _volume(vertices, p, q, r, i)
    below = _volume(vertices, p, q, r, j)
    if above * below >= 0.0:
        return False
    first = _volume(vertices, i, j, p, q)
    second = _volume(vertices, i, j, q, r)
    third = _volume(vertices, i, j, r, p)
    return (first > 0.0) == (second > 0.0) == (third > 0.0)


@numba.njit(cache=True)
def _volume(vertices, a, b, c, d):
    # Six times the signed volume of a tetrahedron.
    ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
    vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
    wx, wy, wz = vertices[d, 0] - vertices[a, 0], vertices[d, 1] - vertices[a, 1], vertices[d, 2] - vertices[a, 2]
    return ux * (vy * wz - vz * wy) + uy * (vz * wx - vx * wz) + uz * (vx * wy - vy * wx)
