"""First hits of a camera's rays, for pixel centres and for the subsamples of pixels at edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...base.views import SUBSAMPLES
from ..scene.cameras import Camera
from .merging import NOTHING, Merged
from .tracing import OFFSET, Hits, Tracer

DEPTH_STEP = 0.02
"""Relative difference in depth between neighbouring pixels that counts as an edge."""


@dataclass(frozen=True)
class Places:
    """End points of N rays from the camera."""

    hits: Hits
    """Hits of the rays."""
    seen: np.ndarray
    """(N,) bool: whether each ray hits anything."""
    inside: np.ndarray
    """(N,) bool: whether each ray hits a face from the inside."""
    normals: np.ndarray
    """(N, 3) float32: unit normals towards the camera; 0 if nothing is hit."""
    points: np.ndarray
    """(N, 3) float32: positions, slightly in front of the surface."""

    def labels(self, mesh: Merged) -> np.ndarray:
        """(N,) uint8: labels of the hits."""
        return np.where(self.seen, mesh.labels[self.hits.face, self.inside.astype(np.intp)], NOTHING).astype(np.uint8)

    def at_vertices(self, values: np.ndarray, mesh: Merged) -> np.ndarray:
        """`values` (V, C) of the vertices, interpolated at the hits, (N, C) float32; 0 if nothing is hit."""
        return _blend(values[mesh.faces[self.hits.face]], self.hits.bary, self.seen, 0.0)

    def at_corners(self, values: np.ndarray) -> np.ndarray:
        """`values` (F, 3, C) of the faces' corners, interpolated at the hits, (N, C) float32; NaN if nothing is hit."""
        return _blend(values[self.hits.face], self.hits.bary, self.seen, np.nan)


@dataclass(frozen=True)
class Sight:
    """First hits of all rays from a camera."""

    shape: tuple[int, int]
    """h, w in pixels."""
    centre: Places
    """Hits at the centres of all h * w pixels, row by row."""
    edges: np.ndarray
    """(E,) indices of the pixels at edges, in the order of `centre`."""
    fine: Places
    """Hits at the n x n subsamples of each pixel at an edge, row by row, (E * n * n)."""

    def labels(self, mesh: Merged) -> np.ndarray:
        """(h * n, w * n) uint8: labels at the subsamples; away from edges, all have the label of the pixel's centre."""
        height, width = self.shape
        blocks = np.repeat(self.centre.labels(mesh)[:, None], SUBSAMPLES**2, axis=1)
        blocks[self.edges] = self.fine.labels(mesh).reshape(-1, SUBSAMPLES**2)
        grid = blocks.reshape(height, width, SUBSAMPLES, SUBSAMPLES).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(grid).reshape(height * SUBSAMPLES, width * SUBSAMPLES)

    def smooth_normals(self) -> np.ndarray:
        """(h, w, 3) float32: normals, averaged over the subsamples of the pixels at edges."""
        smooth = self.centre.normals.copy()
        smooth[self.edges] = self.fine.normals.reshape(-1, SUBSAMPLES**2, 3).mean(axis=1)
        return smooth.reshape(*self.shape, 3)


def look(mesh: Merged, tracer: Tracer, camera: Camera) -> Sight:
    """Trace the rays of `camera` to their first hits."""
    width, height = camera.size
    rows, columns = np.divmod(np.arange(width * height), width)
    centre = _places(mesh, tracer, camera, columns + 0.5, rows + 0.5)
    edges = np.flatnonzero(_at_edges(mesh, centre, (height, width)))
    steps = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES
    x = columns[edges, None] + np.tile(steps, SUBSAMPLES)
    y = rows[edges, None] + np.repeat(steps, SUBSAMPLES)
    return Sight((height, width), centre, edges, _places(mesh, tracer, camera, x.ravel(), y.ravel()))


def _places(mesh: Merged, tracer: Tracer, camera: Camera, x: np.ndarray, y: np.ndarray) -> Places:
    origin = np.asarray(camera.position)
    directions = camera.directions(x, y)
    hits = tracer.hits(origin, directions)
    seen = hits.face >= 0
    across = mesh.face_normals[hits.face]
    inside = seen & ((across * directions).sum(axis=1) > 0)
    normals = _blend(mesh.normals[mesh.faces[hits.face]], hits.bary, seen, 0.0)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    turn = np.where(inside, -1.0, 1.0)[:, None]
    distance = np.where(seen, hits.distance, 0)[:, None]
    points = origin + directions * distance + across * turn * OFFSET
    return Places(hits, seen, inside, (normals * turn).astype(np.float32), points.astype(np.float32))


def _at_edges(mesh: Merged, centre: Places, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: pixels with a neighbour of another label or surface, or at a different depth."""
    face, seen = centre.hits.face, centre.seen
    what = np.where(seen, centre.labels(mesh) + 256 * (mesh.surface[face].astype(np.int32) + 1), 0).reshape(shape)
    depth = np.where(seen, centre.hits.distance, 1e3).reshape(shape)
    other = ndimage.maximum_filter(what, 3) != ndimage.minimum_filter(what, 3)
    steps = ndimage.maximum_filter(depth, 3) - ndimage.minimum_filter(depth, 3) > DEPTH_STEP * depth
    return other | steps


def _blend(corners: np.ndarray, bary: np.ndarray, seen: np.ndarray, nothing: float) -> np.ndarray:
    second, third = bary[:, :1], bary[:, 1:]
    blended = corners[:, 0] * (1 - second - third) + corners[:, 1] * second + corners[:, 2] * third
    return np.where(seen[:, None], blended, nothing).astype(np.float32)
