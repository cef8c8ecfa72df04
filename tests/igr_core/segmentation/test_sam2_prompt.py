"""Prompts for a mask: its box, its deepest point, or both."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.segmentation.sam2_prompt import BOX_MARGIN, Prompt, deepest_point, prompt_from_mask


def box_mask(size: tuple[int, int], box: tuple[int, int, int, int]) -> Tensor:
    left, top, right, bottom = box
    mask = torch.zeros(1, 1, size[1], size[0])
    mask[..., top:bottom, left:right] = 1
    return mask


def test_box_of_a_mask_has_a_margin_and_stays_inside() -> None:
    prompt = prompt_from_mask(box_mask((200, 100), (50, 10, 150, 60)))
    assert prompt.positive == () and prompt.negative == () and prompt.mask is None
    assert prompt.box == pytest.approx((50 - BOX_MARGIN * 100, 10 - BOX_MARGIN * 50, 149 + 2, 59 + 1))
    assert prompt_from_mask(torch.ones(1, 1, 100, 200)).box == (0, 0, 199, 99)
    prompt_from_mask(box_mask((200, 100), (199, 99, 200, 100))).check((200, 100))  # one pixel in the corner


def test_deepest_point_of_known_shapes() -> None:
    assert deepest_point(box_mask((200, 100), (50, 10, 151, 61))) == (100, 35)
    assert deepest_point(box_mask((20, 20), (7, 9, 8, 10))) == (7, 9)
    assert deepest_point(torch.ones(1, 1, 31, 31)) == (15, 15)
    y, x = torch.meshgrid(torch.arange(120), torch.arange(120), indexing="ij")
    disc = ((x - 40) ** 2 + (y - 70) ** 2 <= 25**2)[None, None].float()
    assert deepest_point(disc) == (40, 70)
    bar_and_blob = torch.maximum(box_mask((120, 120), (0, 60, 120, 64)), box_mask((120, 120), (80, 20, 101, 41)))
    assert deepest_point(bar_and_blob) == (90, 30)
    ring = ((x - 60) ** 2 + (y - 60) ** 2 <= 50**2) & ((x - 60) ** 2 + (y - 60) ** 2 >= 30**2)
    column, row = map(int, deepest_point(ring[None, None].float()))
    assert ring[row - 6 : row + 7, column - 6 : column + 7].all()  # the middle of a ring is not in it


def test_deepest_point_is_exact_in_a_large_photo() -> None:
    mask = torch.ones(1, 1, 5000, 4001)  # 20 million pixels: float32 cannot count them exactly
    assert deepest_point(mask)[0] == 2000 and abs(deepest_point(mask)[1] - 2499.5) <= 0.5


def test_which_prompt_a_mask_becomes() -> None:
    mask = box_mask((200, 100), (50, 10, 151, 61))
    box, point, both = (prompt_from_mask(mask, use) for use in ("box", "points", "both"))
    assert box.box is not None and not box.positive
    assert point.box is None and point.positive == ((100, 35),)
    assert both == Prompt(positive=point.positive, box=box.box)
    with pytest.raises(IGRError, match=r"^The mask is empty: paint the garment white on black\.$"):
        prompt_from_mask(torch.zeros(1, 1, 8, 8))


def test_what_lies_on_the_edge_of_the_photo_is_moved_onto_its_pixels() -> None:
    """Detectors write the box 0 0 60 90 for the whole of a 60×90 photo."""
    assert Prompt(box=(0, 0, 60, 90)).check((60, 90)).box == (0, 0, 59, 89)
    assert Prompt(box=(-0.5, -0.3, 59.7, 90)).check((60, 90)).box == (0, 0, 59, 89)
    on_edge = Prompt(((95.4, 127.4), (96.0, 128.0)), ((-0.5, 3.0),)).check((96, 128))
    assert on_edge.positive == ((95, 127), (95, 127)) and on_edge.negative == ((0, 3),)
    inside = Prompt(((1.5, 2.0),), box=(3.0, 4.0, 59.0, 89.0))
    assert inside.check((60, 90)) == inside.check((60, 90)).check((60, 90)) == inside


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(((60.1, 3.0),)),
        Prompt(((3.0, -0.6),)),
        Prompt(((3.0, float("nan")),)),
        Prompt(box=(0.0, 0.0, 60.1, 90.0)),
        Prompt(box=(-1.0, 0.0, 30.0, 90.0)),
        Prompt(box=(59.2, 0.0, 60.0, 90.0)),
        Prompt(box=(30.0, 9.0, 20.0, 80.0)),
        Prompt(box=(0.0, 9.0, 20.0, float("nan"))),
    ],
)
def test_what_is_outside_the_photo_or_empty_is_refused(prompt: Prompt) -> None:
    with pytest.raises(IGRError, match="outside the 60×90 photo"):
        prompt.check((60, 90))
