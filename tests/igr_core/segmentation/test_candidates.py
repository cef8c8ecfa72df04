"""Choosing a candidate among masks whose sizes and scores are unrelated."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.segmentation.candidates import CHOICES, Choice, choose

SCORES = torch.tensor([0.3, 0.9, 0.5, 0.95])


@pytest.fixture
def candidates() -> Tensor:
    """A small, a medium and a large mask, and an empty one with the highest score."""
    masks = torch.zeros(4, 1, 6, 8)
    masks[0, :, :1, :2] = 1
    masks[1, :, 2:4, 2:6] = 1
    masks[2, :, 1:, 1:] = 1
    return masks


@pytest.mark.parametrize(("which", "number"), [("best", 1), ("largest", 2), ("smallest", 0)])
def test_one_candidate_is_chosen(candidates: Tensor, which: Choice, number: int) -> None:
    assert torch.equal(choose(candidates, SCORES, which), candidates[number : number + 1])


@pytest.mark.parametrize(("other", "number"), [(0.86, 2), (0.84, 1)])
def test_among_similar_scores_the_larger_mask_is_best(candidates: Tensor, other: float, number: int) -> None:
    scores = torch.tensor([0.88, 0.9, other, 0.95])
    assert torch.equal(choose(candidates, scores), candidates[number : number + 1])


def test_all_of_them_as_one(candidates: Tensor) -> None:
    merged = choose(candidates, SCORES, "merged")
    assert merged.shape == (1, 1, 6, 8) and torch.equal(merged.bool(), candidates.bool().any(0, keepdim=True))


@pytest.mark.parametrize("which", CHOICES)
def test_nothing_found_is_reported(which: Choice) -> None:
    with pytest.raises(IGRError, match="Nothing was found there: click in the middle"):
        choose(torch.zeros(3, 1, 6, 8), SCORES[:3], which)
