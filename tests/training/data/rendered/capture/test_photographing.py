"""People only have poses that their clothes allow."""

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs numba (the extra render)")

from training.data.rendered.capture.photographing import poses_in
from training.data.rendered.garments.lots import draw_cut
from training.data.rendered.garments.outfits import complete
from training.data.rendered.people.poses import HELD_OUT_POSES, POSES, TRAINING_POSES


def _stances(kind: str, names: tuple[str, ...]) -> set[str]:
    rng = np.random.default_rng(3)
    outfit = complete(rng, draw_cut(rng, kind))
    return {POSES[name].legs for name in poses_in(outfit, names)}


@pytest.mark.parametrize("names", [TRAINING_POSES, HELD_OUT_POSES])
@pytest.mark.parametrize("kind", ["pencil_skirt", "sheath_dress"])
def test_people_in_narrow_skirts_do_not_stride(kind, names):
    stances = _stances(kind, names)
    assert stances and not stances & {"walk", "stride", "wide"}


@pytest.mark.parametrize("kind", ["trousers", "pleated_skirt", "maxi_dress", "mini_skirt"])
def test_people_walk_in_all_other_clothes(kind):
    assert {"walk", "stride", "wide"} <= _stances(kind, TRAINING_POSES)


def test_hands_are_in_pockets_of_trousers_only():
    rng = np.random.default_rng(0)
    for kind, expected in (("jeans", True), ("a_line_skirt", False)):
        names = poses_in(complete(rng, draw_cut(rng, kind)), TRAINING_POSES)
        assert any("hand_in_pocket" in POSES[name].attributes for name in names) == expected
