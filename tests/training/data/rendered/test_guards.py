"""Guards: bad shots are rejected with their reasons, good ones pass."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.rendered.renderer import require_renderer
from tests.support.rendered.solids import sheet, sphere
from training.data.rendered.studio.cameras import Camera

require_renderer()
pytest.importorskip("mitsuba_oidn", reason="rendering needs the extra `render`")

from training.data.rendered.studio.guards import OCCLUDED, TRUNCATED, garment_shares, poking_share, reasons  # noqa: E402
from training.data.rendered.studio.rays.rendering import photograph  # noqa: E402
from training.data.rendered.studio.sets import draw_set  # noqa: E402

CAMERA = Camera((0.0, -3.0, 1.0), (0.0, 0.0, 1.0), 26.0, (96, 128))
BALL = sphere("garment", (0, 0, 1), 0.4)


def _reasons(scene, camera=CAMERA, limits=None):
    shot = photograph(scene, None, camera, 0, samples=4)
    return reasons(shot, scene, camera, *([limits] if limits else []), on_set=False)


def test_a_good_shot_passes():
    assert _reasons([BALL]) == []
    room = draw_set(np.random.default_rng(0))
    assert reasons(photograph([BALL], room, CAMERA, 0, samples=4), [BALL], CAMERA) == []


def test_a_hand_before_the_garment_is_no_poke_through_but_a_speck_is():
    hand = [BALL, sphere("skin", (0.1, -0.45, 1.0), 0.06)]
    speck = [BALL, sphere("skin", (0.05, -0.388, 1.0), 0.02)]
    shot = photograph(hand, None, CAMERA, 0, samples=1)
    assert poking_share(shot, CAMERA) == 0
    assert "poke_through" in _reasons(speck)


def test_hidden_and_cut_off_garments_are_reported():
    board = [BALL, sheet("other_1", (0.12, -0.5, 1.0), 0.5, 0.9)]
    assert _reasons(board) == ["hidden"] and _reasons(board, limits=OCCLUDED) == []
    aside = replace(CAMERA, position=(0.4, -3.0, 1.0), target=(0.4, 0.0, 1.0))
    assert _reasons([BALL], aside) == ["outside_frame"] and _reasons([BALL], aside, TRUNCATED) == []
    far = replace(CAMERA, position=(0.0, -30.0, 1.0))
    assert _reasons([BALL], far) == ["too_small"]
    visible, in_frame = garment_shares(photograph([BALL], None, CAMERA, 0, samples=1), [BALL], CAMERA)
    assert visible > 0.95 and in_frame == 1


def test_inside_out_cloth_bad_light_and_gaps_in_the_set_are_reported():
    turned = replace(BALL, faces=BALL.faces[:, ::-1].copy(), uv=BALL.uv[:, ::-1].copy())
    assert "inside_out" in _reasons([turned])
    shot = photograph([BALL], None, CAMERA, 0, samples=4)
    assert reasons(shot, [BALL], CAMERA) == ["beyond_set"]
    for factor in (0.1, 4.0):
        spoiled = replace(shot, view=replace(shot.view, light=shot.view.light * factor))
        assert reasons(spoiled, [BALL], CAMERA, on_set=False) == ["exposure"]


@pytest.mark.parametrize("buffer", ["light", "gloss", "paint"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_light_gloss_or_paint_that_is_not_finite_is_rejected(buffer, value):
    shot = photograph([BALL], None, CAMERA, 0, samples=4)
    spoiled = getattr(shot.view, buffer).copy()
    spoiled[5, 7] = value
    view = replace(shot.view, **{buffer: spoiled})
    assert reasons(replace(shot, view=view), [BALL], CAMERA, on_set=False) == ["light"]
