"""Fit a smooth map from the garment to a photo, given uncertain positions of the garment's cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from torch import Tensor

_MOST_POINTS = 1200
"""Maximum number of cells to fit the map to; the most certain ones are used, and the solver's time is cubic in their
number."""
_FEWEST_POINTS = 6
"""Minimum number of cells needed to fit the map."""
_ROUNDS = 4
"""Number of fitting rounds; all but the first give less weight to cells that disagree with the previous map."""
_DISAGREEMENT = 0.03
"""Distance from the map, as a fraction of the view's height, at which a cell's weight falls to a quarter."""
_SMOOTHING = 2e-3
"""Smoothing of a cell that is entirely certain; others are smoothed in inverse proportion to their weight."""
_LEAST_WEIGHT = 0.1
"""Cells with less weight are ignored."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Flow:
    """Positions of a garment's points in a photo."""

    place: Tensor
    """(2, h, w): x and y as fractions of the photo's view; may lie outside 0..1."""
    residual: Tensor
    """(h, w): distance between the map and the attention's own position, as a fraction of the view's height."""
    stretch: Tensor
    """(h, w): area in the photo over area in the garment; 0 or less where the map folds."""


def resized_map(place: Tensor, height: int, width: int) -> Tensor:
    """Positions (2, h, w) at another resolution: (2, height, width), bicubic between the cells."""
    return F.interpolate(place[None], (height, width), mode="bicubic", align_corners=False)[0]


def smooth_flow(place: Tensor, weight: Tensor, aspect: float) -> Flow | None:
    """Fit a thin-plate spline to positions (2, h, w) with weights (h, w) in 0..1; None if too few are certain.

    `aspect` is the view's width divided by its height, which makes distances in x and y comparable. Cells that disagree
    with their surroundings are down-weighted (Geman-McClure), and the map is evaluated at every cell.
    """
    height, width = weight.shape
    scale = np.array([aspect, 1.0])
    cells = _centres(height, width) * scale  # (N, 2)
    found = place.flatten(1).T.double().cpu().numpy() * scale
    sure = weight.flatten().double().cpu().numpy()
    chosen = np.argsort(-sure, kind="stable")[:_MOST_POINTS]
    chosen = chosen[sure[chosen] > _LEAST_WEIGHT]
    if len(chosen) < _FEWEST_POINTS or np.linalg.matrix_rank(cells[chosen] - cells[chosen].mean(0)) < 2:
        return None
    robust = np.ones(len(chosen))
    fitted = cells
    for _ in range(_ROUNDS):
        weights = np.maximum(sure[chosen] * robust, 1e-4)
        smoothing: Any = _SMOOTHING / weights  # one per point, which scipy allows but its types do not
        spline = RBFInterpolator(cells[chosen], found[chosen], smoothing=smoothing, degree=1)
        fitted = spline(cells)
        distance = np.linalg.norm(fitted[chosen] - found[chosen], axis=1)
        robust = (1 + (distance / _DISAGREEMENT) ** 2) ** -2
    residual = np.linalg.norm(fitted - found, axis=1)
    grid = torch.from_numpy(fitted / scale).T.reshape(2, height, width).float()
    return Flow(grid, torch.from_numpy(residual).reshape(height, width).float(), stretch(grid))


def _centres(height: int, width: int) -> Floats:
    """Centres of a grid's cells as fractions x, y: (height * width, 2)."""
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def stretch(place: Tensor) -> Tensor:
    """Determinant of the map's derivative, (h, w), computed with central differences."""
    height, width = place.shape[1:]
    across = torch.gradient(place, spacing=1 / width, dim=2)[0]
    down = torch.gradient(place, spacing=1 / height, dim=1)[0]
    return across[0] * down[1] - across[1] * down[0]
