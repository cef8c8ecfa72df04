"""Flood-fill batches of masks, and find their connected pieces."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

COARSE_SIDE = 256
"""The largest piece is found on a grid with about this many cells along the image's longer side."""


def border(like: Tensor) -> Tensor:
    """True on the outermost pixels, in the shape of `like` (B, 1, H, W)."""
    outermost = torch.ones_like(like, dtype=torch.bool)
    outermost[..., 1:-1, 1:-1] = False
    return outermost


def flood(seeds: Tensor, region: Tensor) -> Tensor:
    """Pixels of `region` (B, 1, H, W) connected to `seeds` within it, with 4-connectivity."""
    filled = []
    for seed, inside in zip(seeds[:, 0].cpu().numpy(), region[:, 0].cpu().numpy(), strict=True):
        pieces = number_pieces(inside)
        reached = np.zeros(pieces.max() + 1, bool)
        reached[pieces[seed]] = True
        reached[0] = False  # outside the region
        filled.append(reached[pieces])
    return torch.from_numpy(np.stack(filled))[:, None].to(region.device)


def number_pieces(inside: np.ndarray, corners: bool = False) -> np.ndarray:
    """Number the connected pieces of a mask (H, W) from 1, with 0 outside.

    `corners` selects 8-connectivity instead of 4-connectivity.
    """
    pieces = np.empty(inside.shape, np.int32)
    ndimage.label(inside, np.ones((3, 3)) if corners else None, output=pieces)
    return pieces


def pool_any(mask: Tensor, cell: int) -> Tensor:
    """True for each block of cell × cell pixels that contains a true pixel; the number of blocks is rounded up."""
    return F.max_pool2d(mask.float(), cell, ceil_mode=True).bool()
