"""Prompts for training a segmenter: visible regions, and clicks, boxes and rough masks of them."""

import pytest
import torch
from torch import Tensor

from training.data.synthetic.painting.canvas import LABELS
from training.small_models.segmenter.prompts import (
    ASKED,
    GARMENTS,
    MASK_LOGIT,
    PADDING,
    boxes,
    clicks,
    label_shares,
    pick_regions,
    rough_masks,
)

GRID, SIDE = 16, 64


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def coverage() -> Tensor:
    """Two photos of three rectangles each, (2, 3, 16, 16)."""
    regions = torch.zeros(2, 3, GRID, GRID)
    for at, (top, left) in enumerate(((1, 1), (2, 7), (8, 3), (4, 4), (9, 9), (0, 10))):
        regions.flatten(0, 1)[at, top : top + 6, left : left + 5] = 1
    return regions


def _shown(coverage: Tensor, points: Tensor) -> Tensor:
    """Coverage (B, P, N) of the cells that contain the points (B, P, N, 2)."""
    cells = ((points + 0.5) / (SIDE / GRID)).long()
    assert bool((cells >= 0).all()) and bool((cells < GRID).all())
    return coverage.flatten(2).gather(2, cells[..., 1] * GRID + cells[..., 0])


def test_regions_are_those_that_the_photo_shows(generator: torch.Generator) -> None:
    parsing = torch.zeros(2, 64, 48, dtype=torch.uint8)
    parsing[0, 8:40, 8:40] = LABELS.index("upper")
    parsing[0, 40:60, 8:40] = LABELS.index("lower")
    parsing[0, 0:8, 0:8] = LABELS.index("face")  # not one of the requested labels
    regions = pick_regions(label_shares(parsing, GRID), 40, generator)
    assert regions.shape == (2, 40, GRID, GRID)
    areas = {round(float(area), 3) for area in regions[0].mean((1, 2))}
    assert areas == {round(32 * 32 / (64 * 48), 3), round(20 * 32 / (64 * 48), 3)}
    assert bool((regions[1] == 1).all())  # nothing but background


def test_shares_are_the_fractions_of_a_cell_by_label() -> None:
    parsing = torch.full((1, 64, 64), LABELS.index("lower"), dtype=torch.uint8)
    parsing[..., :2] = LABELS.index("hair")
    shares = label_shares(parsing, GRID)
    assert shares.shape == (1, len(ASKED), GRID, GRID)
    assert bool((shares[0, ASKED.index("hair"), :, 0] == 0.5).all())
    assert bool((shares.sum(1) == 1).all())
    assert set(GARMENTS) < set(ASKED) <= set(LABELS)


def test_clicks_are_where_they_say(coverage: Tensor, generator: torch.Generator) -> None:
    seen = set()
    for _ in range(20):
        points, labels = clicks(coverage, SIDE, 3, generator)
        assert points.shape == (2, 3, 3, 2) and bool((labels[..., 0] == 1).all())
        shown = _shown(coverage, points)
        assert bool((shown[labels == 1] == 1).all()) and bool((shown[labels == 0] == 0).all())
        seen |= set(labels.flatten().tolist())
    assert seen == {1, 0, PADDING}


def test_a_region_without_a_whole_cell_is_clicked_where_it_shows_most(generator: torch.Generator) -> None:
    thin = torch.full((1, 1, GRID, GRID), 0.1)
    thin[0, 0, 5, 9] = 0.6
    points, labels = clicks(thin, SIDE, 1, generator)
    assert _shown(thin, points).tolist() == [[[pytest.approx(0.6)]]] and labels.tolist() == [[[1]]]


def test_boxes_are_around_the_region(coverage: Tensor, generator: torch.Generator) -> None:
    exact = boxes(coverage, SIDE, generator, jitter=0)
    assert exact[0, 0].tolist() == [3.5, 3.5, 23.5, 27.5]  # cells 1 to 5 and 1 to 6, of 4 pixels
    off = boxes(coverage, SIDE, generator) - exact
    assert 0 < float(off.abs().max()) <= 0.05 * 24


def test_rough_masks_resemble_the_region_but_are_not_it(coverage: Tensor, generator: torch.Generator) -> None:
    coverage = coverage.repeat_interleave(3, -1).repeat_interleave(3, -2)
    logits = rough_masks(coverage, generator)
    assert set(logits.unique().tolist()) == {-MASK_LOGIT, MASK_LOGIT}
    inside, wanted = logits > 0, coverage > 0
    overlap = (inside & wanted).sum((2, 3)) / (inside | wanted).sum((2, 3))
    assert bool((overlap > 0.4).all()) and bool((overlap < 1).all())
