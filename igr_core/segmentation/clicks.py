"""Read the user's marks on a photo from the text stored in a workflow, and describe the segmenter's result."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import IGRError
from ..photo.view import Box
from .sam2_prompt import Point, Prompt, check_drawn_box, prompt_from_mask
from .strokes import Stroke

MAX_POINTS = 50
"""Maximum number of positive and negative points on one photo; SAM 2 was trained with only a few."""
MAX_STROKE_POINTS = 5000
"""Maximum number of points in all strokes on one photo."""
MAX_RADIUS = 2000
"""Maximum radius of a stroke in pixels."""

_FORMAT = 'write {"positive": [[x, y]], "negative": [[x, y]], "box": [left, top, right, bottom]} in pixels of the photo'


@dataclass(frozen=True)
class Clicks:
    """Marks on one photo, in pixels; (0, 0) is the centre of the first pixel."""

    positive: tuple[Point, ...] = ()
    """Points on the garment."""
    negative: tuple[Point, ...] = ()
    """Points outside the garment."""
    box: Box | None = None
    """Box (left, top, right, bottom) around the garment."""
    size: tuple[int, int] | None = None
    """Width and height of the photo that was marked, if known."""
    strokes: tuple[Stroke, ...] = ()
    """Strokes of the brush and the eraser on the mask, in the order in which they were drawn."""

    @property
    def has_marks(self) -> bool:
        """Whether there are any marks."""
        return bool(self.positive or self.negative or self.box or self.strokes)

    @property
    def is_painted(self) -> bool:
        """Whether the mask is painted entirely by hand, so that no segmenter is needed."""
        return not self.positive and self.box is None and any(stroke.add for stroke in self.strokes)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise IGRError if the marks belong to a photo whose size is not (width, height)."""
        if self.has_marks and self.size is not None and self.size != size:
            was, now = ("{}×{}".format(*sides) for sides in (self.size, size))
            raise IGRError(
                f"The marks belong to a {was} photo, but this one is {now}: clear them in Garment Segment, and mark "
                "the garment again."
            )

    def prompt(self, size: tuple[int, int], rough: Tensor | None = None, box: Box | None = None) -> Prompt:
        """The prompt for a photo of size (width, height), with an optional rough mask (1, 1, H, W) and box.

        A drawn box takes precedence over `box`; a rough mask on its own is combined with its bounding box. Raises
        IGRError if nothing is marked, if the marks belong to a photo of a different size, if they are outside the
        photo, or if the drawn box is too small to be meant in pixels.
        """
        self.check_size(size)
        if self.box is not None:
            check_drawn_box(self.box)
        asked = Prompt(self.positive, self.negative, self.box or box, rough)
        if not asked.positive and asked.box is None and asked.mask is None:
            raise IGRError(
                "Nothing is marked in Garment Segment: click on the garment, drag a box around it, paint it, or "
                "connect a rough mask."
            )
        asked = asked.check(size)
        if rough is not None and not asked.positive and asked.box is None:
            return replace(asked, box=prompt_from_mask(rough).box)
        return asked


def parse_clicks(text: str) -> Clicks:
    """Parse the `points` of Garment Segment; an empty string means no marks. Raises IGRError for invalid text."""
    if not text.strip():
        return Clicks()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise IGRError(f"The points are not valid JSON: {_FORMAT}.") from error
    return read_clicks(data)


def read_clicks(data: Any) -> Clicks:
    """Marks from parsed JSON; raises IGRError for invalid values and for more than MAX_POINTS points."""
    if not isinstance(data, dict):
        raise IGRError(f"The points are not valid: {_FORMAT}.")
    unknown = set(data) - {"positive", "negative", "box", "size", "strokes"}
    if unknown:
        raise IGRError(f"The points have the unknown entry {str(min(unknown))[:40]!r}: {_FORMAT}.")
    positive, negative = _points(data, "positive"), _points(data, "negative")
    if len(positive) + len(negative) > MAX_POINTS:
        count = len(positive) + len(negative)
        raise IGRError(f"There are {count} points, more than {MAX_POINTS}: remove some in Garment Segment.")
    box, size = data.get("box"), data.get("size")
    corners, sides = None if box is None else _numbers(box, 4, "box"), None
    if size is not None:
        width, height = _numbers(size, 2, "size")
        sides = (round(width), round(height))
    return Clicks(positive, negative, corners, sides, _strokes(data))  # pyright: ignore[reportArgumentType]


def describe(candidates: Tensor, scores: Tensor, mask: Tensor) -> str:
    """Describe a segmenter's candidates (M, 1, H, W): their scores (M,) and areas, and which one is `mask`."""
    parts = []
    for candidate, score in zip(candidates, scores, strict=True):
        used = ", used" if torch.equal(candidate, mask[0]) else ""
        parts.append(f"{float(score):.2f} ({float(candidate.mean()):.1%} of the photo{used})")
    return f"scores {', '.join(parts)}"


def _points(data: dict[str, Any], name: str) -> tuple[Point, ...]:
    listed = data.get(name, [])
    if not isinstance(listed, list):
        raise IGRError(f"The entry {name} of the points is not a list: {_FORMAT}.")
    return tuple(_numbers(one, 2, name) for one in listed)  # pyright: ignore[reportReturnType]


def _strokes(data: dict[str, Any]) -> tuple[Stroke, ...]:
    listed = data.get("strokes", [])
    if not isinstance(listed, list) or not all(_is_stroke(one) for one in listed):
        raise IGRError(f"The entry strokes of the points is not valid: {_FORMAT}.")
    strokes = tuple(
        Stroke(one["add"], _numbers([one["radius"]], 1, "strokes")[0], _points(one, "points")) for one in listed
    )
    if not all(0 < stroke.radius <= MAX_RADIUS for stroke in strokes):
        raise IGRError(
            f"The radius of a stroke is not between 0 and {MAX_RADIUS} pixels: clear the mask and paint it again."
        )
    if sum(len(stroke.points) for stroke in strokes) > MAX_STROKE_POINTS:
        raise IGRError(f"The strokes have more than {MAX_STROKE_POINTS} points: clear the mask and paint it again.")
    return strokes


def _is_stroke(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"add", "radius", "points"}:
        return False
    return isinstance(value["add"], bool) and bool(value["points"])


def _numbers(values: Any, count: int, name: str) -> tuple[float, ...]:
    """Check that `values` are `count` finite numbers; raises IGRError otherwise."""
    sound = isinstance(values, list) and len(values) == count
    if not sound or not all(_is_number(value) for value in values):
        raise IGRError(f"The entry {name} of the points is not valid: {_FORMAT}.")
    return tuple(float(value) for value in values)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e9 and math.isfinite(value)
