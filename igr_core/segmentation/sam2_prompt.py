"""Prompts for SAM 2: points, a box and a rough mask on a photo, and prompts derived from an existing mask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import ndimage
from torch import Tensor

from ..errors import IGRError
from ..photo.inputs import MASK_THRESHOLD
from ..photo.masks import mask_box
from ..photo.view import Box

Point = tuple[float, float]
"""x and y in pixels of the photo; (0, 0) is the centre of the first pixel."""
PromptKind = Literal["box", "points", "both"]
"""What prompt_from_mask derives from a mask."""
BOX_MARGIN = 0.02
"""Margin on each side of a mask's box, as a fraction of its width and height, because masks are often too tight."""
LEAST_SIDE = 2
"""Minimum width and height in pixels of a box that a person specifies; the numbers of a smaller box are probably
fractions of the photo, or contain the box's width and height in place of a corner."""
_POINTS_SIDE = 512
"""In larger masks, points are searched for on a grid with about this many cells along the longer side."""

_BEFORE = 0.5
"""Distance in pixels from the centre of the first pixel to the photo's left or top edge."""


@dataclass(frozen=True)
class Prompt:
    """A prompt for one object, in pixels of the photo."""

    positive: tuple[Point, ...] = ()
    """Points on the object."""
    negative: tuple[Point, ...] = ()
    """Points outside the object."""
    box: Box | None = None
    """Box (left, top, right, bottom) around the object, through its outermost pixel centres."""
    mask: Tensor | None = None
    """Rough mask (1, 1, H, W) in 0..1, the same size as the photo."""

    def check(self, size: tuple[int, int]) -> Prompt:
        """Return the prompt for a photo of size (width, height), with positions at its edges moved onto its pixels.

        Detectors measure from the pixels' corners, so their boxes may end at the photo's width and height. Raises
        IGRError if the prompt is empty or outside the photo.
        """
        width, height = size
        if not self.positive and self.box is None and self.mask is None:
            raise IGRError("The prompt is empty: add a positive point, a box or a mask.")
        for x, y in (*self.positive, *self.negative):
            if not (-_BEFORE <= x <= width and -_BEFORE <= y <= height):
                raise IGRError(
                    f"The point ({x:g}, {y:g}) is outside the {width}×{height} photo: place the point inside it."
                )
        box = self.box and (*_moved(self.box[:2], size), *_moved(self.box[2:], size))
        if self.box is not None and box is not None:
            left, top, right, bottom = self.box
            near = -_BEFORE <= left and right <= width and -_BEFORE <= top and bottom <= height
            if not (near and box[0] < box[2] and box[1] < box[3]):
                corners = ", ".join(f"{side:g}" for side in self.box)
                raise IGRError(
                    f"The box ({corners}) is empty or outside the {width}×{height} photo: draw the box again."
                )
        if self.mask is not None and tuple(self.mask.shape) != (1, 1, height, width):
            raise IGRError(
                f"The rough mask has shape {tuple(self.mask.shape)}: it must be the same size as the photo, "
                f"(1, 1, {height}, {width})."
            )
        positive, negative = (tuple(_moved(one, size) for one in points) for points in (self.positive, self.negative))
        return replace(self, positive=positive, negative=negative, box=box)


def check_drawn_box(box: Box) -> Box:
    """Return a box that a person specified; raises IGRError if it is too small to be meant in pixels."""
    left, top, right, bottom = box
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        corners = ", ".join(f"{side:g}" for side in box)
        raise IGRError(
            f"The box ({corners}) is less than {LEAST_SIDE} pixels wide or high: specify its left, top, right and "
            "bottom in pixels of the photo."
        )
    return box


def prompt_from_mask(mask: Tensor, use: PromptKind = "box") -> Prompt:
    """A prompt for the object in a mask (1, 1, H, W) in 0..1: its box with a margin, its deepest point, or both.

    Raises IGRError for an empty mask.
    """
    if not bool((mask >= MASK_THRESHOLD).any()):
        raise IGRError("The mask is empty: paint the garment white on black.")
    point = (deepest_point(mask),) if use in ("points", "both") else ()
    return Prompt(positive=point, box=_box_with_margin(mask) if use in ("box", "both") else None)


def deepest_point(mask: Tensor) -> Point:
    """Centre (x, y) of the largest square that fits inside a non-empty mask (1, 1, H, W).

    If there are several such squares, the centre nearest to the mean of all centres is returned.
    """
    return _deepest(mask)[0]


def deepest_reach(mask: Tensor) -> int:
    """Distance in pixels from the centre to the sides of the largest square that fits inside a mask."""
    return _deepest(mask)[1]


def spread_points(mask: Tensor, most: int) -> tuple[Point, ...]:
    """Up to `most` deepest points of a non-empty mask (1, 1, H, W), each outside the squares around the earlier ones.

    Points with less than half the reach of the first are dropped. Large masks are searched on a coarse grid.
    """
    step = max(1, max(mask.shape[-2:]) // _POINTS_SIDE)
    rest = mask[..., ::step, ::step].clone()
    if not bool((rest >= MASK_THRESHOLD).any()):
        step, rest = 1, mask.clone()
    points: list[Point] = []
    least = 0.0
    while len(points) < most and bool((rest >= MASK_THRESHOLD).any()):
        (x, y), reach = _deepest(rest)
        if reach < least:
            break
        points.append((x * step, y * step))
        least = least or reach / 2
        column, row = int(x), int(y)
        rest[..., max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = 0
    return tuple(points)


def _moved(point: Point, size: tuple[int, int]) -> Point:
    """A point, clamped to the centres of a photo's outermost pixels."""
    x, y = (min(max(one, 0.0), side - 1.0) for one, side in zip(point, size, strict=True))
    return (x, y)


def _deepest(mask: Tensor) -> tuple[Point, int]:
    """Centre and reach of the largest square that fits inside a mask (1, 1, H, W)."""
    inside = np.pad((mask[0, 0] >= MASK_THRESHOLD).cpu().numpy(), 1)  # pixels beyond the image are outside
    depth = np.asarray(ndimage.distance_transform_cdt(inside, "chessboard"))[1:-1, 1:-1]  # 1 at a single pixel
    found = np.argwhere(depth == depth.max())  # (N, 2) rows and columns
    row, column = found[np.square(found - found.mean(0)).sum(1).argmin()]
    return (float(column), float(row)), int(depth.max()) - 1


def _box_with_margin(mask: Tensor) -> Box:
    left, top, right, bottom = mask_box(mask)
    across, down = BOX_MARGIN * (right - left), BOX_MARGIN * (bottom - top)
    height, width = mask.shape[-2:]
    return (
        max(left - across, 0.0),
        max(top - down, 0.0),
        min(right - 1 + across, width - 1.0),
        min(bottom - 1 + down, height - 1.0),
    )
