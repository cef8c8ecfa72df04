"""Prompts for each photo of a batch: its own box and rough mask, or those for all photos."""

from __future__ import annotations

import pytest
import torch

from tests.support.nodes.pack import part

prompts = part("nodes.segmentation.prompts")
clicks = part("igr_core.segmentation.clicks")
IGRError = part("igr_core.errors").IGRError
NOTHING = clicks.Clicks()
PHOTOS = torch.zeros(2, 3, 80, 60)
BOX = {"x": 5, "y": 10, "width": 20, "height": 30}


def rough(count: int) -> list[torch.Tensor]:
    """Rough masks (1, 1, H, W), each with a different rectangle."""
    masks = torch.zeros(count, 1, 80, 60)
    for number, mask in enumerate(masks):
        mask[0, 10 : 20 + number, 10:30] = 1
    return list(masks.split(1))


def test_points_are_asked_of_the_one_photo() -> None:
    (asked,) = prompts.prompts_of_photos(PHOTOS[:1], clicks.Clicks(positive=((5.0, 6.0),)), [], None)
    assert asked.positive == ((5.0, 6.0),) and asked.box is None


def test_points_with_a_batch_are_refused() -> None:
    with pytest.raises(
        IGRError, match="marks belong to one photo, but 2 photos are connected: process the photos one at a time"
    ):
        prompts.prompts_of_photos(PHOTOS, clicks.Clicks(negative=((5.0, 6.0),)), [], None)


@pytest.mark.parametrize("count", [1, 2])
def test_rough_masks_are_one_per_photo_or_one_for_all(count: int) -> None:
    masks = rough(count)
    asked = prompts.prompts_of_photos(PHOTOS, NOTHING, masks, None)
    assert [one.mask for one in asked] == [masks[0], masks[-1]]
    assert [one.box is not None for one in asked] == [True, True]  # the mask's own box, if no other prompt is given


def test_another_number_of_rough_masks_is_refused() -> None:
    with pytest.raises(IGRError, match="rough input has 3 masks for 2 photos: provide one mask per photo, or one"):
        prompts.prompts_of_photos(PHOTOS, NOTHING, rough(3), None)


def test_a_drawn_box_takes_precedence_over_a_connected_one() -> None:
    drawn = clicks.Clicks(box=(1.0, 2.0, 9.0, 9.0))
    (asked,) = prompts.prompts_of_photos(PHOTOS[:1], drawn, [], BOX)
    assert asked.box == (1.0, 2.0, 9.0, 9.0)
    (asked,) = prompts.prompts_of_photos(PHOTOS[:1], NOTHING, [], BOX)
    assert asked.box == (5.0, 10.0, 24.0, 39.0)  # to the middle of the last pixel


def test_a_photo_without_a_box_is_named_unless_something_else_tells() -> None:
    boxes = [[BOX], []]
    with pytest.raises(IGRError, match="The box input has no box for photo 2"):
        prompts.prompts_of_photos(PHOTOS, NOTHING, [], boxes)
    assert len(prompts.prompts_of_photos(PHOTOS, NOTHING, rough(2), boxes)) == 2
    with pytest.raises(IGRError, match="The box input has no box for the photo:"):
        prompts.prompts_of_photos(PHOTOS[:1], NOTHING, [], [[]])
    (asked,) = prompts.prompts_of_photos(PHOTOS[:1], clicks.Clicks(positive=((5.0, 6.0),)), [], [[]])
    assert asked.positive == ((5.0, 6.0),)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(IGRError, match="Nothing is marked"):
        prompts.prompts_of_photos(PHOTOS[:1], NOTHING, [], None)


@pytest.mark.parametrize(("shape", "count"), [((8, 6), 1), ((1, 8, 6), 1), ((3, 8, 6), 3)])
def test_a_mask_becomes_one_rough_mask_per_photo(shape: tuple[int, ...], count: int) -> None:
    masks = prompts.rough_masks(torch.ones(shape, dtype=torch.float64))
    assert [one.shape for one in masks] == [(1, 1, 8, 6)] * count and masks[0].dtype == torch.float32


def test_an_empty_rough_mask_is_refused_and_none_is_none() -> None:
    assert prompts.rough_masks(None) == []
    with pytest.raises(IGRError, match="rough mask is empty: paint the garment white"):
        prompts.rough_masks(torch.stack([torch.ones(8, 6), torch.zeros(8, 6)]))


def test_a_rough_mask_without_numbers_or_pixels_is_refused() -> None:
    with pytest.raises(IGRError, match="rough mask contains NaN"):
        prompts.rough_masks(torch.full((1, 8, 6), float("nan")))
    with pytest.raises(IGRError, match=r"rough mask has no pixels \(its shape is \(1, 0, 64\)\)"):
        prompts.rough_masks(torch.zeros(1, 0, 64))
