"""Find where an inner layer of clothes shows through an outer one in a shot, and where cloth intersects itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..base.normals import vertex_normals
from ..base.surfaces import Surface
from .agnostic import kind_mask, seen_points
from .rays.rendering import Shot
from .scene.cameras import Camera

DEEPEST = 0.03
"""Maximum distance in metres in front of an outer layer at which cloth counts as showing through it."""
SKIN_DEEPEST = 0.008
"""The same distance for skin; arms and hands that really rest on cloth are thicker than this."""
BESIDE = 0.008
"""Maximum distance in metres, along the cloth, between a point that shows through and the nearest vertex."""
PARALLEL = 0.6
"""Minimum cosine between the two normals; parts that show through face the same way as the outer layer."""


@dataclass(frozen=True)
class Layer:
    """A layer of clothes in a scene, without its trims and turned-in hems."""

    surface: int
    """Index of the layer's surface."""
    faces: np.ndarray
    """(F, 3) faces of the cloth, which are the first of the surface's faces."""
    clear: np.ndarray
    """(V,) bool: which vertices of the cloth (the first of the surface's vertices) are away from its open edges."""
    crossing: np.ndarray | None = None
    """(F,) bool: faces pierced by another part of the same cloth; None if not checked."""


def showing_through(shot: Shot, surfaces: Sequence[Surface], camera: Camera, layers: Sequence[Layer]) -> np.ndarray:
    """(h, w) bool: pixels that show skin or cloth just in front of an outer layer.

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
