"""The marks in a workflow are parsed completely or rejected in one sentence, and become the prompt as drawn."""

from __future__ import annotations

import json

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.segmentation.clicks import MAX_POINTS, Clicks, describe, parse_clicks
from igr_core.segmentation.sam2_prompt import prompt_from_mask

SIZE = (60, 80)
BAD = {
    "no JSON": ("{", "not valid JSON"),
    "deep": ("[" * 100_000, "not valid JSON"),
    "a list": ("[1]", "not valid"),
    "a stranger": ('{"points": []}', "unknown entry 'points'"),
    "no list": ('{"positive": 3}', "positive of the points is not a list"),
    "three numbers": ('{"negative": [[1, 2, 3]]}', "negative of the points is not valid"),
    "words": ('{"positive": [["1", "2"]]}', "positive"),
    "truth": ('{"positive": [[true, 2]]}', "positive"),
    "not a number": ('{"positive": [[NaN, 2]]}', "positive"),
    "infinite": ('{"box": [0, 0, Infinity, 5]}', "box"),
    "huge": (json.dumps({"positive": [[10**400, 2]]}), "positive"),
    "half a box": ('{"box": [1, 2]}', "box"),
    "a size in words": ('{"size": "60x80"}', "size"),
}


@pytest.mark.parametrize("case", BAD)
def test_invalid_marks_are_reported_in_one_sentence(case: str) -> None:
    text, words = BAD[case]
    with pytest.raises(IGRError, match=words):
        parse_clicks(text)


def test_all_marks_become_the_prompt() -> None:
    text = '{"positive": [[1, 2.5]], "negative": [[3, 4]], "box": [0, 0, 9, 9], "size": [60, 80]}'
    clicks = parse_clicks(text)
    assert clicks == Clicks(((1.0, 2.5),), ((3.0, 4.0),), (0.0, 0.0, 9.0, 9.0), SIZE)
    rough = torch.ones(1, 1, 80, 60)
    asked = clicks.prompt(SIZE, rough, (1.0, 1.0, 5.0, 5.0))
    assert (asked.positive, asked.negative, asked.box) == (clicks.positive, clicks.negative, clicks.box)
    assert asked.mask is rough
    assert Clicks(positive=((1.0, 1.0),)).prompt(SIZE, box=(1.0, 1.0, 5.0, 5.0)).box == (1.0, 1.0, 5.0, 5.0)


def test_marks_on_the_edge_of_the_photo_are_moved_onto_its_pixels() -> None:
    asked = parse_clicks('{"positive": [[60, 79.4]], "box": [0, 0, 60, 80]}').prompt(SIZE)
    assert asked.positive == ((59.0, 79.0),) and asked.box == (0.0, 0.0, 59.0, 79.0)


def test_an_empty_text_marks_nothing() -> None:
    assert parse_clicks(" \n") == Clicks()
    for nothing in (Clicks(), Clicks(negative=((1.0, 1.0),))):
        with pytest.raises(IGRError, match="Nothing is marked.*click on the garment"):
            nothing.prompt(SIZE)
    assert Clicks().prompt(SIZE, box=(1.0, 1.0, 5.0, 5.0)).box is not None


def test_fifty_points_are_taken_and_one_more_is_not() -> None:
    points = [[number, number] for number in range(MAX_POINTS)]
    assert len(parse_clicks(json.dumps({"positive": points[:30], "negative": points[30:]})).positive) == 30
    with pytest.raises(IGRError, match="51 points, more than 50"):
        parse_clicks(json.dumps({"positive": points, "negative": [[1, 1]]}))


def test_a_swapped_photo_is_detected() -> None:
    clicks = Clicks(positive=((50.0, 70.0),), size=SIZE)
    clicks.prompt(SIZE)
    with pytest.raises(IGRError, match="60×80 photo, but this one is 80×60: clear"):
        clicks.prompt((80, 60))
    with pytest.raises(IGRError, match=r"point \(50, 70\) is outside"):  # without a size, the pixels are checked
        Clicks(positive=((50.0, 70.0),)).prompt((80, 60))
    assert Clicks(size=SIZE).prompt((80, 60), torch.ones(1, 1, 60, 80)).mask is not None  # no marks were set on it


def test_a_rough_mask_alone_is_used_with_its_box() -> None:
    rough = torch.zeros(1, 1, 80, 60)
    rough[..., 20:41, 10:31] = 1
    box = Clicks(negative=((1.0, 1.0),)).prompt(SIZE, rough).box
    assert box is not None and box == prompt_from_mask(rough).box
    assert Clicks(positive=((15.0, 25.0),)).prompt(SIZE, rough).box is None


def test_the_result_is_described_with_the_chosen_mask() -> None:
    masks = torch.zeros(3, 1, 10, 10)
    masks[0, :, :2, :5], masks[1, :, 5:] = 1, 1
    told = describe(masks, torch.tensor([0.5, 0.25, 0.1]), masks[1][None])
    assert told == ("scores 0.50 (10.0% of the photo), 0.25 (50.0% of the photo, used), 0.10 (0.0% of the photo)")
    assert "taken" not in describe(masks, torch.ones(3), masks.amax(0, keepdim=True))


@pytest.mark.parametrize("box", [(0.31, 0.27, 0.8, 0.74), (5.0, 5.0, 6.9, 30.0), (30.0, 5.0, 10.0, 30.0)])
def test_a_drawn_box_that_is_too_small_for_pixels_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(IGRError, match="is less than 2 pixels wide or high: specify its left, top, right and bottom"):
        Clicks(box=box).prompt(SIZE)
    assert Clicks(box=(5.0, 5.0, 7.0, 7.0)).prompt(SIZE).box == (5.0, 5.0, 7.0, 7.0)
