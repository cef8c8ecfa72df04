"""SAM 2 prompts for a batch of photos, from marks, boxes and rough masks. Independent of ComfyUI."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.photo.masks import full_strength
from ...igr_core.segmentation.boxes import boxes_of_photos
from ...igr_core.segmentation.clicks import Clicks
from ...igr_core.segmentation.sam2_prompt import Prompt
from ...igr_core.text import counted
from ..images import as_rows, check_finite


def prompts_of_photos(photos: Tensor, clicks: Clicks, roughs: list[Tensor], box: Any) -> list[Prompt]:
    """One prompt for each of the photos (B, 3, H, W); rough masks are (1, 1, H, W), `box` is ComfyUI's value or None.

    Raises IGRError if marks, masks or boxes do not match the photos, or if nothing is marked on a photo.
    """
    count, size = len(photos), (photos.shape[-1], photos.shape[-2])
    if count > 1 and clicks.has_marks:
        raise IGRError(
            f"The marks belong to one photo, but {count} photos are connected: process the photos one at a time."
        )
    if len(roughs) not in (0, 1, count):
        raise IGRError(
            f"The rough input has {counted(len(roughs), 'mask')} for {counted(count, 'photo')}: provide one mask "
            "per photo, or one mask for all."
        )
    boxes = [None] * count if box is None or clicks.box else boxes_of_photos(box, count, size)
    prompts = []
    for number in range(count):
        rough = roughs[number if len(roughs) > 1 else 0] if roughs else None
        if box is not None and boxes[number] is None and rough is None and not (clicks.positive or clicks.box):
            which = "the photo" if count == 1 else f"photo {number + 1}"
            raise IGRError(
                f"The box input has no box for {which}: lower the threshold of the node that detects boxes, or "
                "disconnect it and click on the garment."
            )
        prompts.append(clicks.prompt(size, rough, boxes[number]))
    return prompts


def rough_masks(mask: Tensor | None) -> list[Tensor]:
    """MASK (H, W) or (B, H, W) -> B masks (1, 1, H, W); raises IGRError for an empty mask, or one with NaN."""
    if mask is None:
        return []
    rows = as_rows(mask, "rough mask")
    if rows.numel():
        check_finite(rows, "rough mask")
    masks = full_strength(rows).split(1)
    if not all(bool(torch.any(one)) for one in masks):
        raise IGRError("A rough mask is empty: paint the garment white, or disconnect the mask.")
    return list(masks)
