"""Compute where each pixel of a garment's product shot appears in a photo of the garment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igr_core.errors import IGRError

from ..base.surfaces import Surface
from ..base.views import View
from .rays.rendering import Shot
from .scene.cameras import Camera

PLAY = 1.0
"""Tolerance in pixels between a point and the centre of the pixel that shows it."""
THICKNESS = 0.003
"""Minimum tolerance of depths, metres."""
ASTRAY = 4.0
"""Tolerance in pixels for positions on the same panel, including folds; beyond it, another layer must be visible."""
STEEPEST = 6.0
"""Maximum slope of cloth, metres of depth per metre sideways."""


def correspond(
    product: Shot,
    product_surfaces: Sequence[Surface],
    photo: Shot,
    photo_surfaces: Sequence[Surface],
    camera: Camera,
) -> np.ndarray:
    """Position, in a photo taken by `camera`, of the garment's point at each pixel (h, w) of the product shot.

    Returns (h, w, 2) float32: x and y in pixels of the photo, with pixel centres at half-integers; NaN where the photo
    does not show the point. Raises IGRError unless the garment (kind `garment`) has the same faces in both.
    """
    pairs = _pairs(product_surfaces, photo_surfaces)
    found = np.full((*product.surface.shape, 2), np.nan, np.float32)
    inside = _inside(product.view)
    for own, (number, surface) in pairs.items():
        rows, columns = np.nonzero(product.surface == own)
        points = _points(surface, product.face[rows, columns], product.bary[rows, columns])
        x, y, depth = camera.project(points)
        shown = _shown(photo, camera, number, x, y, depth, inside[rows, columns])
        shown &= ~_elsewhere(product, photo, rows, columns, x, y)
        found[rows[shown], columns[shown]] = np.stack([x, y], axis=1)[shown]
    return found


def _pairs(product: Sequence[Surface], photo: Sequence[Surface]) -> dict[int, tuple[int, Surface]]:
    """Maps the index of each garment surface in the product shot to its index and surface in the photo."""
    own = [number for number, surface in enumerate(product) if surface.kind == "garment"]
    worn = [number for number, surface in enumerate(photo) if surface.kind == "garment"]
    if len(own) != len(worn) or any(
        len(product[a].faces) != len(photo[b].faces) for a, b in zip(own, worn, strict=False)
    ):
        raise IGRError(
            "The garments in the product shot and the photo have different faces: drape the same garment for both."
        )
    return {a: (b, photo[b]) for a, b in zip(own, worn, strict=True)}


def _points(surface: Surface, faces: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """Points (N, 3) in the world on `faces` (N,) at `bary` (N, 2)."""
    corners = surface.vertices[surface.faces[faces]]
    second, third = bary[:, :1], bary[:, 1:]
    return corners[:, 0] * (1 - second - third) + corners[:, 1] * second + corners[:, 2] * third


def _inside(view: View) -> np.ndarray:
    """(h, w) bool: pixels at whose centre the inside of cloth is visible."""
    return np.append([label.inside for label in view.table], False)[_numbers(view)]


def _shown(
    photo: Shot, camera: Camera, number: int, x: np.ndarray, y: np.ndarray, depth: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """(N,) bool: whether the photo shows its surface with index `number` at `x`, `y`, at this depth and from this
    side."""
    width, height = camera.size
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depth > 0)
    column = np.clip(x, 0, width - 1).astype(np.intp)
    row = np.clip(y, 0, height - 1).astype(np.intp)
    normals = photo.normals[row, column]
    rays = camera.directions(column + 0.5, row + 0.5)
    facing = np.abs((normals * rays).sum(axis=1))
    steep = np.minimum(np.sqrt(np.clip(1 - facing**2, 0, 1)) / np.maximum(facing, 1e-3), STEEPEST)
    allowed = THICKNESS + PLAY * depth / camera.focal * steep
    same = (photo.surface[row, column] == number) & (_inside(photo.view)[row, column] == inside)
    return within & same & (np.abs(photo.depth[row, column] - depth) <= allowed)


def _elsewhere(
    product: Shot, photo: Shot, rows: np.ndarray, columns: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """(N,) bool: whether the photo shows a distant position of the same panel at `x`, `y` (N,)."""
    height, width = photo.depth.shape
    at = np.clip(y, 0, height - 1).astype(np.intp), np.clip(x, 0, width - 1).astype(np.intp)
    own = np.append([label.panel for label in product.view.table], -1)[_numbers(product.view)[rows, columns]]
    other = np.append([label.panel for label in photo.view.table], -1)[_numbers(photo.view)[at]]
    apart = np.linalg.norm(product.view.uv[rows, columns] - photo.view.uv[at], axis=1)
    return (own == other) & (apart * photo.view.pixels_per_metre > ASTRAY)


def _numbers(view: View) -> np.ndarray:
    """(h, w): indices into the view's table at the pixels' centres; one past the table's end in empty areas."""
    return np.minimum(view.centres, len(view.table))
