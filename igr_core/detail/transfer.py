"""Transfer the photo's own detail to the parts of the restored garment that were visible in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from ..ranges import Range, Ranged
from .evidence import Evidence
from .warping import SourcePhoto, blurred, enlarged, trusted, warped

MOST_SIDE = 2048
"""Largest width and height of the result in pixels."""
_OTHER_ASPECT = 0.01
"""Largest difference in aspect ratio, as a fraction."""
_SHADE = 0.05
"""Width of the Gaussian that separates shading and colour from detail, as a fraction of the image's height."""
_CERTAIN = 0.5
"""Evidence below which no detail is transferred; above it, the amount grows linearly."""
_MOST_GAIN = 1.5
"""Maximum factor by which the contrast of detail is raised; a larger one would amplify the photo's noise."""
_SAME_COLOUR, _OTHER_COLOUR = 0.15, 0.4
"""Differences between the photo's colour and the restored one, under the same light and relative to the restored
brightness. Up to the first, all detail is transferred; from the second on, none."""
_DARK = 0.35
"""Brightness (0..1) below which differences are no longer relative, because dark colours are noisy."""


@dataclass(frozen=True)
class Transfer(Ranged):
    """Settings of the transfer."""

    strength: Annotated[float, Range(0.0, 1.0)] = 1.0
    """0 only enlarges the restored garment; 1 uses the photo's detail wherever it is certain."""
    feather: Annotated[float, Range(0.0, 0.2)] = 0.01
    """Width of the transition at the border of the transferred parts, as a fraction of the image's height."""


def transfer_details(
    restored: Tensor,
    garment: Tensor,
    evidence: Evidence,
    photos: list[SourcePhoto],
    size: tuple[int, int],
    transfer: Transfer,
) -> tuple[Tensor, Tensor]:
    """Enlarge a restored garment (3, H, W) to `size` (width, height) and add the photos' detail.

    `garment` (1, H, W) is its opacity. Returns the image (3, h, w) and the fraction of each pixel that comes from the
    photos, (1, h, w); both are in 0..1. Colour and shading come from the restored garment, and detail comes from the
    photo in which each region is most likely visible. Raises IGRError for a size above MOST_SIDE, or for an aspect
    ratio other than the garment's.
    """
    width, height = size
    if max(size) > MOST_SIDE or min(size) < 1:
        raise IGRError(f"The size {width}x{height} is out of range: choose at most {MOST_SIDE}x{MOST_SIDE}.")
    check_aspect(size, (restored.shape[-1], restored.shape[-2]))
    base = enlarged(restored, size)
    moved = base.new_zeros(1, height, width)
    if transfer.strength == 0:
        return base, moved
    opaque = enlarged(garment, size)
    detail = torch.zeros_like(base)
    weights = _by_photo(evidence, size)
    for number, photo in enumerate(photos):
        flow = evidence.flows[number]
        if flow is None:
            continue
        taken, covered = warped(photo, flow.place.to(base), size)
        part = covered * weights[number] * trusted(flow.stretch, photo, size).to(base)
        # feather inwards only, so that the transferred part never extends beyond the mask
        part = torch.minimum(part, blurred(part, transfer.feather * height)) * opaque
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
        near = (width, size[1]) if width > size[0] else (size[0], round(size[0] * image[1] / image[0]))
        raise IGRError(
            f"The size {size[0]}x{size[1]} would stretch an image of {image[0]}x{image[1]}: choose {near[0]}x{near[1]}."
        )


def _by_photo(evidence: Evidence, size: tuple[int, int]) -> Tensor:
    """Weight of each photo's detail at each pixel, (n, 1, h, w); each cell uses its best photo, blended smoothly."""
    width, height = size
    count = evidence.in_photo.shape[0]
    best = F.one_hot(evidence.best, count).movedim(-1, 0).to(evidence.in_photo)  # (n, h, w)
    sure = ((evidence.in_photo - _CERTAIN) / (1 - _CERTAIN)).clamp(0, 1) * best
    return F.interpolate(sure[:, None], (height, width), mode="bilinear", align_corners=False)


def _with_colour_of(base: Tensor, taken: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    """The photo's detail on the restored garment's colour and shade: low frequencies of `base`, high ones of `taken`.

    The low frequencies are averages over `part` only, so that neither skin nor background bleeds in. Contrast is weaker
    where the photo is darker, so it is raised by the same factor as the brightness. Also returns a mask (1, H, W) that
    falls to 0 where the two images have different colours under any light, because the map must then be wrong: the
    photo may not even show this garment.
    """
    sigma = _SHADE * base.shape[-2]
    inside = blurred(part, sigma).clamp_min(1e-4)
    low_base, low_taken = (blurred(image * part, sigma) / inside for image in (base, taken))
    light = low_base.mean(0, keepdim=True) / low_taken.mean(0, keepdim=True).clamp_min(1e-3)
    bright = low_base.mean(0, keepdim=True)
    apart = (low_base - low_taken * light).abs().amax(0, keepdim=True) / bright.clamp_min(_DARK)
    agreement = ((_OTHER_COLOUR - apart) / (_OTHER_COLOUR - _SAME_COLOUR)).clamp(0, 1)
    return low_base + (taken - low_taken) * light.clamp(1 / _MOST_GAIN, _MOST_GAIN), agreement
