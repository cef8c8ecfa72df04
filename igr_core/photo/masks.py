"""Edit garment masks (grow, feather, fill holes, keep the largest piece), and find their pieces and bounding box."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from .flood_fill import COARSE_SIDE, border, flood, number_pieces, pool_any
from .inputs import MASK_THRESHOLD

Rect = tuple[int, int, int, int]
"""Left, top, right and bottom, as pixel edges."""
PIECES_SIDE = 96
"""Pieces are separated on a grid of about this many cells along the longer side, which ignores tiny gaps."""

_FULL, _FAINT = 0.95, 40 / 255
"""A mask that reaches the first value has full strength; a mask that stays below the second has labels or is empty."""
_FLAT = 0.95
"""Fraction of a faint mask's pixels that are no brighter than its brush; in a JPEG, a few are brighter."""


def full_strength(mask: Tensor) -> Tensor:
    """Brighten masks (B, 1, H, W) in 0..1 that are drawn in grey or with a half-opaque brush until the garment is 1.

    Masks that have white pixels are not changed. Raises IGRError for an almost black mask, unless it has only black and
    one other value, like a label map with the labels 0 and 1.
    """
    return torch.cat([_full_strength(one, number, len(mask)) for number, one in enumerate(mask.split(1), 1)])


def _full_strength(mask: Tensor, number: int, count: int) -> Tensor:
    peak = float(mask.max()) if mask.numel() else 0.0
    if not 0 < peak < _FULL:  # also true for NaN
        return mask
    if peak >= _FAINT:
        values = mask[mask >= peak / 2]
        level = values.kthvalue(max(1, round(_FLAT * values.numel()))).values
        return (mask / level).clamp(max=1)
    drawn = mask > 0
    if bool(drawn.all()):
        return mask
    if float(mask[drawn].min()) < peak * 0.99:
        which = f"mask {number}" if count > 1 else "mask"
        raise IGRError(
            f"The {which} is almost black (its brightest pixel is {peak * 255:.0f} of 255): paint the garment white. "
            "If this is a label map, make only the garment's label white."
        )
    return drawn.to(mask.dtype)


def mend_mask(
    mask: Tensor, *, grow: int = 0, feather: int = 0, fill_holes: bool = False, largest_only: bool = False
) -> Tensor:
    """Edit masks (B, 1, H, W) in 0..1: keep the largest piece, fill holes, grow and feather (in pixels), in this order.

    Raises IGRError if shrinking (a negative `grow`) or feathering leaves a mask empty.
    """
    if largest_only:
        mask = mask * largest_piece(mask >= MASK_THRESHOLD)
    if fill_holes:
        mask = torch.where(holes(mask >= MASK_THRESHOLD), 1.0, mask)
    for name, change, pixels in (("grow", grow_mask, grow), ("feather", feather_mask, feather)):
        if not pixels:
            continue
        shown, mask = _shows(mask), change(mask, pixels)
        if lost := (shown & ~_shows(mask)).nonzero().flatten().tolist():
            which = f"mask {lost[0] + 1}" if len(mask) > 1 else "the mask"
            raise IGRError(f"{name} = {pixels} removes all of {which}: choose a value closer to 0.")
    return mask


def grow_mask(mask: Tensor, pixels: int) -> Tensor:
    """Grow masks (B, 1, H, W) by this many pixels on every side, or shrink them if the number is negative."""
    reach = abs(pixels)
    grown = mask if pixels > 0 else 1 - mask
    grown = F.max_pool2d(grown, (1, 2 * reach + 1), stride=1, padding=(0, reach))
    grown = F.max_pool2d(grown, (2 * reach + 1, 1), stride=1, padding=(reach, 0))
    return grown if pixels > 0 else 1 - grown


def feather_mask(mask: Tensor, pixels: int) -> Tensor:
    """Soften the edges of masks (B, 1, H, W) over about this many pixels, with two box blurs."""
    reach = max(1, round(pixels / 2))
    for _ in range(2):
        for size, padding in (((1, 2 * reach + 1), (0, reach)), ((2 * reach + 1, 1), (reach, 0))):
            mask = F.avg_pool2d(mask, size, stride=1, padding=padding, count_include_pad=False)
    return mask.clamp(0, 1)


def holes(inside: Tensor) -> Tensor:
    """Pixels (B, 1, H, W) outside the mask that are enclosed by it."""
    return ~inside & ~flood(border(inside), ~inside)


def largest_piece(inside: Tensor) -> Tensor:
    """The largest piece of each boolean mask (B, 1, H, W), counting pieces less than a coarse cell apart as one."""
    cell = max(1, max(inside.shape[-2:]) // COARSE_SIDE)
    coarse = pool_any(inside, cell)
    kept = torch.stack([_largest_label(one) for one in _labels(coarse)])
    fine = kept.repeat_interleave(cell, -2).repeat_interleave(cell, -1)
    return inside & fine[..., : inside.shape[-2], : inside.shape[-1]]


def mask_box(mask: Tensor) -> Rect:
    """Bounding box (left, top, right, bottom) of the garment in a mask (1, 1, h, w)."""
    inside = mask[0, 0] >= MASK_THRESHOLD
    columns = inside.any(0).nonzero()
    rows = inside.any(1).nonzero()
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def mask_pieces(inside: Tensor) -> tuple[tuple[float, Rect], ...]:
    """Pieces of a boolean mask (1, 1, H, W), largest first, each with its fraction of the mask's area and its box.

    Boxes consist of whole coarse cells, and pieces that are less than a coarse cell apart count as one.
    """
    height, width = inside.shape[-2:]
    cell = max(1, -(-max(height, width) // PIECES_SIDE))
    amounts = F.avg_pool2d(inside.float(), cell, ceil_mode=True, divisor_override=1)[0, 0]  # mask pixels in each cell
    labels = _labels((amounts > 0)[None, None])[0, 0]
    numbers, places = labels.unique(return_inverse=True)
    areas = torch.zeros(len(numbers), dtype=amounts.dtype, device=amounts.device)
    areas.index_add_(0, places.flatten(), amounts.flatten())
    pieces = []
    for number, area in zip(numbers.tolist(), (areas / areas.sum()).tolist(), strict=True):
        if number:
            left, top, right, bottom = (cell * side for side in mask_box((labels == number)[None, None].float()))
            pieces.append((area, (left, top, min(right, width), min(bottom, height))))
    return tuple(sorted(pieces, reverse=True))


def _shows(mask: Tensor) -> Tensor:
    """Whether each mask (B, 1, H, W) is non-empty, (B,)."""
    return (mask >= MASK_THRESHOLD).flatten(1).any(1)


def _labels(inside: Tensor) -> Tensor:
    """The number of the piece at each pixel (B, 1, H, W), 0 outside the mask, with 8-connectivity."""
    pieces = [number_pieces(one, corners=True) for one in inside[:, 0].cpu().numpy()]
    return torch.from_numpy(np.stack(pieces))[:, None].to(inside.device).long()


def _largest_label(labels: Tensor) -> Tensor:
    """Pixels of the most frequent non-zero label; none if all labels are 0."""
    counts = labels.flatten().bincount()
    counts[0] = 0
    return (labels == counts.argmax()) & (labels > 0)
