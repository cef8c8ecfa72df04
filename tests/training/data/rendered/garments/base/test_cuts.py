"""Cuts are drawn as a shop stocks them, and held-out ones are never trained on."""

import numpy as np
import pytest

from igr_core.errors import IGRError
from training.data.rendered.garments.base.cuts import KINDS, held_out_cut
from training.data.rendered.garments.lots import draw_cut, draw_kind

ALL_KINDS = [(category, kind) for category, kinds in KINDS.items() for kind in kinds]


@pytest.mark.parametrize(("category", "kind"), ALL_KINDS)
def test_every_kind_has_cuts_for_training_and_held_out_ones(category, kind):
    rng = np.random.default_rng(0)
    for _ in range(10):
        cut = draw_cut(rng, kind)
        assert (cut.kind, cut.category) == (kind, category)
        assert not held_out_cut(cut)
        assert held_out_cut(draw_cut(rng, kind, held_out=True))


@pytest.mark.parametrize(("category", "kind"), ALL_KINDS)
def test_cuts_stay_within_what_can_be_sewn(category, kind):
    rng = np.random.default_rng(1)
    for _ in range(20):
        cut = draw_cut(rng, kind)
        assert 0 < cut.ease < 0.08
        assert -0.5 < cut.length <= 3.0
        assert (cut.sleeve == "none") == (cut.sleeve_length == 0)
        assert cut.top == (cut.neckline != "none")


def test_the_same_generator_draws_the_same_cut():
    assert draw_cut(np.random.default_rng(5), "tee") == draw_cut(np.random.default_rng(5), "tee")


def test_tops_are_mostly_tees():
    rng = np.random.default_rng(0)
    kinds = [draw_kind(rng, "upper") for _ in range(600)]
    assert max(set(kinds), key=kinds.count) == "tee"
    assert set(kinds) == set(KINDS["upper"])


def test_an_unknown_kind_or_category_is_refused():
    with pytest.raises(IGRError, match="Unknown kind"):
        draw_cut(np.random.default_rng(0), "cape")
    with pytest.raises(IGRError, match="Unknown category"):
        draw_kind(np.random.default_rng(0), "hat")
