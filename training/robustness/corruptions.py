"""Corrupt masks in one way at a time until their IoU with the clean mask reaches a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, shift

from igr_core.errors import IGRError

KINDS = ("erosion", "dilation", "holes", "shift")
"""Kinds of corruption: an edge that is too far inside or outside, missing discs, and a shift."""
LEVELS = (0.95, 0.9, 0.8, 0.7, 0.5)
"""Target values of the IoU."""
TOLERANCE = 0.02
"""Largest difference from the target at which an IoU counts as reached."""
DISCS = 8
"""Number of holes in a mask before they merge."""
RIM = 1.5
"""Margin in pixels inside the mask's edge that is free of holes, so that every hole is enclosed."""
_SMOOTH = 1.0
"""Smoothing of distances, in pixels; without it, moving a whole edge by one pixel could skip a target."""
_HALVINGS = 40

Corruption = Callable[[float], np.ndarray]
"""Maps a strength in pixels to a mask, bool (H, W); 0 changes almost nothing."""


@dataclass(frozen=True)
class Corrupted:
    """A corrupted mask, and how strongly it is corrupted."""

    mask: np.ndarray
    """The mask, bool (H, W)."""
    overlap: float
    """IoU with the clean mask, 0..1."""
    strength: float
    """Pixels by which the edge or the mask was moved, or the largest hole's radius before it is clipped to the mask,
    divided by the longer side of the clean mask's box."""
    reached: bool
    """Whether the target IoU was reached."""


def corrupt(mask: np.ndarray, kind: str, overlap: float, seed: int) -> Corrupted:
    """Corrupt a clean mask, bool (H, W), in one of KINDS until its IoU with the clean mask is `overlap`, in 0..1.

    The direction of a shift and the positions of holes depend only on `seed`, so a lower target IoU continues the
    corruption of a higher one. If the IoU cannot be reached, returns the mask with the nearest IoU, and `reached` is
    False. Raises IGRError for an empty mask or an unknown kind.
    """
    if kind not in _CORRUPTIONS:
        raise IGRError(f"Unknown kind of corruption {kind!r}: choose {', '.join(KINDS)}.")
    if not mask.any():
        raise IGRError("The mask is empty and cannot be corrupted: use a photo that shows the garment.")
    corruption = _CORRUPTIONS[kind](mask, np.random.default_rng([seed, KINDS.index(kind), 2026]))
    strength = _strength(corruption, mask, overlap)
    corrupted = corruption(strength)
    found = mask_overlap(corrupted, mask)
    return Corrupted(corrupted, found, strength / _longer_side(mask), abs(found - overlap) <= TOLERANCE)


def mask_overlap(mask: np.ndarray, other: np.ndarray) -> float:
    """IoU of two masks, bool (H, W); 1 if both are empty."""
    union = (mask | other).sum()
    return float((mask & other).sum() / union) if union else 1.0


def _strength(corruption: Corruption, mask: np.ndarray, overlap: float) -> float:
    """The strength whose IoU is nearest to the target, by bisection."""
    low, high = 0.0, float(np.hypot(*mask.shape))
    tried = {one: mask_overlap(corruption(one), mask) for one in (low, high)}
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tried[middle] = mask_overlap(corruption(middle), mask)
        low, high = (middle, high) if tried[middle] > overlap else (low, middle)
    return min(tried, key=lambda one: abs(tried[one] - overlap))


def _edge_distance(mask: np.ndarray) -> np.ndarray:
    """Each pixel's distance (H, W) in pixels from the mask's edge, positive inside; photo borders are not edges."""
    if mask.all():
        return np.full(mask.shape, float(max(mask.shape)))
    return gaussian_filter(distance_transform_edt(mask) - distance_transform_edt(~mask), _SMOOTH)


def _erosion(mask: np.ndarray, rng: np.random.Generator) -> Corruption:
    distance = _edge_distance(mask)
    return lambda strength: mask & (distance > strength)


def _dilation(mask: np.ndarray, rng: np.random.Generator) -> Corruption:
    distance = _edge_distance(mask)
    return lambda strength: mask | (distance > -strength)


def _holes(mask: np.ndarray, rng: np.random.Generator) -> Corruption:
    inner = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > RIM
    rows, columns = np.nonzero(inner if inner.any() else mask)
    chosen = rng.integers(len(rows), size=DISCS)
    sizes = rng.uniform(0.5, 1, DISCS)
    sizes /= sizes.max()  # relative to the largest hole
    ys, xs = np.mgrid[: mask.shape[0], : mask.shape[1]]
    away = np.stack([np.hypot(ys - rows[i], xs - columns[i]) for i in chosen])  # (DISCS, H, W)
    near = (away / sizes[:, None, None]).min(0)  # the strength from which a pixel is missing
    return lambda strength: mask & ~(inner & (near < strength))


def _shift(mask: np.ndarray, rng: np.random.Generator) -> Corruption:
    distance = _edge_distance(mask)
    angle = rng.uniform(0, 2 * np.pi)

    def moved(strength: float) -> np.ndarray:
        by = (strength * np.sin(angle), strength * np.cos(angle))
        return shift(distance, by, order=1, mode="constant", cval=-1.0) > 0

    return moved


def _longer_side(mask: np.ndarray) -> int:
    return int(max(np.ptp(places) + 1 for places in np.nonzero(mask)))


_CORRUPTIONS: dict[str, Callable[[np.ndarray, np.random.Generator], Corruption]] = {
    "erosion": _erosion,
    "dilation": _dilation,
    "holes": _holes,
    "shift": _shift,
}
