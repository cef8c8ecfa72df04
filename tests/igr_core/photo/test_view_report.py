"""Text reports on the model's view."""

import dataclasses

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.photo.view import GarmentView, make_view
from igr_core.photo.view_report import report_view

WHOLE, FOCUSED = ViewConfig("whole"), ViewConfig("focused", 0.25)


def seen(view: ViewConfig, *boxes: tuple[int, int, int, int], width: int = 300, height: int = 400) -> GarmentView:
    """A view of one photo per box, at 96×128; each mask is 1 in its box (left, top, right, bottom)."""
    masks = torch.zeros(len(boxes), 1, height, width)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[..., top:bottom, left:right] = 1
    return make_view(torch.rand(len(boxes), 3, height, width), masks, (96, 128), view)


def test_the_measures_of_a_whole_view():
    report = report_view(seen(WHOLE, (100, 100, 200, 250)))
    assert report.text.splitlines() == [
        "No warnings.",
        "The photo is 300×400 pixels; the garment covers 12.5% of it, and its crop is 100×150 pixels at (100, 100).",
        "The model sees all of it, at 96×128 pixels (scale 0.32): 12.5% garment, 0.0% padding.",
    ]


def test_padding_and_the_part_that_a_focused_view_shows_are_reported():
    padded = report_view(seen(WHOLE, (100, 100, 200, 250), height=300))
    assert padded.lines[1].endswith("(scale 0.32): 12.5% garment, 25.0% padding.")
    line = report_view(seen(FOCUSED, (120, 150, 180, 230))).lines[1]
    assert line.startswith("The model sees 100×134 pixels at (100, 123), at 96×128 pixels (scale 0.96")


def test_each_photo_of_a_batch_is_reported():
    report = report_view(seen(WHOLE, (100, 100, 200, 250), (0, 100, 100, 250)))
    assert [line.split(" is ")[0] for line in report.lines[::2]] == ["Photo 1", "Photo 2"]
    (warning,) = report.warnings
    assert warning.startswith("The mask 2 touches the left edge") and report.text.startswith(warning)


def test_one_mask_for_all_is_warned_of_once():
    mask = torch.zeros(1, 1, 400, 300)
    mask[..., 100:250, :100] = 1
    report = report_view(make_view(torch.rand(2, 3, 400, 300), mask, (96, 128), WHOLE))
    assert len(report.lines) == 4 and len(report.warnings) == 1 and report.warnings[0].startswith("The mask touches")


def test_the_category_reaches_the_warnings():
    view = seen(WHOLE, (120, 100, 165, 250))
    assert not report_view(view).warnings and "sideways" in report_view(view, "upper").warnings[0]


def test_a_stored_view_is_refused():
    view = dataclasses.replace(seen(WHOLE, (100, 100, 200, 250)), photo=None, photo_mask=None)
    with pytest.raises(IGRError, match="create the view again with Garment Mask/Crop"):
        report_view(view)
