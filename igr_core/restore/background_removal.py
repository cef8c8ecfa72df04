"""Cut a restored garment out of its near-white background."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..photo.flood_fill import border, flood

_EDGE_WINDOW = 5
"""Pixels this near to the background (window side) may be half garment, half background."""


def garment_alpha(image: Tensor, threshold: float = 0.06) -> Tensor:
    """Opacity (B, 1, H, W) of the garment on pictures (B, 3, H, W) in 0..1 with a near-white background.

    Background is what is within `threshold` of white and joined to the border, so white inside a garment stays
    opaque; edge pixels get the share of garment colour in them; specks without any 3 × 3 core are background.
    """
    distance = (1 - image.float().clamp(0, 1)).amax(1, keepdim=True)  # (B, 1, H, W), 0 = white
    background = flood(border(distance), distance <= threshold)
    garment = _without_specks(~background)
    solid = _erode(garment, _EDGE_WINDOW)
    # An edge pixel is a mix of white and the garment's colour: its distance over that of the colour beside it.
    beside = F.max_pool2d(distance * garment, _EDGE_WINDOW, stride=1, padding=_EDGE_WINDOW // 2)
    share = (distance / beside.clamp_min(1e-6)).clamp(0, 1)
    return torch.where(solid, 1.0, share) * garment


def to_rgba(image: Tensor, alpha: Tensor | None = None) -> Tensor:
    """Pictures (B, 3, H, W) to (B, 4, H, W) with a transparent background and without a white fringe."""
    image = image.float().clamp(0, 1)
    alpha = garment_alpha(image) if alpha is None else alpha
    colour = torch.where(alpha > 0, (image - (1 - alpha)) / alpha.clamp_min(1e-3), image)
    return torch.cat([colour.clamp(0, 1), alpha], dim=1)


def _erode(mask: Tensor, window: int) -> Tensor:
    """Pixels whose whole window is inside the mask; outside the picture counts as inside."""
    return ~F.max_pool2d((~mask).float(), window, stride=1, padding=window // 2).bool()


def _without_specks(mask: Tensor) -> Tensor:
    """Keep only the pieces that have a 3 × 3 core somewhere: sensor and decoder noise has none."""
    return flood(_erode(mask, 3), mask)
