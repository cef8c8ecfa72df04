"""Guards: bad shots are rejected with their reasons, good ones pass."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.rendered.renderer import require_renderer
from tests.support.rendered.solids import sheet, sphere
from training.data.rendered.studio.scene.cameras import Camera

require_renderer()
pytest.importorskip("mitsuba_oidn", reason="rendering needs the extra `render`")

from training.data.rendered.studio.guards import (  # noqa: E402
    OCCLUDED,
    TRUNCATED,
    garment_shares,
    poking_share,
    reasons,
    through_share,
)
from training.data.rendered.studio.layers import Layer  # noqa: E402
from training.data.rendered.studio.rays.rendering import photograph  # noqa: E402
from training.data.rendered.studio.scene.sets import draw_set  # noqa: E402

CAMERA = Camera((0.0, -3.0, 1.0), (0.0, 0.0, 1.0), 26.0, (96, 128))
BALL = sphere("garment", (0, 0, 1), 0.4)


def _reasons(scene, camera=CAMERA, limits=None):
    shot = photograph(scene, None, camera, 0, samples=4)
    return reasons(shot, scene, camera, *([limits] if limits else []), on_set=False)


def test_a_good_shot_passes():
    assert _reasons([BALL]) == []
    room = draw_set(np.random.default_rng(0))
    assert reasons(photograph([BALL], room, CAMERA, 0, samples=4), [BALL], CAMERA) == []


def test_a_speck_counts_as_poking_through_but_a_hand_does_not():
    hand = [BALL, sphere("skin", (0.1, -0.45, 1.0), 0.06)]
    speck = [BALL, sphere("skin", (0.05, -0.388, 1.0), 0.02)]
    shot = photograph(hand, None, CAMERA, 0, samples=1)
    assert poking_share(shot, CAMERA) == 0
    assert "poke_through" in _reasons(speck)


def _layer(number, surface, crossing=None):
    return Layer(number, surface.faces, np.ones(len(surface.vertices), bool), crossing)


@pytest.mark.parametrize("kind", ["other_1", "skin"])
def test_a_large_area_that_comes_through_the_layer_over_it_is_reported(kind):
    under = sphere(kind, (0, 0, 1), 0.395)
    through = sphere(kind, (0, -0.02, 1), 0.385)
    for below, found in ((under, []), (through, ["wrong_order"])):
        scene = [below, BALL]
        layers = [_layer(0, below), _layer(1, BALL)] if kind != "skin" else [_layer(1, BALL)]
        shot = photograph(scene, None, CAMERA, 0, samples=4)
        assert reasons(shot, scene, CAMERA, on_set=False, layers=layers) == found
    if kind != "skin":  # as if the garment were worn underneath
        scene, layers = [under, BALL], [_layer(1, BALL), _layer(0, under)]
        shot = photograph(scene, None, CAMERA, 0, samples=4)
        assert reasons(shot, scene, CAMERA, on_set=False, layers=layers) == ["wrong_order"]


def test_a_hand_on_the_garment_and_cloth_beside_an_open_edge_are_accepted():
    hand = sphere("skin", (0.1, -0.41, 1.0), 0.06)
    scene = [hand, BALL]
    shot = photograph(scene, None, CAMERA, 0, samples=1)
    assert through_share(shot, scene, CAMERA, [_layer(1, BALL)]) < 0.01
    under = sphere("other_1", (0, -0.02, 1), 0.385)
    beside = Layer(1, BALL.faces, np.zeros(len(BALL.vertices), bool))
    shot = photograph([under, BALL], None, CAMERA, 0, samples=1)
    assert through_share(shot, [under, BALL], CAMERA, [_layer(0, under), beside]) == 0


def test_visible_self_intersections_of_cloth_are_reported():
    shot = photograph([BALL], None, CAMERA, 0, samples=4)
    front = BALL.vertices[BALL.faces][..., 1].max(axis=1) < -0.3
    behind = BALL.vertices[BALL.faces][..., 1].min(axis=1) > 0.3
    for crossing, found in ((front, ["crosses_itself"]), (behind, [])):
        assert reasons(shot, [BALL], CAMERA, on_set=False, layers=[_layer(0, BALL, crossing)]) == found


def test_hidden_and_truncated_garments_are_reported():
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
