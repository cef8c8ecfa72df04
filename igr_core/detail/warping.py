"""Sample a garment's pixels from its photo with a map from the flat garment to the photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..errors import IGRError
from ..photo.view import GarmentView, Placement
from .flow import resized_map

_ERODE = 0.006
"""Amount by which the photo's mask is shrunk to exclude skin and background, as a fraction of the mask's height."""
_MOST_STRETCH = 6.0
"""Maximum linear magnification of the photo; beyond this, detail would be blurred, so none is transferred."""


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


def warped(photo: SourcePhoto, place: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
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


def trusted(stretch: Tensor, photo: SourcePhoto, size: tuple[int, int]) -> Tensor:
    """Mask (1, H, W), 0 where the map folds or magnifies too much and 1 elsewhere, smooth between cells."""
    wide, tall = photo.placement.canvas_size
    pixels = (
        (photo.placement.to_source(torch.tensor([[0.0, 0.0], [wide, tall]], dtype=torch.float32))).diff(dim=0)[0].prod()
    )
    magnified = size[0] * size[1] / (float(pixels) * stretch.clamp_min(1e-6))
    fine = (stretch > 0) & (magnified <= _MOST_STRETCH**2)
    kept = -F.max_pool2d(-fine.float()[None, None], 3, stride=1, padding=1)  # excludes folds and their neighbours
    return F.interpolate(kept, size[::-1], mode="bilinear", align_corners=False)[0]


def enlarged(image: Tensor, size: tuple[int, int]) -> Tensor:
    """An image (C, H, W) in 0..1 at `size` (width, height), bicubic."""
    width, height = size
    if image.shape[-2:] == (height, width):
        return image
    resized = F.interpolate(image[None], (height, width), mode="bicubic", antialias=True, align_corners=False)[0]
    return resized.clamp(0, 1)


def blurred(image: Tensor, sigma: float) -> Tensor:
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


def _prefiltered(image: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """The photo, blurred as much as a map (2, h, w) to `size` typically shrinks it, so that patterns do not alias."""
    across = (points[:, :, 1:] - points[:, :, :-1]).norm(dim=0).median() * points.shape[2] / size[0]
    down = (points[:, 1:] - points[:, :-1]).norm(dim=0).median() * points.shape[1] / size[1]
    reduction = float(torch.maximum(across, down))
    return image if reduction <= 1 else blurred(image, 0.5 * math.sqrt(reduction**2 - 1))


def _shrunken(mask: Tensor) -> Tensor:
    """A mask (1, h, w), made binary and shrunk by a small fraction of its height."""
    solid = (mask >= 0.5).to(mask)
    rows = solid[0].any(1).nonzero()
    if not len(rows):
        return solid
    reach = max(1, round(_ERODE * int(rows[-1] - rows[0] + 1)))
    return 1 - F.max_pool2d((1 - solid)[None], 2 * reach + 1, stride=1, padding=reach)[0]


def _resized_by(image: Tensor, factor: int) -> Tensor:
    height, width = (max(1, side // factor) for side in image.shape[-2:])
    return F.interpolate(image[None], (height, width), mode="area")[0]
