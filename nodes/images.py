"""Convert between ComfyUI's IMAGE (B, H, W, C) and MASK (B, H, W) and igr_core's (B, C, H, W) and (B, 1, H, W)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..igr_core.errors import IGRError
from ..igr_core.photo.images import MOSTLY
from ..igr_core.photo.inputs import MASK_THRESHOLD, check_range
from ..igr_core.photo.masks import full_strength

OVERSHOOT = 0.25
"""Maximum distance of an IMAGE's values from 0..1; bicubic and lanczos resizing overshoot at edges by less than this.
"""
NO_ALPHA_SIDE = 64
"""Side of the empty square mask that Load Image outputs for an image without transparency."""


def to_photos(image: Tensor) -> Tensor:
    """IMAGE with 1, 3 or 4 channels -> (B, 3, H, W), with transparent pixels composited over white.

    Values that resizing has pushed slightly outside 0..1 are clamped. Raises IGRError for any other shape, an empty
    batch, and values that are not finite or far outside 0..1.
    """
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4):
        raise IGRError(f"The photo has shape {tuple(image.shape)}: connect an IMAGE with 1, 3 or 4 channels.")
    photos = image.movedim(-1, 1).float()
    if photos.numel() == 0:
        raise IGRError(
            f"The image has no pixels (its shape is {tuple(image.shape)}): connect at least one image "
            "whose height and width are not zero."
        )
    check_finite(photos, "image")
    check_range("image", photos, OVERSHOOT)
    photos = photos.clamp(0, 1)
    if photos.shape[1] == 4:
        alpha = photos[:, 3:]
        photos = photos[:, :3] * alpha + (1 - alpha)
    return photos.expand(-1, 3, -1, -1)


def check_opaque(image: Tensor, masks: Tensor) -> None:
    """Raise IGRError for an IMAGE (B, H, W, 4) that is transparent where its masks (B or 1, 1, H, W) are white.

    Compositing over white would erase the garment.
    """
    if image.shape[-1] != 4 or masks.shape[-2:] != image.shape[1:3]:
        return
    inside = (masks[:, 0] >= MASK_THRESHOLD).expand(len(image), -1, -1)
    clear = (image[..., 3] < MASK_THRESHOLD) & inside
    for number, share in enumerate(clear.sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)):
        if float(share) > MOSTLY:
            label = f"Photo {number + 1}" if len(image) > 1 else "The photo"
            raise IGRError(f"{label} is transparent where its mask is white: connect the photo without alpha.")


def to_masks(mask: Tensor | None, photos: Tensor) -> Tensor | None:
    """MASK -> (B, 1, H, W) at full strength; None without a mask, or for the empty mask of an opaque image.

    Raises IGRError as full_strength does.
    """
    if mask is None:
        return None
    masks = as_rows(mask, "mask")
    return None if _is_missing(masks, photos) else full_strength(masks)


def as_rows(mask: Tensor, what: str) -> Tensor:
    """MASK with any leading dimensions -> (B, 1, H, W); raises IGRError for a mask without pixels."""
    if mask.ndim < 2 or 0 in mask.shape[-2:]:
        raise IGRError(
            f"The {what} has no pixels (its shape is {tuple(mask.shape)}): connect a mask whose height "
            "and width are not zero."
        )
    return mask.float().reshape(-1, 1, *mask.shape[-2:])


def no_mask() -> Tensor:
    """The MASK that stands for a missing one, as Load Image outputs it."""
    return torch.zeros(1, NO_ALPHA_SIDE, NO_ALPHA_SIDE)


def check_finite(values: Tensor, what: str) -> None:
    """Raise IGRError if an image, a mask or latents have NaN or infinite values."""
    if not all(math.isfinite(float(end)) for end in values.aminmax()):  # aminmax propagates NaN
        raise IGRError(
            f"The {what} contains NaN or infinite values: start ComfyUI with --force-fp32, or check the model and the "
            "nodes before this one."
        )


def to_image(images: Tensor) -> Tensor:
    """(B, C, H, W) -> IMAGE."""
    return images.movedim(1, -1).contiguous()


def _is_missing(masks: Tensor, photos: Tensor) -> bool:
    sides = masks.shape[-2:]
    return sides == (NO_ALPHA_SIDE,) * 2 and sides != photos.shape[-2:] and not bool(torch.any(masks))
