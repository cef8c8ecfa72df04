"""Corrupted masks reach the target IoU, depend only on the seed, and report targets that cannot be reached."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from igr_core.errors import IGRError
from igr_core.photo.masks import holes
from training.data.caches.drawn import HELD_OUT_START
from training.data.synthetic import make_pair
from training.robustness.corruptions import KINDS, LEVELS, TOLERANCE, corrupt, mask_overlap

CATEGORIES = ("upper", "lower", "full")


@pytest.fixture(scope="module")
def masks() -> list[np.ndarray]:
    """Clean masks of drawn photos, at least one per category."""
    pairs = [make_pair(HELD_OUT_START + number, (144, 192), category=c) for number in (0, 7) for c in CATEGORIES]
    return [np.asarray(pair.garment_mask) > 127 for pair in pairs]


def plain(side: int = 80) -> np.ndarray:
    """A mask that needs no generator: a disc with a gap below, away from the border."""
    ys, xs = np.mgrid[:side, :side] - side // 2
    return (np.hypot(ys, xs) < 0.3 * side) & ((ys < 0) | (abs(xs) > ys / 4))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_the_overlap_is_the_requested_one(masks: list[np.ndarray], kind: str, level: float) -> None:
    for mask in [plain(), *masks]:
        found = corrupt(mask, kind, level, seed=3)
        assert found.reached and abs(found.overlap - level) <= TOLERANCE
        assert found.overlap == mask_overlap(found.mask, mask) and found.mask.dtype == bool
        assert 0 < found.strength < 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_mask(kind: str) -> None:
    one, again, other = (corrupt(plain(), kind, 0.8, seed).mask for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one == other).all() == (kind in ("erosion", "dilation")), "these two have nothing to draw"


def test_each_kind_does_what_its_name_says() -> None:
    mask = plain()
    found = {kind: corrupt(mask, kind, 0.7, seed=5).mask for kind in KINDS}
    assert not (found["erosion"] & ~mask).any() and not (found["holes"] & ~mask).any()
    assert not (mask & ~found["dilation"]).any()
    assert found["shift"].sum() == pytest.approx(mask.sum(), rel=0.05)


@pytest.mark.parametrize("level", LEVELS)
def test_holes_are_enclosed_by_the_mask(level: float) -> None:
    mask = np.concatenate([plain(), plain()[20:40]])  # up to the photo's border
    corrupted = torch.from_numpy(corrupt(mask, "holes", level, seed=4).mask)[None, None]
    assert torch.equal(corrupted | holes(corrupted), torch.from_numpy(mask)[None, None]), "filling them mends the mask"


def test_a_lower_overlap_continues_the_corruption_of_a_higher_one() -> None:
    mild, rough = (corrupt(plain(), "holes", level, seed=4).mask for level in (0.9, 0.6))
    assert not (rough & ~mild).any()


def test_targets_that_cannot_be_reached_are_reported() -> None:
    nearly_all = np.ones((40, 40), bool)
    nearly_all[0] = False
    found = corrupt(nearly_all, "dilation", 0.5, seed=0)
    assert not found.reached and found.mask.all() and found.overlap == pytest.approx(39 / 40)
    speck = np.zeros((40, 40), bool)
    speck[20, 20:22] = True
    assert not corrupt(speck, "holes", 0.5, seed=0).reached, "no room for a hole"


def test_an_empty_mask_and_an_unknown_kind_are_refused() -> None:
    with pytest.raises(IGRError, match="mask is empty"):
        corrupt(np.zeros((8, 8), bool), "erosion", 0.9, seed=0)
    with pytest.raises(IGRError, match="kind of corruption 'blur': choose erosion, dilation"):
        corrupt(plain(), "blur", 0.9, seed=0)
