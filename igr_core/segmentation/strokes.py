"""Strokes of a brush and an eraser on a mask, as the click editor draws them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .sam2_prompt import Point


@dataclass(frozen=True)
class Stroke:
    """One stroke: a line through points, with round ends."""

    add: bool
    """True for the brush, which adds to the mask; False for the eraser."""
    radius: float
    """Half the width of the line in pixels of the photo."""
    points: tuple[Point, ...]
    """Points (x, y) of the line in pixels of the photo; (0, 0) is the centre of the first pixel."""


def apply_strokes(mask: Tensor, strokes: Iterable[Stroke]) -> Tensor:
    """Apply strokes in order to a mask (1, 1, H, W) in 0..1; the result is a new tensor."""
    result = mask.clone()
    for stroke in strokes:
        ends = stroke.points[1:] or stroke.points
        for start, end in zip(stroke.points, ends, strict=False):
            _draw(result[0, 0], start, end, stroke.radius, float(stroke.add))
    return result


def _draw(mask: Tensor, start: Point, end: Point, radius: float, value: float) -> None:
    """Set the pixels (H, W) within `radius` of the line between two points."""
    height, width = mask.shape
    left, right = _range(start[0], end[0], radius, width)
    top, bottom = _range(start[1], end[1], radius, height)
    if left >= right or top >= bottom:
        return
    x = torch.arange(left, right, dtype=torch.float32, device=mask.device) - start[0]  # (w,)
    y = (torch.arange(top, bottom, dtype=torch.float32, device=mask.device) - start[1])[:, None]  # (h, 1)
    across, down = end[0] - start[0], end[1] - start[1]
    length = across**2 + down**2
    along = ((x * across + y * down) / length).clamp(0, 1) if length else torch.zeros_like(x + y)  # (h, w)
    inside = (x - along * across) ** 2 + (y - along * down) ** 2 <= radius**2
    mask[top:bottom, left:right][inside] = value


def _range(one: float, other: float, radius: float, length: int) -> tuple[int, int]:
    """First pixel that a line can reach along one axis, and the pixel after the last."""
    return max(int(min(one, other) - radius), 0), min(int(max(one, other) + radius) + 2, length)
