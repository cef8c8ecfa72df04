"""Photo geometry: fit a photo and its mask to the canvas, crop the garment, and map back (paper, section 3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from ..model.config import ViewConfig
from .inputs import validate_inputs
from .mask_warnings import mask_warnings
from .masks import Rect, mask_box

MOST_PHOTOS = 8
"""Maximum number of photos of one garment."""
MAX_MAGNIFICATION = 8
"""A focused view never magnifies the photo by more than this factor."""

Box = tuple[float, float, float, float]
Resize = Callable[[Tensor, int, int], Tensor]


@dataclass(frozen=True)
class Placement:
    """Placement of part of a photo on the canvas; rectangles are (left, top, right, bottom), as pixel edges."""

    source_rect: Rect
    """The visible part of the photo."""
    canvas_rect: Rect
    """Position of this part on the canvas; the rest of the canvas is padding."""
    source_size: tuple[int, int]
    """Width and height of the photo."""
    canvas_size: tuple[int, int]
    """Width and height of the canvas."""

    @property
    def box(self) -> Box:
        """The box in photo pixels that fills the canvas; it extends beyond the photo where the canvas has padding."""
        corners = torch.tensor([[0, 0], list(self.canvas_size)], dtype=torch.float64, device="cpu")
        (left, top), (right, bottom) = self.to_source(corners).tolist()
        return (left, top, right, bottom)

    def to_canvas(self, points: Tensor) -> Tensor:
        """Map (..., 2) points x, y from photo to canvas pixels."""
        return _map_points(points, self.source_rect, self.canvas_rect)

    def to_source(self, points: Tensor) -> Tensor:
        """Map (..., 2) points x, y from canvas to photo pixels."""
        return _map_points(points, self.canvas_rect, self.source_rect)


@dataclass(frozen=True)
class GarmentView:
    """The model's view of B photos."""

    person: Tensor
    """(B, 3, H, W) in 0..1, white outside the photo."""
    mask: Tensor
    """(B, 1, H, W) in 0..1, 0 outside the photo."""
    crop: Tensor
    """p_g, (B, 3, S, S): the masked photo cropped to the mask's box and padded to a square with 0."""
    placements: tuple[Placement, ...]
    """Placement of each photo on the canvas."""
    warnings: tuple[str, ...]
    """Warnings about the inputs, for the user."""
    photo: Tensor | None = None
    """(B, 3, h, w): the original photos; None in a view that was stored without them."""
    photo_mask: Tensor | None = None
    """(B, 1, h, w), or (1, 1, h, w) for all photos: the original masks; None in a view that was stored without them."""
    muted: bool = False
    """Whether warnings are off, because the user chose to use the whole photo."""
    each: int = 1
    """Number of photos per garment in a view from Combine References: the first photos of all garments come first, then
    the second ones, and so on."""

    @property
    def keys(self) -> tuple[str, ...]:
        """A hash of each photo and its mask, to tell whether two views show the same."""
        both = torch.cat([self.person, self.mask], 1).float().cpu().contiguous()
        return tuple(hashlib.sha256(one.numpy().tobytes()).hexdigest() for one in both)

    def warnings_about(self, category: str, photo: int | None = None) -> tuple[str, ...]:
        """The warnings about one photo, or about all of them, that apply to a garment of this category."""
        if self.muted or self.photo_mask is None:
            return self.warnings
        masks = self.photo_mask
        return mask_warnings(masks if photo is None or len(masks) == 1 else masks[photo : photo + 1], category)


def make_view(
    person: Tensor,
    mask: Tensor,
    size: tuple[int, int],
    view: ViewConfig,
    crop_size: int = 224,
    category: str | None = None,
) -> GarmentView:
    """Place photos on a canvas of `size` (width, height) and crop the garment.

    person is (B, 3, h, w), and mask is (B, 1, h, w), or (1, 1, h, w) for all photos; both are in 0..1. The category, if
    known, only makes the warnings more accurate. Raises IGRError as validate_inputs does.
    """
    validate_inputs(person, mask)
    warnings = mask_warnings(mask, category)
    photo, photo_mask, count = person, mask, person.shape[0]
    person = person.float().clamp(0, 1)
    mask = mask.float().clamp(0, 1).expand(count, -1, -1, -1)
    source_size = (person.shape[-1], person.shape[-2])
    persons, masks, crops, placements = [], [], [], []
    for one, cover in zip(person.split(1), mask.split(1), strict=True):
        garment = mask_box(cover)
        placement = place(garment, source_size, size, view)
        persons.append(_to_canvas(one, placement, fill=1.0, resize=_resize_photo))
        masks.append(_to_canvas(cover, placement, fill=0.0, resize=_resize_mask))
        crops.append(crop_garment(one, cover, garment, crop_size))
        placements.append(placement)
    return GarmentView(
        torch.cat(persons), torch.cat(masks), torch.cat(crops), tuple(placements), warnings, photo, photo_mask
    )


def join_views(views: Sequence[GarmentView]) -> GarmentView:
    """Join views of the same size into one view of all their photos.

    Smaller photos are extended at the right and bottom to the size of the largest, outside their masks, so that
    positions in them stay the same. Raises IGRError for views of different sizes.
    """
    first = views[0]
    if len(views) == 1:
        return first
    if any(view.person.shape[-2:] != first.person.shape[-2:] for view in views):
        raise IGRError("The views differ in size: create them with the same width and height.")
    photos = [view.photo for view in views if view.photo is not None]
    masks = [view.photo_mask.expand(len(view.person), -1, -1, -1) for view in views if view.photo_mask is not None]
    whole = len(photos) == len(masks) == len(views)
    return GarmentView(
        torch.cat([view.person for view in views]),
        torch.cat([view.mask for view in views]),
        torch.cat([view.crop for view in views]),
        tuple(placement for view in views for placement in view.placements),
        tuple(dict.fromkeys(warning for view in views for warning in view.warnings)),
        _padded(photos, 1.0) if whole else None,
        _padded(masks, 0.0) if whole else None,
        all(view.muted for view in views),
    )


def split_view(view: GarmentView, count: int) -> list[GarmentView]:
    """Split a joined view back into views of `count` photos each."""
    masks = None if view.photo_mask is None else view.photo_mask.expand(len(view.person), -1, -1, -1)
    parts = []
    for start in range(0, len(view.person), count):
        rows = slice(start, start + count)
        parts.append(
            replace(
                view,
                person=view.person[rows],
                mask=view.mask[rows],
                crop=view.crop[rows],
                placements=view.placements[rows],
                photo=None if view.photo is None else view.photo[rows],
                photo_mask=None if masks is None else masks[rows],
                each=1,
            )
        )
    return parts


def shows_again(view: GarmentView, other: GarmentView) -> bool:
    """Whether the photos and masks of `other` are among those of `view`, in the same order."""
    count = len(other.person)
    return any(
        torch.equal(person, other.person) and torch.equal(mask, other.mask) and torch.equal(crop, other.crop)
        for person, mask, crop in zip(*(x.split(count) for x in (view.person, view.mask, view.crop)), strict=True)
    )


def _padded(images: Sequence[Tensor], fill: float) -> Tensor:
    """Images (B, C, h, w) of different sizes, extended with `fill` and concatenated."""
    height, width = (max(image.shape[axis] for image in images) for axis in (-2, -1))
    return torch.cat(
        [
            F.pad(image.float(), (0, width - image.shape[-1], 0, height - image.shape[-2]), value=fill)
            for image in images
        ]
    )


def unfit(images: Tensor, view: GarmentView) -> list[Tensor]:
    """Map canvas images (B, C, H, W) back to photo pixels: each photo's visible part (C, h, w), without padding."""
    result = []
    for image, placement in zip(images.split(1), view.placements, strict=True):
        left, top, right, bottom = photo_rect(image, placement)
        width, height = _size(placement.source_rect)
        result.append(_resize_photo(image[..., top:bottom, left:right], height, width)[0])
    return result


def photo_rect(image: Tensor, placement: Placement) -> Rect:
    """Left, top, right and bottom of the photo's visible part in a canvas image (..., H, W), in its pixels."""
    return _scale_rect(placement.canvas_rect, placement.canvas_size, image)


def latent_mask(mask: Tensor, downscale: int) -> Tensor:
    """Mask resized to latent size by area: (B, 1, H, W) -> (B, 1, H / downscale, W / downscale), 0..1."""
    return F.avg_pool2d(mask, downscale)


def place(garment: Rect, source_size: tuple[int, int], canvas_size: tuple[int, int], view: ViewConfig) -> Placement:
    """Choose the visible part of the photo: all of it, or the garment's box and its surroundings."""
    box = (0, 0, *source_size) if view.mode == "whole" else _focused_box(garment, canvas_size, view.margin)
    box = _to_aspect(box, canvas_size)
    left, top, right, bottom = box
    scale_x = canvas_size[0] / (right - left)
    scale_y = canvas_size[1] / (bottom - top)
    # Use whole pixels in photo and canvas, so that resizing one rectangle to the other is exactly the mapping.
    seen_x, on_x = _overlap(left, right, source_size[0], canvas_size[0], scale_x)
    seen_y, on_y = _overlap(top, bottom, source_size[1], canvas_size[1], scale_y)
    return Placement(
        source_rect=(seen_x[0], seen_y[0], seen_x[1], seen_y[1]),
        canvas_rect=(on_x[0], on_y[0], on_x[1], on_y[1]),
        source_size=source_size,
        canvas_size=canvas_size,
    )


def crop_garment(person: Tensor, mask: Tensor, garment: Rect, crop_size: int) -> Tensor:
    """p_g = Resize(Crop(p · m)) (paper, section 3.2): (1, 3, S, S), centred, 0 outside the mask."""
    left, top, right, bottom = garment
    region = (..., slice(top, bottom), slice(left, right))
    masked = person[region] * mask[region]  # (1, 3, h, w)
    longer = max(right - left, bottom - top)
    width = max(1, round((right - left) * crop_size / longer))
    height = max(1, round((bottom - top) * crop_size / longer))
    x, y = (crop_size - width) // 2, (crop_size - height) // 2
    result = person.new_zeros(1, person.shape[1], crop_size, crop_size)
    result[..., y : y + height, x : x + width] = _resize_photo(masked, height, width)
    return result


def _focused_box(garment: Rect, canvas_size: tuple[int, int], margin: float) -> Box:
    left, top, right, bottom = garment
    grow = margin * max(right - left, bottom - top)
    half_width = max((right - left) / 2 + grow, canvas_size[0] / MAX_MAGNIFICATION / 2)
    half_height = max((bottom - top) / 2 + grow, canvas_size[1] / MAX_MAGNIFICATION / 2)
    x, y = (left + right) / 2, (top + bottom) / 2
    return (x - half_width, y - half_height, x + half_width, y + half_height)


def _to_aspect(box: Box, canvas_size: tuple[int, int]) -> Box:
    """Extend a box around its centre until it has the canvas's aspect ratio."""
    left, top, right, bottom = box
    scale = max((right - left) / canvas_size[0], (bottom - top) / canvas_size[1])  # photo pixels per canvas pixel
    half_width, half_height = canvas_size[0] * scale / 2, canvas_size[1] * scale / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return (x - half_width, y - half_height, x + half_width, y + half_height)


def _overlap(
    start: float, end: float, source_length: int, canvas_length: int, scale: float
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The visible range of the photo along one axis, and its range on the canvas, both in whole pixels."""
    first = min(max(round(start), 0), source_length - 1)
    last = max(min(round(end), source_length), first + 1)
    # A box that ends inside the photo ends at the canvas's edge, so that rounding leaves no sliver of padding.
    begin = 0 if start >= -0.5 else round((first - start) * scale)
    stop = canvas_length if end <= source_length + 0.5 else round((last - start) * scale)
    begin = min(max(begin, 0), canvas_length - 1)
    return (first, last), (begin, max(min(stop, canvas_length), begin + 1))


def _to_canvas(image: Tensor, placement: Placement, fill: float, resize: Resize) -> Tensor:
    left, top, right, bottom = placement.source_rect
    x0, y0, x1, y1 = placement.canvas_rect
    width, height = placement.canvas_size
    canvas = image.new_full((1, image.shape[1], height, width), fill)
    canvas[..., y0:y1, x0:x1] = resize(image[..., top:bottom, left:right], y1 - y0, x1 - x0)
    return canvas


def _resize_photo(image: Tensor, height: int, width: int) -> Tensor:
    """Antialiased bicubic resize of (B, C, h, w), clamped to 0..1."""
    if image.shape[-2:] == (height, width):
        return image
    resized = F.interpolate(image.contiguous(), (height, width), mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp(0, 1)


def _resize_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """Antialiased bilinear resize, which cannot overshoot and so leaves no halo around the mask."""
    if mask.shape[-2:] == (height, width):
        return mask
    resized = F.interpolate(mask.contiguous(), (height, width), mode="bilinear", antialias=True, align_corners=False)
    return resized.clamp(0, 1)  # only rounding can exceed 1


def _map_points(points: Tensor, origin: Rect, target: Rect) -> Tensor:
    points = points.to(torch.float64 if points.device.type == "cpu" else torch.float32)  # few devices have float64
    old, new = points.new_tensor(origin), points.new_tensor(target)
    scale = (new[2:] - new[:2]) / (old[2:] - old[:2])
    return (points - old[:2]) * scale + new[:2]


def _scale_rect(rect: Rect, canvas_size: tuple[int, int], image: Tensor) -> Rect:
    """The same rectangle on an image whose size differs from the canvas's, such as an upscaled garment."""
    x, y = image.shape[-1] / canvas_size[0], image.shape[-2] / canvas_size[1]
    left, top = round(rect[0] * x), round(rect[1] * y)
    return (left, top, max(round(rect[2] * x), left + 1), max(round(rect[3] * y), top + 1))


def _size(rect: Rect) -> tuple[int, int]:
    return rect[2] - rect[0], rect[3] - rect[1]
