"""Flood fill by dilation, on any device and for batches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

COARSE_SIDE = 256
"""The fill first runs on a grid with about this many cells along the image's longer side."""
_CHECK_EVERY = 8


def border(like: Tensor) -> Tensor:
    """True on the outermost pixels, in the shape of `like` (B, 1, H, W)."""
    outermost = torch.ones_like(like, dtype=torch.bool)
    outermost[..., 1:-1, 1:-1] = False
    return outermost


def flood(seeds: Tensor, region: Tensor) -> Tensor:
    """Pixels of `region` (B, 1, H, W) connected to `seeds` within it; corners do not connect."""
    cell = max(1, max(region.shape[-2:]) // COARSE_SIDE)
    filled = seeds & region
    if cell > 1:
        coarse = spread(pool_any(filled, cell), ~pool_any(~region, cell))  # only cells entirely inside the region
        fine = coarse.repeat_interleave(cell, -2).repeat_interleave(cell, -1)
        filled |= fine[..., : region.shape[-2], : region.shape[-1]] & region
    return spread(filled, region)


def spread(filled: Tensor, region: Tensor) -> Tensor:
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


def pool_any(mask: Tensor, cell: int) -> Tensor:
    """True for each cell × cell block that contains a true pixel; the size is rounded up."""
    return F.max_pool2d(mask.float(), cell, ceil_mode=True).bool()
