"""Brush and eraser on a mask: round lines of the right width, in the order in which they were drawn."""

from __future__ import annotations

import json

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.segmentation.clicks import parse_clicks
from igr_core.segmentation.strokes import Stroke, apply_strokes

EMPTY = torch.zeros(1, 1, 60, 80)


def area(mask: torch.Tensor) -> float:
    return float(mask.sum())


def test_a_dot_is_a_disc_around_its_point() -> None:
    mask = apply_strokes(EMPTY, [Stroke(True, 10, ((40, 30),))])
    assert area(mask) == pytest.approx(3.1416 * 10**2, rel=0.02)
    assert mask[0, 0, 30, 50] == 1 and mask[0, 0, 30, 51] == 0 and mask[0, 0, 20, 40] == 1 and mask[0, 0, 19, 40] == 0


def test_a_line_has_its_width_and_round_ends() -> None:
    mask = apply_strokes(EMPTY, [Stroke(True, 4, ((20, 30), (60, 30)))])
    assert mask[0, 0, 30, 16:65].all() and not mask[0, 0, 30, 15] and not mask[0, 0, 30, 65]
    assert mask[0, 0, :, 40].sum() == 9 and area(mask) == pytest.approx(9 * 40 + 3.1416 * 4**2, rel=0.05)


def test_later_strokes_win_and_the_given_mask_is_kept() -> None:
    brush, eraser = Stroke(True, 9, ((40, 30),)), Stroke(False, 5, ((40, 30),))
    ring, disc = apply_strokes(EMPTY, [brush, eraser]), apply_strokes(EMPTY, [eraser, brush])
    assert ring[0, 0, 30, 40] == 0 and ring[0, 0, 30, 48] == 1 and disc[0, 0, 30, 40] == 1
    assert area(apply_strokes(torch.ones_like(EMPTY), [eraser])) == 60 * 80 - (area(disc) - area(ring))
    assert not EMPTY.any()


def test_strokes_may_leave_the_photo() -> None:
    mask = apply_strokes(EMPTY, [Stroke(True, 6, ((-30, -40), (0, 0), (900, 0))), Stroke(True, 3, ((500, 500),))])
    assert mask[0, 0, :7].all() and not mask[0, 0, 7:, 10:].any()


def test_marks_of_strokes_alone_need_no_segmenter() -> None:
    stroke = {"add": True, "radius": 4, "points": [[5, 5]]}
    assert parse_clicks(json.dumps({"strokes": [stroke]})).is_painted
    assert not parse_clicks(json.dumps({"strokes": [{**stroke, "add": False}]})).is_painted
    assert not parse_clicks(json.dumps({"strokes": [stroke], "positive": [[1, 2]]})).is_painted
    with pytest.raises(IGRError, match="more than 5000 points"):
        parse_clicks(json.dumps({"strokes": [{**stroke, "points": [[5, 5]] * 5001}]}))
