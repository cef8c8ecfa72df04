"""Refit a flat garment with extreme proportions: find the padded box of its image that shows it at a usual size."""

from __future__ import annotations

import numpy as np

from .measures import box_of

Box = tuple[int, int, int, int]


def refit(cover: np.ndarray, size: tuple[int, int], fill: float) -> Box:
    """The box (left, top, right, bottom) in which the garment has a usual size, for an image of `size` (width, height).

    The garment fills the fraction `fill` of the box in the tighter direction. `cover` (h, w) bool shows the garment at
    any scale. The box is 3:4 and centred on the garment, and may extend beyond the image. A garment is never stretched,
    so distorted proportions are not corrected.
    """
    across, down = size[0] / cover.shape[1], size[1] / cover.shape[0]
    left, top, right, bottom = box_of(cover)
    left, right, top, bottom = left * across, right * across, top * down, bottom * down
    height = max(bottom - top, (right - left) / 0.75) / fill
    width = height * 0.75
    x, y = (left + right) / 2 - width / 2, (top + bottom) / 2 - height / 2
    return round(x), round(y), round(x) + round(width), round(y) + round(height)
