"""Each photo gets its own box, and invalid boxes are reported in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from igr_core.errors import IGRError
from igr_core.photo.view import Box
from igr_core.segmentation.boxes import boxes_of_photos
from igr_core.segmentation.sam2_prompt import Prompt

SIZE = (60, 80)


def box(x: float, y: float, width: float, height: float, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "width": width, "height": height, **more}


SMALL, LARGE = box(1, 2, 10, 20), box(5, 5, 30, 40)
SMALLS, LARGES = (1.0, 2.0, 10.0, 21.0), (5.0, 5.0, 34.0, 44.0)
TAKEN: dict[str, tuple[Any, list[Box | None]]] = {
    "one box is for all photos": (SMALL, [SMALLS, SMALLS]),
    "so is a list of boxes": ([SMALL, LARGE], [LARGES, LARGES]),
    "so is a list of one list": ([[SMALL, LARGE]], [LARGES, LARGES]),
    "a list per photo": ([[SMALL], [LARGE]], [SMALLS, LARGES]),
    "none on one photo": ([[SMALL, LARGE], []], [LARGES, None]),
    "none on another, said otherwise": ([None, (SMALL,)], [None, SMALLS]),
    "none at all": ([], [None, None]),
    "none in a list": ([[]], [None, None]),
    "the best score": ([box(1, 2, 10, 20, score=0.9), box(5, 5, 30, 40, score=0.4)], [SMALLS, SMALLS]),
    "a score before none": ([box(1, 2, 10, 20, score=0.1), LARGE], [SMALLS, SMALLS]),
    "a score that is none": ([box(1, 2, 10, 20, score="0.9"), LARGE], [LARGES, LARGES]),
    "clipped": (box(-0.3, -4, 99, 84.5), [(0.0, 0.0, 59.0, 79.0)] * 2),
    "the largest of what is on the photo": ([SMALL, box(55, 5, 900, 9)], [SMALLS, SMALLS]),
    "outside beside inside": ([[box(70, 0, 9, 9, score=1), SMALL]], [SMALLS, SMALLS]),
}
REFUSED: dict[str, tuple[Any, str]] = {
    "no box": ("left", "input box is not a bounding box: connect a BOUNDING_BOX"),
    "half a box": ({"x": 1, "y": 2}, "box is not a bounding box"),
    "words": (box(1, 2, 3, 4) | {"x": "left"}, "box is not a bounding box"),
    "boxes and lists": ([SMALL, [LARGE]], "box is not a bounding box"),
    "not a number": (box(1, float("nan"), 3, 4), "NaN or infinite"),
    "outside": (box(70, 0, 9, 9), r"box \(70, 0, 78, 8\) is empty or outside the 60×80 photo"),
    "empty": (box(7, 7, 0, 0), "empty or outside"),
    "three lists": ([[SMALL], [], [LARGE]], r"number of box lists \(3\) differs from the number of photos \(2\)"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_every_photo_gets_its_own_box(case: str) -> None:
    given, wanted = TAKEN[case]
    boxes = boxes_of_photos(given, 2, SIZE)
    assert boxes == wanted
    for one in filter(None, boxes):
        Prompt(box=one).check(SIZE)


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_boxes_are_reported_in_one_sentence(case: str) -> None:
    given, sentence = REFUSED[case]
    with pytest.raises(IGRError, match=sentence):
        boxes_of_photos(given, 2, SIZE)
