"""What a user marks on a photo, as the text that a workflow carries, and a segmenter's answer in words."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import IGRError
from ..photo.view import Box
from .sam2_prompt import Point, Prompt, prompt_from_mask

MAX_POINTS = 50
"""Points of both kinds that one photo takes: SAM 2 was trained with a handful."""

_FORMAT = 'write {"positive": [[x, y]], "negative": [[x, y]], "box": [left, top, right, bottom]} in pixels of the photo'


@dataclass(frozen=True)
class Clicks:
    """Marks on one photo, in its pixels; (0, 0) is the middle of the first one."""

    positive: tuple[Point, ...] = ()
    """Points on what is wanted."""
    negative: tuple[Point, ...] = ()
    """Points on what is not."""
    box: Box | None = None
    """Box (left, top, right, bottom) around what is wanted."""
    size: tuple[int, int] | None = None
    """Width and height of the photo that was marked, where it is known."""

    @property
    def says_something(self) -> bool:
        """Whether there is any mark at all."""
        return bool(self.positive or self.negative or self.box)

    def prompt(self, size: tuple[int, int], rough: Tensor | None = None, box: Box | None = None) -> Prompt:
        """Ask for what is marked on a photo of size (width, height), with a rough mask (1, 1, H, W) and another box.

        A box that was drawn goes before `box`; a rough mask alone is asked for with its own box. Raises IGRError where
        nothing is marked, where the marks belong to a photo of another size, and where they lie outside.
        """
        if self.says_something and self.size is not None and self.size != size:
            was, now = ("{}×{}".format(*sides) for sides in (self.size, size))
            raise IGRError(
                f"The points were set on a photo of {was}, but this one is {now}: clear them in Garment Segment and "
                "click again."
            )
        asked = Prompt(self.positive, self.negative, self.box or box, rough)
        if not asked.positive and asked.box is None and asked.mask is None:
            raise IGRError(
                "Nothing is marked in Garment Segment: click on the garment, drag a box around it, or connect a rough "
                "mask."
            )
        asked.check(size)
        if rough is not None and not asked.positive and asked.box is None:
            return replace(asked, box=prompt_from_mask(rough).box)
        return asked


def parse_clicks(text: str) -> Clicks:
    """Read the points of Garment Segment; an empty text marks nothing. Raises IGRError for what is not understood."""
    if not text.strip():
        return Clicks()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise IGRError(f"The points are no JSON: {_FORMAT}.") from error
    return read_clicks(data)


def read_clicks(data: Any) -> Clicks:
    """Marks from what JSON held; raises IGRError for what is not understood, and for more than MAX_POINTS points."""
    if not isinstance(data, dict):
        raise IGRError(f"The points are not understood: {_FORMAT}.")
    unknown = set(data) - {"positive", "negative", "box", "size"}
    if unknown:
        raise IGRError(f"The points have the unknown entry {str(min(unknown))[:40]!r}: {_FORMAT}.")
    positive, negative = _points(data, "positive"), _points(data, "negative")
    if len(positive) + len(negative) > MAX_POINTS:
        count = len(positive) + len(negative)
        raise IGRError(f"There are {count} points, more than {MAX_POINTS}: take some back in Garment Segment.")
    box, size = data.get("box"), data.get("size")
    corners, sides = None if box is None else _numbers(box, 4, "box"), None
    if size is not None:
        width, height = _numbers(size, 2, "size")
        sides = (round(width), round(height))
    return Clicks(positive, negative, corners, sides)  # pyright: ignore[reportArgumentType]


def describe(candidates: Tensor, scores: Tensor, mask: Tensor) -> str:
    """Scores (M,) and sizes of a segmenter's candidates (M, 1, H, W) in words, and which of them `mask` is."""
    told = []
    for candidate, score in zip(candidates, scores, strict=True):
        taken = ", taken" if torch.equal(candidate, mask[0]) else ""
        told.append(f"{float(score):.2f} ({float(candidate.mean()):.1%} of the photo{taken})")
    return f"scores {', '.join(told)}"


def _points(data: dict[str, Any], name: str) -> tuple[Point, ...]:
    listed = data.get(name, [])
    if not isinstance(listed, list):
        raise IGRError(f"The entry {name} of the points is no list: {_FORMAT}.")
    return tuple(_numbers(one, 2, name) for one in listed)  # pyright: ignore[reportReturnType]


def _numbers(values: Any, count: int, name: str) -> tuple[float, ...]:
    """So many finite numbers."""
    sound = isinstance(values, list) and len(values) == count
    if not sound or not all(_is_number(value) for value in values):
        raise IGRError(f"The entry {name} of the points is not understood: {_FORMAT}.")
    return tuple(float(value) for value in values)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e9 and math.isfinite(value)
