"""Fill the parts of an image that are unknown with smooth colours from around them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_SMALLEST = 3
"""Side in pixels at which the pyramid ends."""
_NOTHING = 1e-6
"""Sum of weights below which nothing is known."""


def fill(image: Tensor, known: Tensor, otherwise: Tensor | None = None) -> Tensor:
    """Fill an image (C, h, w) where its weights `known` (1, h, w) in 0..1 are below 1, by pull-push interpolation.

    Where `known` is 1, the image is unchanged; elsewhere it fades to the average of what is known nearby, at the finest
    scale at which anything is. Without any known pixel, the result is the colour `otherwise` (C, 1, 1), 0 by default.
    Source: Gortler et al. 1996, section 3.4.
    """
    levels = [(image * known, known)]
    while min(levels[-1][1].shape[-2:]) > _SMALLEST:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    colour, weight = levels[-1]
    total = weight.sum()
    whole = colour.sum((1, 2), keepdim=True) / total.clamp_min(_NOTHING)
    if otherwise is not None and total < _NOTHING:
        whole = otherwise
    filled = whole.expand_as(colour)
    for colour, weight in reversed(levels):
        coarse = F.interpolate(filled[None], colour.shape[-2:], mode="bilinear", align_corners=False)[0]
        sure = weight.clamp(0, 1)
        filled = sure * (colour / weight.clamp_min(1e-6)) + (1 - sure) * coarse
    return filled


def blend(image: Tensor, own: Tensor, known: Tensor) -> Tensor:
    """Replace an image (C, h, w) by `own` where `known` (1, h, w) is 1; the rest keeps its detail but takes the
    colours of `own` at the seam, as in Poisson image editing (Pérez et al. 2003)."""
    return image + fill(own - image, known)


def _halved(image: Tensor) -> Tensor:
    return F.avg_pool2d(image[None], 2, ceil_mode=True, count_include_pad=False)[0]
