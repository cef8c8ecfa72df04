"""Boxes around garments in the formats of ComfyUI's nodes: one box, a list for all photos, or one list per photo."""

from __future__ import annotations

import math
from typing import Any

from ..errors import IGRError
from ..photo.view import Box


def boxes_of_photos(given: Any, count: int, size: tuple[int, int]) -> list[Box | None]:
    """One box, by its outermost pixel centres, for each of `count` photos of size (width, height); None for no box.

    `given` is a box {x, y, width, height}, a list of boxes that apply to every photo, or a list of such lists, one per
    photo or one for all. If a photo has several boxes, the one with the highest score is used, or the largest if they
    have no scores. Boxes are clipped to the photo, because a detector's box may extend slightly beyond it. Raises
    IGRError if `given` is anything else, if the number of lists differs from the number of photos, or if all boxes for
    a photo are empty or outside the photo.
    """
    lists = _lists(given)
    if len(lists) not in (1, count):
        raise IGRError(
            f"The number of box lists ({len(lists)}) differs from the number of photos ({count}): use one list per "
            f"photo, or one for all photos."
        )
    boxes = [_best(one, size) for one in lists]
    return boxes * count if len(boxes) == 1 else boxes


def _lists(given: Any) -> list[list[Any]]:
    """One list of boxes per photo, or one for all."""
    if not isinstance(given, (list, tuple)):
        return [[given]]
    if given and all(one is None or isinstance(one, (list, tuple)) for one in given):
        return [list(one or ()) for one in given]
    return [list(given)]


def _best(given: list[Any], size: tuple[int, int]) -> Box | None:
    """The box to use for a photo, among those that overlap it."""
    boxes = [(_score(one), _box(one)) for one in given]
    clipped = [(score, _clipped(box, size)) for score, box in boxes]
    seen = [(score, _area(box), box) for score, box in clipped if _area(box) > 0]
    if seen:
        return max(seen, key=lambda one: one[:2])[2]
    if not boxes:
        return None
    corners = ", ".join(f"{side:g}" for side in boxes[0][1])
    raise IGRError(
        f"The box ({corners}) is empty or outside the {size[0]}×{size[1]} photo: connect a box that was detected on "
        "this photo."
    )


def _box(given: Any) -> Box:
    try:
        left, top, width, height = (float(given[name]) for name in ("x", "y", "width", "height"))
    except (TypeError, KeyError, ValueError) as error:
        raise IGRError(
            "The input box is not a bounding box: connect a BOUNDING_BOX with x, y, width and height."
        ) from error
    if not all(map(math.isfinite, (left, top, width, height))):
        raise IGRError("The box contains NaN or infinite values: connect another BOUNDING_BOX.")
    return (left, top, left + width - 1, top + height - 1)


def _score(given: Any) -> float:
    """A detector's score for a box; minus infinity if the box has none."""
    score = given.get("score") if isinstance(given, dict) else None
    return float(score) if isinstance(score, (int, float)) and math.isfinite(score) else -math.inf


def _clipped(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return (max(left, 0.0), max(top, 0.0), min(right, size[0] - 1.0), min(bottom, size[1] - 1.0))


def _area(box: Box) -> float:
    """Area of a box; 0 if it is empty."""
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
