"""Transfer the photo's own detail to the parts of the restored garment that were visible in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..errors import IGRError
from ..photo.view import GarmentView, Placement
from ..ranges import Range, Ranged
from .evidence import Evidence
from .flow import resized_map

MOST_SIDE = 2048
"""Largest width and height of the result in pixels."""
_OTHER_ASPECT = 0.01
"""Largest difference in aspect ratio, as a fraction."""
_SHADE = 0.05
"""Width of the Gaussian that separates shading and colour from detail, as a fraction of the image's height."""
_ERODE = 0.006
"""Amount by which the photo's mask is shrunk to exclude skin and background, as a fraction of the mask's height."""
_CERTAIN = 0.5
"""Evidence below which no detail is transferred; above it, the amount grows linearly."""
_MOST_GAIN = 1.5
"""Maximum factor by which the contrast of detail is raised; a larger one would amplify the photo's noise."""
_SAME_COLOUR, _OTHER_COLOUR = 0.15, 0.4
"""Differences between the photo's colour and the restored one, under the same light and relative to the restored
brightness. Up to the first, all detail is transferred; from the second on, none."""
_DARK = 0.35
"""Brightness (0..1) below which differences are no longer relative, because dark colours are noisy."""
_MOST_STRETCH = 6.0
"""Maximum linear magnification of the photo; beyond this, detail would be blurred, so none is transferred."""


@dataclass(frozen=True)
class Transfer(Ranged):
    """Settings of the transfer."""

    strength: Annotated[float, Range(0.0, 1.0)] = 1.0
    """0 only enlarges the restored garment; 1 uses the photo's detail wherever it is certain."""
    feather: Annotated[float, Range(0.0, 0.2)] = 0.01
    """Width of the transition at the border of the transferred parts, as a fraction of the image's height."""


@dataclass(frozen=True)
class SourcePhoto:
    """One photo of the garment."""

    image: Tensor
    """(3, h, w) in 0..1, at its own resolution."""
    mask: Tensor
    """(1, h, w) in 0..1: the garment mask of the photo."""
    placement: Placement
    """Placement of the photo in the model's view."""


def source_photos(view: GarmentView) -> list[SourcePhoto]:
    """The photos of a view, at their own sizes; raises IGRError for a view that does not contain them."""
    if view.photo is None or view.photo_mask is None:
        raise IGRError("The view has no photo to take details from: create it again with Garment Mask/Crop.")
    masks = view.photo_mask.expand(len(view.photo), -1, -1, -1)
    found = []
    for photo, mask, placement in zip(view.photo.float().cpu(), masks.float().cpu(), view.placements, strict=True):
        width, height = placement.source_size  # photos of different sizes are padded
        found.append(SourcePhoto(photo[:, :height, :width], mask[:, :height, :width], placement))
    return found


def transfer_details(
    restored: Tensor,
    garment: Tensor,
    evidence: Evidence,
    photos: list[SourcePhoto],
    size: tuple[int, int],
    transfer: Transfer,
) -> tuple[Tensor, Tensor]:
    """Enlarge a restored garment (3, H, W) to `size` (width, height) and add the photos' detail.

    `garment` (1, H, W) is its opacity. Returns the image (3, h, w), and how much of each pixel comes from the photos,
    (1, h, w); both are in 0..1. Colour and shade come from the restored garment, detail from the photo in which each
    region is most likely visible. Raises IGRError for a size above MOST_SIDE, or for an aspect ratio other than the
    garment's.
    """
    width, height = size
    if max(size) > MOST_SIDE or min(size) < 1:
        raise IGRError(f"The size {width}x{height} is out of range: choose at most {MOST_SIDE}x{MOST_SIDE}.")
    check_aspect(size, (restored.shape[-1], restored.shape[-2]))
    base = _enlarged(restored, size)
    moved = base.new_zeros(1, height, width)
    if transfer.strength == 0:
        return base, moved
    opaque = _enlarged(garment, size)
    detail = torch.zeros_like(base)
    weights = _by_photo(evidence, size)
    for number, photo in enumerate(photos):
        flow = evidence.flows[number]
        if flow is None:
            continue
        taken, covered = _warped(photo, flow.place.to(base), size)
        part = covered * weights[number] * _trusted(flow.stretch, photo, size).to(base)
        # feather inwards only, so that the transferred part never extends beyond the mask
        part = torch.minimum(part, _blurred(part, transfer.feather * height)) * opaque
        recoloured, agreement = _with_colour_of(base, taken, part)
        part = part * agreement
        detail = detail + part * recoloured
        moved = moved + part
    total = moved.clamp(max=1)
    amount = transfer.strength * total
    mixed = detail / moved.clamp_min(1e-6)
    return (base * (1 - amount) + mixed * amount).clamp(0, 1), amount


def check_aspect(size: tuple[int, int], image: tuple[int, int]) -> None:
    """Raise IGRError if a size and an image, both (width, height), have different aspect ratios."""
    width = round(size[1] * image[0] / image[1])
    if abs(width - size[0]) > max(1, _OTHER_ASPECT * width):
        raise IGRError(
            f"The size {size[0]}x{size[1]} would stretch an image of {image[0]}x{image[1]}: choose {width}x{size[1]}."
        )


def _by_photo(evidence: Evidence, size: tuple[int, int]) -> Tensor:
    """Weight of each photo's detail at each pixel, (n, 1, h, w); each cell uses its best photo, blended smoothly."""
    width, height = size
    count = evidence.in_photo.shape[0]
    best = F.one_hot(evidence.best, count).movedim(-1, 0).to(evidence.in_photo)  # (n, h, w)
    sure = ((evidence.in_photo - _CERTAIN) / (1 - _CERTAIN)).clamp(0, 1) * best
    return F.interpolate(sure[:, None], (height, width), mode="bilinear", align_corners=False)


def _warped(photo: SourcePhoto, place: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The photo (3, H, W) and its shrunken mask (1, H, W), warped by a map (2, h, w) in fractions of the view."""
    width, height = size
    wide, tall = photo.placement.canvas_size
    points = torch.stack([place[0] * wide, place[1] * tall], -1)  # canvas pixels, (h, w, 2)
    points = photo.placement.to_source(points).to(place).movedim(-1, 0)  # photo pixels, (2, h, w)
    source = place.new_tensor(photo.image.shape[:0:-1]).view(2, 1, 1)  # width and height
    grid = resized_map(points / source * 2 - 1, height, width).movedim(0, -1)
    image = _prefiltered(photo.image, points, size)

    def sampled(values: Tensor, mode: str) -> Tensor:
        return F.grid_sample(values[None].to(place), grid[None], mode, "border", align_corners=False)[0]

    within = ((grid > -1) & (grid < 1)).all(-1)[None]
    return sampled(image, "bicubic").clamp(0, 1), sampled(_shrunken(photo.mask), "bilinear") * within


def _prefiltered(image: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """The photo, blurred as much as a map (2, h, w) to `size` typically shrinks it, so that patterns do not alias."""
    across = (points[:, :, 1:] - points[:, :, :-1]).norm(dim=0).median() * points.shape[2] / size[0]
    down = (points[:, 1:] - points[:, :-1]).norm(dim=0).median() * points.shape[1] / size[1]
    reduction = float(torch.maximum(across, down))
    return image if reduction <= 1 else _blurred(image, 0.5 * math.sqrt(reduction**2 - 1))


def _shrunken(mask: Tensor) -> Tensor:
    """A mask (1, h, w), made binary and shrunk by a small fraction of its height."""
    solid = (mask >= 0.5).to(mask)
    rows = solid[0].any(1).nonzero()
    if not len(rows):
        return solid
    reach = max(1, round(_ERODE * int(rows[-1] - rows[0] + 1)))
    return 1 - F.max_pool2d((1 - solid)[None], 2 * reach + 1, stride=1, padding=reach)[0]


def _trusted(stretch: Tensor, photo: SourcePhoto, size: tuple[int, int]) -> Tensor:
    """Mask (1, H, W), 0 where the map folds or magnifies too much and 1 elsewhere, smooth between cells."""
    wide, tall = photo.placement.canvas_size
    pixels = (photo.placement.to_source(torch.tensor([[0.0, 0.0], [wide, tall]]))).diff(dim=0)[0].prod()
    magnified = size[0] * size[1] / (float(pixels) * stretch.clamp_min(1e-6))
    fine = (stretch > 0) & (magnified <= _MOST_STRETCH**2)
    kept = -F.max_pool2d(-fine.float()[None, None], 3, stride=1, padding=1)  # excludes folds and their neighbours
    return F.interpolate(kept, size[::-1], mode="bilinear", align_corners=False)[0]


def _with_colour_of(base: Tensor, taken: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    """The photo's detail on the restored garment's colour and shade: low frequencies of `base`, high ones of `taken`.

    Both are averaged over `part` only, so that neither skin nor background bleeds in. Contrast is weaker where the
    photo is darker, so it is raised by the same factor as the brightness. Also returns a mask (1, H, W) that falls to
    0 where the two have different colours under any light, because the map must then be wrong: the photo may not even
    show this garment.
    """
    sigma = _SHADE * base.shape[-2]
    inside = _blurred(part, sigma).clamp_min(1e-4)
    low_base, low_taken = (_blurred(image * part, sigma) / inside for image in (base, taken))
    light = low_base.mean(0, keepdim=True) / low_taken.mean(0, keepdim=True).clamp_min(1e-3)
    bright = low_base.mean(0, keepdim=True)
    apart = (low_base - low_taken * light).abs().amax(0, keepdim=True) / bright.clamp_min(_DARK)
    agreement = ((_OTHER_COLOUR - apart) / (_OTHER_COLOUR - _SAME_COLOUR)).clamp(0, 1)
    return low_base + (taken - low_taken) * light.clamp(1 / _MOST_GAIN, _MOST_GAIN), agreement


def _enlarged(image: Tensor, size: tuple[int, int]) -> Tensor:
    width, height = size
    if image.shape[-2:] == (height, width):
        return image
    resized = F.interpolate(image[None], (height, width), mode="bicubic", antialias=True, align_corners=False)[0]
    return resized.clamp(0, 1)


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of an image (C, H, W); wide blurs are computed on a smaller grid."""
    if sigma < 0.3:
        return image
    factor = max(1, int(sigma / 4))
    small = image if factor == 1 else _resized_by(image, factor)
    scale = sigma / factor
    soft = torch.from_numpy(gaussian_filter(small.numpy(force=True), (0, scale, scale), mode="nearest")).to(image)
    if factor == 1:
        return soft
    return F.interpolate(soft[None], image.shape[-2:], mode="bilinear", align_corners=False)[0]


def _resized_by(image: Tensor, factor: int) -> Tensor:
    height, width = (max(1, side // factor) for side in image.shape[-2:])
    return F.interpolate(image[None], (height, width), mode="area")[0]
