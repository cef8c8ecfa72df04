"""Validate the user's photo, mask, category and working size before long work starts."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from ..errors import IGRError
from ..model.config import CATEGORIES
from ..text import counted
from .image_files import MIN_SIDE

MASK_THRESHOLD = 0.5
"""Mask pixels of at least this value belong to the garment."""
MIN_SIZE, MAX_SIZE = 64, 2048
"""Limits of the working width and height in pixels."""
BLACKED_OUT = 0.8
"""A photo is rejected if more than this fraction of its garment is exactly 0; below 1, because a mask may extend beyond
the black area."""
_RANGE_SLACK = 0.01


def validate_inputs(person: Tensor, mask: Tensor) -> None:
    """Check photos (B, 3, h, w) and masks (B, 1, h, w) or (1, 1, h, w) in 0..1.

    Raises IGRError with the remedy for wrong shapes, NaN, values outside 0..1, a mask of a different size, an empty
    mask, a tiny photo, or a photo that is black wherever its mask is white.
    """
    _check_tensor("photo", person, 3)
    _check_tensor("mask", mask, 1)
    height, width = person.shape[-2:]
    if mask.shape[-2:] != person.shape[-2:]:
        remedy = f"resize the mask to {width}×{height}"
        if mask.shape[-2:] == (width, height):
            remedy = "if only the photo was rotated according to its EXIF tag, rotate the mask by 90 degrees"
        raise IGRError(f"The mask is {mask.shape[-1]}×{mask.shape[-2]} but the photo is {width}×{height}: {remedy}.")
    if min(height, width) < MIN_SIDE:
        raise IGRError(f"The photo is {width}×{height} pixels: use one of at least {MIN_SIDE}×{MIN_SIDE}.")
    if mask.shape[0] not in (1, person.shape[0]):
        raise IGRError(
            f"There is no way to match {counted(mask.shape[0], 'mask')} with {counted(person.shape[0], 'photo')}: "
            "provide one mask per photo, or one mask for all."
        )
    for index, one in enumerate(mask[:, 0] >= MASK_THRESHOLD):
        if not bool(one.any()):
            label = f"mask {index + 1}" if mask.shape[0] > 1 else "mask"
            raise IGRError(f"The {label} is empty: paint the garment white on black.")
    _check_not_blacked_out(person, mask)


def _check_not_blacked_out(person: Tensor, mask: Tensor) -> None:
    """Raise IGRError if almost all pixels of a garment are exactly 0, which never happens in a photo from a camera."""
    for index, share in enumerate(_black_shares(person, mask)):
        if share > BLACKED_OUT:
            label = f"photo {index + 1}" if person.shape[0] > 1 else "photo"
            raise IGRError(
                f"The {label} is completely black under its mask. ComfyUI's MaskEditor does this in frontend "
                "versions 1.47.3 to 1.47.12: take the photo from a second Load Image, or update the frontend."
            )


def _black_shares(person: Tensor, mask: Tensor) -> list[float]:
    """Fraction of each garment in photos (B, 3, h, w) and masks (B, 1, h, w) or (1, 1, h, w) that is exactly 0."""
    inside = (mask[:, 0] >= MASK_THRESHOLD).flatten(1)  # (B or 1, h * w)
    black = (person == 0).all(1).flatten(1) & inside
    return (black.sum(1) / inside.sum(1).clamp(min=1)).tolist()


def check_category(category: str) -> str:
    """Return the category if it is valid; otherwise raise IGRError listing the valid ones."""
    if category not in CATEGORIES:
        raise IGRError(f"Unknown category {category!r}: choose {', '.join(CATEGORIES[:-1])} or {CATEGORIES[-1]}.")
    return category


def parse_size(text: str, step: int) -> tuple[int, int]:
    """Parse `WxH` into width and height in pixels; raises IGRError as check_size does."""
    match = re.fullmatch(r"\s*(\d{1,6})\s*[xX×*]\s*(\d{1,6})\s*", text)
    if match is None:
        raise IGRError(f"Size {text!r} is not valid: write width x height in pixels, such as 768x1024.")
    return check_size((int(match[1]), int(match[2])), step)


def check_size(size: tuple[int, int], step: int) -> tuple[int, int]:
    """Return (width, height) if it is valid; otherwise raise IGRError naming the nearest valid size.

    The nearest size keeps the aspect ratio as far as the limits and the step allow.
    """
    low, high = -(-MIN_SIZE // step) * step, MAX_SIZE // step * step
    scale = high / max(size) if max(size) > high else low / min(size) if 0 < min(size) < low else 1
    nearest = tuple(min(max(int(side * scale / step + 0.5) * step, low), high) for side in size)
    if nearest != tuple(size):
        rule = f"multiples of {step} from" if step > 1 else "from"
        raise IGRError(
            f"Size {size[0]}x{size[1]} cannot be used: both sides must be {rule} {low} to {high}; "
            f"the nearest is {nearest[0]}x{nearest[1]}."
        )
    return size


def _check_tensor(name: str, image: Tensor, channels: int) -> None:
    if image.ndim != 4 or image.shape[1] != channels:
        raise IGRError(f"The {name} has shape {tuple(image.shape)}: it must be (batch, {channels}, height, width).")
    if 0 in image.shape:
        raise IGRError(
            f"The {name} has no pixels (its shape is {tuple(image.shape)}): provide at least one {name} "
            "whose height and width are not zero."
        )
    if not image.is_floating_point():
        raise IGRError(f"The {name} has {image.dtype} values: convert them to float{_divisor(image)}.")
    check_range(name, image)


def _divisor(image: Tensor) -> str:
    """What to divide an image of integers by; empty if its values are 0 and 1."""
    if image.dtype == torch.bool or image.is_complex():
        return ""
    largest = int(image.to(torch.int64).max())
    return "" if largest <= 1 else f" and divide by {255 if largest <= 255 else 65535}"


def check_range(name: str, image: Tensor, slack: float = _RANGE_SLACK) -> None:
    """Raise IGRError if a float image has NaN or infinite values, or values outside 0..1 by more than `slack`."""
    low, high = (float(value) for value in image.aminmax())  # aminmax propagates NaN
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        raise IGRError(f"The {name} contains NaN or infinite values: fix the step that produced it.")
    if high > 1 + slack or low < -slack:
        remedy = "divide them by 255" if high > 2 else "convert them with (x + 1) / 2" if low < 0 else "scale them"
        raise IGRError(
            f"The {name} has values from {low:.3g} to {high:.3g}: {remedy} so that they are between 0 and 1."
        )
