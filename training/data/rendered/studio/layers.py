"""Layers of clothes in a shot: where one that is worn underneath comes through, and where cloth crosses itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..base.normals import vertex_normals
from ..base.surfaces import Surface
from .agnostic import kind_mask, seen_points
from .cameras import Camera
from .rays.rendering import Shot

DEEPEST = 0.03
"""Metres by which cloth may lie before the layer over it and still count as coming through."""
SKIN_DEEPEST = 0.008
"""The same of skin; arms and hands that truly lie on cloth are thicker."""
BESIDE = 0.008
"""Metres between a place that comes through and the cloth's vertex that it lies over, along the cloth."""
PARALLEL = 0.6
"""Least cosine between the two normals: what comes through faces the same way."""


@dataclass(frozen=True)
class Layer:
    """One layer of clothes in a scene, without its trims and turned-in hems."""

    surface: int
    """Number of its surface."""
    faces: np.ndarray
    """(F, 3) of the cloth, the first of the surface's faces."""
    clear: np.ndarray
    """(V,) bool: vertices of the cloth, the first of the surface's, that lie away from its open edges."""
    crossing: np.ndarray | None = None
    """(F,) bool: faces that another part of the same cloth pierces; None where that is not looked for."""


def showing_through(shot: Shot, surfaces: Sequence[Surface], camera: Camera, layers: Sequence[Layer]) -> np.ndarray:
    """(h, w) bool: pixels that show skin or cloth right before a layer that is worn over it.

    `layers` are those of a person in the order in which they were put on.
    """
    found = np.zeros(shot.surface.shape, bool)
    points = seen_points(shot, camera)
    skin = kind_mask(shot.view, "skin") > 0
    for number, layer in enumerate(layers):
        surface = surfaces[layer.surface]
        cloth = surface.vertices[: len(layer.clear)]
        normals = vertex_normals(cloth, layer.faces)
        tree = cKDTree(cloth)
        below = np.isin(shot.surface, [lower.surface for lower in layers[:number]])
        for chosen, deepest in ((below, DEEPEST), (skin, SKIN_DEEPEST)):
            rows, columns = np.nonzero(chosen)
            distance, nearest = tree.query(points[rows, columns], distance_upper_bound=DEEPEST)
            near = np.isfinite(distance)
            rows, columns, nearest = rows[near], columns[near], nearest[near]
            offset, normal = points[rows, columns] - cloth[nearest], normals[nearest]
            height = (offset * normal).sum(axis=1)
            beside = np.linalg.norm(offset - height[:, None] * normal, axis=1)
            same_way = (shot.normals[rows, columns] * normal).sum(axis=1) > PARALLEL
            through = layer.clear[nearest] & (height > 0) & (height < deepest) & (beside < BESIDE) & same_way
            found[rows[through], columns[through]] = True
    return found
