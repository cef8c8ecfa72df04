"""Cut a restored garment out of its near-white background."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_COARSE_SIDE = 256
"""The flood fill first runs on cells, so that the picture is about this many cells on its longer side."""
_CHECK_EVERY = 8
_EDGE_WINDOW = 5
"""Pixels this near to the background (window side) may be half garment, half background."""


def garment_alpha(image: Tensor, threshold: float = 0.06) -> Tensor:
    """Opacity (B, 1, H, W) of the garment on pictures (B, 3, H, W) in 0..1 with a near-white background.

    Background is what is within `threshold` of white and joined to the border, so white inside a garment stays
    opaque; edge pixels get the share of garment colour in them; specks without any 3 × 3 core are background.
    """
    distance = (1 - image.float().clamp(0, 1)).amax(1, keepdim=True)  # (B, 1, H, W), 0 = white
    background = _flood(_border(distance), distance <= threshold)
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


def _border(like: Tensor) -> Tensor:
    border = torch.ones_like(like, dtype=torch.bool)
    border[..., 1:-1, 1:-1] = False
    return border


def _flood(seeds: Tensor, region: Tensor) -> Tensor:
    """Pixels of `region` (B, 1, H, W) joined to `seeds` inside it, by sides and not by corners."""
    cell = max(1, max(region.shape[-2:]) // _COARSE_SIDE)
    filled = seeds & region
    if cell > 1:
        coarse = _spread(_pool_any(filled, cell), ~_pool_any(~region, cell))  # only cells that are region throughout
        fine = coarse.repeat_interleave(cell, -2).repeat_interleave(cell, -1)
        filled |= fine[..., : region.shape[-2], : region.shape[-1]] & region
    return _spread(filled, region)


def _spread(filled: Tensor, region: Tensor) -> Tensor:
    """Grow `filled` inside `region` by max-pool dilation until nothing changes."""
    inside = region.float()
    current = filled.float() * inside
    while True:
        before = current
        for _ in range(_CHECK_EVERY):
            across = F.max_pool2d(current, (1, 3), stride=1, padding=(0, 1))
            down = F.max_pool2d(current, (3, 1), stride=1, padding=(1, 0))
            current = torch.maximum(across, down) * inside
        if torch.equal(before, current):
            return current.bool()


def _pool_any(mask: Tensor, cell: int) -> Tensor:
    """True for each cell × cell block that has a true pixel; sides are rounded up."""
    return F.max_pool2d(mask.float(), cell, ceil_mode=True).bool()


def _erode(mask: Tensor, window: int) -> Tensor:
    """Pixels whose whole window is inside the mask; outside the picture counts as inside."""
    return ~F.max_pool2d((~mask).float(), window, stride=1, padding=window // 2).bool()


def _without_specks(mask: Tensor) -> Tensor:
    """Keep only the pieces that have a 3 × 3 core somewhere: sensor and decoder noise has none."""
    return _flood(_erode(mask, 3), mask)
