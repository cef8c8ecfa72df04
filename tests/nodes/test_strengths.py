"""Factors per level become the strength of every transformer block."""

from __future__ import annotations

import pytest

from tests.support.nodes.pack import part

strengths = part("nodes.strengths")
config = part("igr_core.model.config")
IGRError = part("igr_core.errors").IGRError
UNET = config.UNetConfig()
"""SD1.5 has four levels; the coarsest has attention only in the middle block."""


@pytest.mark.parametrize(
    ("text", "factors"),
    [("", ()), (" ", ()), ("1", (1.0,)), ("1, 0.5,0", (1.0, 0.5, 0.0)), ("1 2 3", (1.0, 2.0, 3.0)), ("1e-1", (0.1,))],
)
def test_numbers_are_read_with_commas_or_blanks(text: str, factors: tuple[float, ...]) -> None:
    assert strengths.parse_factors(text) == factors


@pytest.mark.parametrize("text", ["one", "1; 2", "-1", "1, nan", "inf", "0x1", "1,,a", "11", "1e308"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(IGRError, match="enter numbers from 0 to 10, separated by commas"):
        strengths.parse_factors(text)


def test_without_factors_every_block_has_the_strength() -> None:
    given = strengths.block_strengths(UNET, 0.7, ())
    assert len(given) == 16 and set(given.values()) == {0.7}


def test_each_level_has_its_own_factor_the_finest_first() -> None:
    given = strengths.block_strengths(UNET, 2.0, (1.0, 0.5, 0.25, 0.0))
    assert {name.split(".attentions")[0]: strength for name, strength in given.items()} == {
        "down_blocks.0": 2.0,
        "down_blocks.1": 1.0,
        "down_blocks.2": 0.5,
        "mid_block": 0.0,
        "up_blocks.1": 0.5,
        "up_blocks.2": 1.0,
        "up_blocks.3": 2.0,
    }


@pytest.mark.parametrize("factors", [(1.0,), (1.0, 1.0, 1.0), (1.0,) * 5])
def test_another_number_of_factors_is_refused_with_the_right_one(factors: tuple[float, ...]) -> None:
    with pytest.raises(IGRError, match=r"numbers?, but this model has 4 levels: enter one number per level"):
        strengths.block_strengths(UNET, 1.0, factors)
