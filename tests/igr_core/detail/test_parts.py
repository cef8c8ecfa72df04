"""Sleeves and legs, found by the outline of a flat garment."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from igr_core.detail.parts import garment_parts
from igr_core.detail.report import describe, invented_regions

SIDES = ("left", "right")


def blank() -> Tensor:
    return torch.zeros(1, 120, 90)


def tee() -> Tensor:
    """A body of columns 25 to 65 with sleeves that reach to the columns 10 and 80, in the upper third."""
    alpha = blank()
    alpha[:, 10:110, 25:65] = 1
    alpha[:, 14:45, 10:80] = 1
    return alpha


def long_sleeves() -> Tensor:
    """Sleeves that hang beside the body, with a gap below the armpits."""
    alpha = tee()
    alpha[:, 40:100, 10:18] = alpha[:, 40:100, 72:80] = 1
    return alpha


def trousers() -> Tensor:
    alpha = blank()
    alpha[:, 10:45, 25:65] = 1
    alpha[:, 45:110, 22:42] = 1
    alpha[:, 45:106, 48:68] = 1
    return alpha


def skirt() -> Tensor:
    """Wider from row to row, with a slit at its hem."""
    alpha = blank()
    for row in range(20, 100):
        alpha[:, row, 40 - (row - 20) // 3 : 50 + (row - 20) // 3] = 1
    alpha[:, 94:, 44:46] = 0
    return alpha


def jumpsuit() -> Tensor:
    alpha = trousers()
    alpha[:, 4:60, 28:62] = 1
    alpha[:, 6:20, 14:76] = 1
    return alpha


@pytest.mark.parametrize(
    ("garment", "names"),
    [
        (tee(), {"left sleeve", "right sleeve"}),
        (long_sleeves(), {"left sleeve", "right sleeve"}),
        (trousers(), {"left leg", "right leg"}),
        (skirt(), set()),
        (jumpsuit(), {"left sleeve", "right sleeve", "left leg", "right leg"}),
        (blank(), set()),
    ],
    ids=["tee", "long sleeves", "trousers", "skirt", "jumpsuit", "nothing"],
)
def test_only_the_parts_that_a_garment_has_are_named(garment: Tensor, names: set[str]) -> None:
    assert set(garment_parts(garment)) == names


def test_sleeves_end_at_the_body_and_legs_at_the_crotch() -> None:
    sleeves = garment_parts(long_sleeves())
    left = torch.zeros(120, 90, dtype=torch.bool)
    left[14:45, 10:25] = left[45:100, 10:18] = True
    assert (sleeves["left sleeve"] & left).sum() / (sleeves["left sleeve"] | left).sum() > 0.9
    legs = garment_parts(trousers())
    assert bool(legs["right leg"][60, 50]) and not legs["right leg"][30, 50] and not legs["right leg"][60, 30]
    assert int(legs["left leg"].nonzero()[:, 0].min()) == pytest.approx(45, abs=2)


@pytest.mark.parametrize("side", SIDES)
def test_a_hidden_sleeve_is_named_and_its_mirror_image_too(side: str) -> None:
    garment = tee()
    visible = garment.clone()
    visible[:, 14:45, 10:25] = 0
    if side == "right":
        garment, visible = garment.flip(-1), visible.flip(-1)
    assert invented_regions(visible, garment) == [f"{side} sleeve"]
    assert describe(visible, garment) == f"9% of the garment was not visible, mostly the {side} sleeve."


def test_a_hidden_sleeve_and_part_of_the_body_are_both_named() -> None:
    garment = tee()
    visible = garment.clone()
    visible[:, 14:45, 65:] = 0
    visible[:, 77:, 25:40] = 0
    assert invented_regions(visible, garment) == ["right sleeve", "bottom left"]
