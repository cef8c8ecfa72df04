"""Small meshes that hair, shoes and bags are built from."""

from __future__ import annotations

import numpy as np

from .body import triangles


def split(quads: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut each quad (Q, 4) of a mesh with `count` vertices into four; returns these (4 Q, 4) and the old edges (E, 2).

    New vertices are numbered from `count` on: first the midpoints of these edges, then the centres of the old quads.
    """
    edges = np.sort(np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1).astype(np.int64)
    keys, number = np.unique(edges[:, 0] * count + edges[:, 1], return_inverse=True)
    number = number.reshape(4, -1)
    middle = count + len(keys) + np.arange(len(quads))
    finer = np.concatenate(
        [np.stack([quads[:, k], count + number[k], middle, count + number[(k + 3) % 4]], 1) for k in range(4)]
    )
    return finer.astype(np.int32), np.stack([keys // count, keys % count], 1)


def subdivided(quads: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Cut each quad (Q, 4) into four; returns these (4 Q, 4), and the values (V, ...) extended to the new vertices."""
    finer, edges = split(quads, len(values[0]))
    return finer, [np.concatenate([v, v[edges].mean(1), v[quads].mean(1)]) for v in values]


def grid_faces(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """(F, 3) int32 triangles of a grid of rows x columns vertices; `closed` joins the last column to the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    nexts = (column + 1) % columns
    corners = [row * columns + column, row * columns + nexts, (row + 1) * columns + nexts, (row + 1) * columns + column]
    return triangles(np.stack(corners, -1).reshape(-1, 4))


def tube(path: np.ndarray, radii: np.ndarray, sides: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a round tube along a path (N, 3) with radii (N, 2) across and along the bend."""
    ahead = np.gradient(path, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    reference = np.array([0.0, 1.0, 0.0]) if abs(ahead[:, 1]).mean() < 0.8 else np.array([1.0, 0.0, 0.0])
    first = np.cross(ahead, reference)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(ahead, first)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * first[:, None] * radii[:, None, :1]
    ring = ring + np.sin(angle)[None, :, None] * second[:, None] * radii[:, None, 1:]
    vertices = np.concatenate([(path[:, None] + ring).reshape(-1, 3), path[[0, -1]]])
    faces = [grid_faces(len(path), sides, closed=True)[:, ::-1]]
    around = np.arange(sides)
    first_cap = np.stack([np.full(sides, len(vertices) - 2), (around + 1) % sides, around], 1)
    last = (len(path) - 1) * sides
    last_cap = np.stack([np.full(sides, len(vertices) - 1), last + around, last + (around + 1) % sides], 1)
    return vertices, outward(vertices, np.concatenate([*faces, first_cap[:, ::-1], last_cap[:, ::-1]]))


def outward(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3) int32: faces of a closed mesh, flipped if they face inwards."""
    corners = vertices[faces] - vertices.mean(0)
    volume = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return (faces if volume >= 0 else faces[:, ::-1]).astype(np.int32)


def rounded_box(size: tuple[float, float, float], roundness: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a box with bevelled edges around the origin; a larger `roundness` is more angular."""
    steps = np.linspace(-1, 1, 13)
    steps = np.sign(steps) * np.abs(steps) ** 0.7
    first, second = (side.ravel() for side in np.meshgrid(steps, steps, indexing="ij"))
    vertices, faces = [], []
    for axis in range(3):
        for sign in (1.0, -1.0):
            points = np.empty((len(first), 3))
            points[:, axis] = sign
            points[:, (axis + 1) % 3], points[:, (axis + 2) % 3] = first, second
            side = grid_faces(13, 13)
            faces.append((side if sign > 0 else side[:, ::-1]) + sum(map(len, vertices)))
            vertices.append(points)
    points = np.concatenate(vertices)
    points /= (np.abs(points) ** roundness).sum(1, keepdims=True) ** (1 / roundness)
    merged, number = np.unique(points.round(6), axis=0, return_inverse=True)
    corners = number.reshape(-1)[np.concatenate(faces)]
    return merged * np.array(size) / 2, outward(merged, corners)


def compact(vertices: np.ndarray, faces: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """The vertices that faces use, the faces with new numbers, and the values of those vertices."""
    used, number = np.unique(faces, return_inverse=True)
    return vertices[used], number.reshape(-1, 3).astype(np.int32), *(value[used] for value in values)


def smooth(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Interpolate smoothly from 0 at `low` to 1 at `high`."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def joined(meshes: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join several meshes, each (vertices, faces, paint), into one."""
    starts = np.cumsum([0, *(len(mesh[0]) for mesh in meshes[:-1])])
    faces = [mesh[1] + start for mesh, start in zip(meshes, starts, strict=True)]
    return (
        np.concatenate([mesh[0] for mesh in meshes]),
        np.concatenate(faces).astype(np.int32),
        np.concatenate([mesh[2] for mesh in meshes]).astype(np.float32),
    )
