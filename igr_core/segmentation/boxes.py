"""Boxes around garments as ComfyUI's nodes hand them on: one box, those of all photos, or a list of each photo's."""

from __future__ import annotations

import math
from typing import Any

from ..errors import IGRError
from ..photo.view import Box


def boxes_of_photos(given: Any, count: int, size: tuple[int, int]) -> list[Box | None]:
    """The box of each of `count` photos of size (width, height), by its outermost pixels' middles; None for no box.

    `given` is a box {x, y, width, height}, a list of boxes, which belong to every photo, or a list of such lists, one
    per photo or one for all. Of several boxes on a photo the one with the best score counts, without scores the
    largest. Detectors give boxes that stick out a little: they are clipped to the photo. Raises IGRError for anything
    else, for another number of lists than photos, and where all boxes of a photo are empty or outside it.
    """
    lists = _lists(given)
    if len(lists) not in (1, count):
        raise IGRError(f"There are boxes for {len(lists)} photos but {count} photos: give one list per photo, or one.")
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
    """The box that counts on a photo, of those that show something of it."""
    boxes = [(_score(one), _box(one)) for one in given]
    clipped = [(score, _clipped(box, size)) for score, box in boxes]
    seen = [(score, _area(box), box) for score, box in clipped if _area(box) > 0]
    if seen:
        return max(seen, key=lambda one: one[:2])[2]
    if not boxes:
        return None
    corners = ", ".join(f"{side:g}" for side in boxes[0][1])
    raise IGRError(
        f"The box ({corners}) at the input box is empty or outside the photo of {size[0]}×{size[1]}: connect a box "
        "that was found on this photo."
    )


def _box(given: Any) -> Box:
    try:
        left, top, width, height = (float(given[name]) for name in ("x", "y", "width", "height"))
    except (TypeError, KeyError, ValueError) as error:
        raise IGRError("The box is none: connect a BOUNDING_BOX with x, y, width and height.") from error
    if not all(map(math.isfinite, (left, top, width, height))):
        raise IGRError("The box has NaN or infinite sides: connect another BOUNDING_BOX.")
    return (left, top, left + width - 1, top + height - 1)


def _score(given: Any) -> float:
    """How sure a detector is of a box; less than all others where it does not say."""
    score = given.get("score") if isinstance(given, dict) else None
    return float(score) if isinstance(score, (int, float)) and math.isfinite(score) else -math.inf


def _clipped(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return (max(left, 0.0), max(top, 0.0), min(right, size[0] - 1.0), min(bottom, size[1] - 1.0))


def _area(box: Box) -> float:
    """0 for a box without inside."""
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
