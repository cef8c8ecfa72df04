"""Remove the near-white background of a restored garment."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..photo.flood_fill import border, flood

_EDGE_WINDOW = 5
"""Side of the window within which pixels near the background may be part garment, part background."""


def garment_alpha(image: Tensor, threshold: float = 0.06) -> Tensor:
    """Opacity (B, 1, H, W) of the garment in images (B, 3, H, W) in 0..1 with a near-white background.

    Pixels within `threshold` of white that are connected to the border are background, so white inside a garment stays
    opaque. Edge pixels get their fraction of garment colour, and specks without a 3 × 3 core count as background.
    """
    distance = (1 - image.float().clamp(0, 1)).amax(1, keepdim=True)  # (B, 1, H, W), 0 = white
    background = flood(border(distance), distance <= threshold)
    garment = _without_specks(~background)
    solid = _erode(garment, _EDGE_WINDOW)
    # An edge pixel mixes white and the garment's colour; the fraction is its distance over its neighbour's.
    beside = F.max_pool2d(distance * garment, _EDGE_WINDOW, stride=1, padding=_EDGE_WINDOW // 2)
    share = (distance / beside.clamp_min(1e-6)).clamp(0, 1)
    return torch.where(solid, 1.0, share) * garment


def to_rgba(image: Tensor, alpha: Tensor | None = None) -> Tensor:
    """Images (B, 3, H, W) to (B, 4, H, W) with a transparent background and no white fringe."""
    image = image.float().clamp(0, 1)
    alpha = garment_alpha(image) if alpha is None else alpha
    colour = torch.where(alpha > 0, (image - (1 - alpha)) / alpha.clamp_min(1e-3), image)
    return torch.cat([colour.clamp(0, 1), alpha], dim=1)


def _erode(mask: Tensor, window: int) -> Tensor:
    """Pixels whose whole window is inside the mask; outside the image counts as inside."""
    return ~F.max_pool2d((~mask).float(), window, stride=1, padding=window // 2).bool()


def _without_specks(mask: Tensor) -> Tensor:
    """Keep only pieces that contain a 3 × 3 core; sensor and decoder noise does not."""
    return flood(_erode(mask, 3), mask)
