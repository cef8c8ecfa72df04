"""Draw masks on their photos, either alone or with everything the model sees (crop, view, padding).

`draw_view` draws in a frame that contains the photos and their views, scaled so that its longer side is `SIDE`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from .inputs import MASK_THRESHOLD
from .masks import Rect, grow_mask, mask_box
from .view import Box, GarmentView, Placement

SIDE = 1024
"""Longer side of the drawn image in pixels."""
LINE = 2
"""Width of every line in pixels."""
CONTOUR, CROP, VIEW = (0.1, 1.0, 1.0), (1.0, 0.65, 0.0), (1.0, 1.0, 1.0)
"""Colours of the mask's contour, the crop's box and the view's box; every line has a dark border."""
DARK = 0.08
"""Grey level of the lines' borders and of everything outside the photo and its padding."""
OUTSIDE_MASK, OUTSIDE_VIEW = 0.4, 0.15
"""Brightness of the photo around the garment, and of the area outside the model's view."""
HATCH = (0.45, 0.6)
"""Grey levels of the stripes that mark padding."""
STRIPE, DASH = 8, 12
"""Width of a stripe and length of a dash, in pixels."""


def overlay(photos: Tensor, masks: Tensor) -> Tensor:
    """Photos (B, 3, H, W), faded outside their masks (B, 1, H, W)."""
    blue = photos.new_tensor([0.15, 0.35, 0.85]).view(1, 3, 1, 1)
    return photos * (0.35 + 0.65 * masks) + 0.35 * (1 - masks) * blue


def draw_view(view: GarmentView) -> Tensor:
    """Draw the model's view of B photos: (B, 3, H, W) in 0..1, with a longer side of SIDE.

    The garment keeps its colours inside a cyan contour, and the rest of the photo is darkened. The box of the image
    prompt's crop is orange. The view's box is dashed white, the photo outside this box is nearly black, and padding is
    hatched. Raises IGRError for a view that was stored without its photos.
    """
    if view.photo is None or view.photo_mask is None:
        raise IGRError("The view has no photo to draw: create the view again with Garment Mask/Crop.")
    masks = view.photo_mask.expand(len(view.photo), -1, -1, -1)
    frame = common_frame(view.placements)
    drawn = [
        draw_overlay(photo, mask, placement, frame)
        for photo, mask, placement in zip(view.photo.split(1), masks.split(1), view.placements, strict=True)
    ]
    return torch.cat(drawn)


def common_frame(placements: Sequence[Placement]) -> Box:
    """The smallest box, in photo pixels, that contains the photos and the boxes of all views."""
    boxes = [one.box for one in placements] + [(0.0, 0.0, *map(float, one.source_size)) for one in placements]
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def draw_overlay(photo: Tensor, mask: Tensor, placement: Placement, frame: Box) -> Tensor:
    """Draw one photo (1, 3, h, w) with its non-empty mask (1, 1, h, w) in a frame: (1, 3, H, W) in 0..1."""
    scale = SIDE / max(frame[2] - frame[0], frame[3] - frame[1])
    size = (max(1, round((frame[3] - frame[1]) * scale)), max(1, round((frame[2] - frame[0]) * scale)))
    whole = _in_frame((0, 0, *placement.source_size), frame, scale, size)
    seen = _in_frame(placement.box, frame, scale, size)
    crop = _in_frame(mask_box(mask), frame, scale, size)

    cover = _placed(_resized(mask.float(), whole), whole, size)  # (1, 1, H, W)
    image = _placed(_resized(photo.float(), whole), whole, size)  # (1, 3, H, W)
    in_photo, in_view = _filled(whole, cover), _filled(seen, cover)
    image = image * (OUTSIDE_MASK + (1 - OUTSIDE_MASK) * cover)
    image = torch.where(in_view, image, image / OUTSIDE_MASK * OUTSIDE_VIEW)
    image = torch.where(in_photo, image, DARK)
    image = torch.where(in_view & ~in_photo, _hatched(cover), image)

    inside = (cover >= MASK_THRESHOLD).float()
    contour = grow_mask(inside, LINE) - inside
    dashes = _diagonal(cover) // DASH % 2 == 0
    image = _with_line(image, _outline(seen, cover), VIEW, dashes)
    image = _with_line(image, contour > 0, CONTOUR)
    return _with_line(image, _outline(crop, cover), CROP)


def _in_frame(box: Box | Rect, frame: Box, scale: float, size: tuple[int, int]) -> Rect:
    """A box on the photo, converted to pixels of the drawn image, at least one pixel wide and high."""
    height, width = size
    left, top = (min(max(round((box[side] - frame[side]) * scale), 0), size[1 - side] - 1) for side in (0, 1))
    right, bottom = (round((box[side] - frame[side - 2]) * scale) for side in (2, 3))
    return (left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height))


def _resized(image: Tensor, rect: Rect) -> Tensor:
    """Resize an image (1, C, h, w) to a rectangle's size, in 0..1."""
    size = (rect[3] - rect[1], rect[2] - rect[0])
    if image.shape[-2:] != size:
        image = F.interpolate(image.contiguous(), size, mode="bilinear", antialias=True, align_corners=False)
    return image.clamp(0, 1)


def _placed(image: Tensor, rect: Rect, size: tuple[int, int]) -> Tensor:
    """Place an image in a rectangle of its size on an empty canvas of `size` (height, width)."""
    canvas = image.new_zeros(1, image.shape[1], *size)
    canvas[..., rect[1] : rect[3], rect[0] : rect[2]] = image
    return canvas


def _filled(rect: Rect, like: Tensor) -> Tensor:
    """True inside a rectangle, (1, 1, H, W)."""
    inside = torch.zeros_like(like, dtype=torch.bool)
    inside[..., rect[1] : rect[3], rect[0] : rect[2]] = True
    return inside


def _outline(rect: Rect, like: Tensor) -> Tensor:
    """True on a line around a rectangle; the line is moved inwards where it would leave the image."""
    height, width = like.shape[-2:]
    left, top, right, bottom = rect
    outer = (max(left - LINE, 0), max(top - LINE, 0), min(right + LINE, width), min(bottom + LINE, height))
    inner = (outer[0] + LINE, outer[1] + LINE, outer[2] - LINE, outer[3] - LINE)
    return _filled(outer, like) & ~_filled(inner, like)


def _with_line(image: Tensor, line: Tensor, colour: tuple[float, float, float], on: Tensor | None = None) -> Tensor:
    """Draw a line where `line` is true, with a one-pixel dark border; the line itself is dark where `on` is false."""
    border = grow_mask(line.float(), 1) > 0
    image = torch.where(border, DARK, image)
    return torch.where(line if on is None else line & on, image.new_tensor(colour).view(1, 3, 1, 1), image)


def _hatched(like: Tensor) -> Tensor:
    """Diagonal stripes (1, 1, H, W)."""
    return torch.where(_diagonal(like) // STRIPE % 2 == 0, *HATCH).to(like)


def _diagonal(like: Tensor) -> Tensor:
    """Row plus column of every pixel, (1, 1, H, W)."""
    rows, columns = (torch.arange(side, device=like.device) for side in like.shape[-2:])
    return (rows[:, None] + columns)[None, None]
