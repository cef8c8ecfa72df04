"""ComfyUI's tensors and igr_core's: IMAGE (B, H, W, C) and MASK (B, H, W) against (B, C, H, W) and (B, 1, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..igr_core.errors import IGRError

NO_ALPHA_SIDE = 64
"""LoadImage hands on an empty mask of this side when a picture has no transparency."""


def to_photos(image: Tensor) -> Tensor:
    """IMAGE with 1, 3 or 4 channels -> (B, 3, H, W), transparency flattened on white."""
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4):
        raise IGRError(f"The photo has shape {tuple(image.shape)}: connect an IMAGE of 1, 3 or 4 channels.")
    photos = image.movedim(-1, 1).float()
    if photos.shape[1] == 4:
        alpha = photos[:, 3:]
        photos = photos[:, :3] * alpha + (1 - alpha)
    return photos.expand(-1, 3, -1, -1)


def to_masks(mask: Tensor | None, photos: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    """MASK or none -> (B, 1, H, W), and warnings; without a mask the whole picture is taken for the garment."""
    if mask is not None:
        masks = mask.float().reshape(-1, 1, *mask.shape[-2:])
        if not _is_missing(masks, photos):
            return masks, ()
        reason = "The picture brings no mask (it has no transparency)"
    else:
        reason = "No mask is connected"
    everything = photos.new_ones(1, 1, *photos.shape[-2:])
    return everything, (f"{reason}: the whole picture is taken for the garment.",)


def to_image(pictures: Tensor) -> Tensor:
    """(B, C, H, W) -> IMAGE."""
    return pictures.movedim(1, -1).contiguous()


def _is_missing(masks: Tensor, photos: Tensor) -> bool:
    sides = masks.shape[-2:]
    return sides == (NO_ALPHA_SIDE,) * 2 and sides != photos.shape[-2:] and not bool(torch.any(masks))
