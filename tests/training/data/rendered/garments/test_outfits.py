"""Outfits are complete and identify the requested garment."""

from collections import Counter

import numpy as np
import pytest

from igr_core.errors import IGRError
from training.data.rendered.garments.base.cuts import held_out_cut
from training.data.rendered.garments.lots import draw_cut
from training.data.rendered.garments.outfits import complete, draw_outfit


@pytest.mark.parametrize("category", ["upper", "lower", "full"])
@pytest.mark.parametrize("held_out", [False, True])
def test_a_person_is_dressed_above_and_below(category, held_out):
    rng = np.random.default_rng(0)
    for _ in range(30):
        outfit = draw_outfit(rng, category, held_out)
        assert outfit.cut.category == category
        assert held_out_cut(outfit.cut) == held_out
        covered = {cut.category for cut in outfit.cuts}
        assert covered == {"full"} or covered == {"upper", "lower"}
        assert outfit.kinds.count("garment") == 1
        assert outfit.kinds[outfit.wanted] == "garment"
        assert len({cut.sex for cut in outfit.cuts}) == 1


def test_a_tucked_top_is_put_on_first():
    rng = np.random.default_rng(1)
    outfits = [draw_outfit(rng, "upper") for _ in range(60)]
    tucked = [outfit for outfit in outfits if outfit.tucked]
    assert tucked
    assert all(outfit.cuts[0].top and not outfit.cuts[1].top for outfit in tucked)


def test_an_open_front_shows_a_top_beneath():
    rng = np.random.default_rng(2)
    for _ in range(200):
        outfit = draw_outfit(rng, "upper")
        if outfit.cut.front == "open":
            assert [cut.top for cut in outfit.cuts] == [False, True, True]
            return
    pytest.fail("no open front in 200 outfits")


def test_an_unknown_category_is_refused():
    with pytest.raises(IGRError, match="Unknown category"):
        draw_outfit(np.random.default_rng(0), "hat")


def test_other_clothes_complete_a_given_cut():
    cut = draw_cut(np.random.default_rng(0), "jeans", sex="male")
    outfits = [complete(np.random.default_rng(seed), cut) for seed in range(8)]
    assert all(outfit.cut is cut and len(outfit.cuts) == 2 for outfit in outfits)
    assert all(other.top and other.sex == "male" for outfit in outfits for other in outfit.cuts if other is not cut)


@pytest.mark.parametrize("held_out", [False, True])
def test_training_outfits_contain_no_held_out_cut_and_held_out_ones_contain_many(held_out: bool) -> None:
    held = Counter()
    for seed in range(1500):
        outfit = draw_outfit(np.random.default_rng(seed), ("upper", "lower", "full")[seed % 3], held_out)
        assert held_out_cut(outfit.cut) == held_out
        held.update(held_out_cut(cut) for cut in outfit.cuts if cut is not outfit.cut)
    assert held[held_out] > 900 and (held[True] == 0 if not held_out else held[False] < 0.1 * held[True])
