"""Sets and lights: panels, reproducibility, and that no camera looks past them."""

import numpy as np
import pytest

from training.data.rendered.studio.scene.lights import (
    ENVIRONMENT_SIZE,
    MOODS,
    SoftBox,
    draw_light,
    environment_directions,
    light_of,
)
from training.data.rendered.studio.scene.sets import draw_set, product_set

ALL = sorted({mood for moods in MOODS.values() for mood in moods})


def test_a_set_is_the_same_for_the_same_seed_and_they_vary():
    first, again = draw_set(np.random.default_rng(3), 10.0), draw_set(np.random.default_rng(3), 10.0)
    assert first.environment.tobytes() == again.environment.tobytes() and first.panels == again.panels
    found = {(room.name, room.mood) for room in (draw_set(np.random.default_rng(seed)) for seed in range(80))}
    assert {name for name, _ in found} == set(MOODS) and len(found) > 14


def test_panels_are_numbered_from_the_first_and_contain_the_uv():
    for seed in range(20):
        room = draw_set(np.random.default_rng(seed), first_panel=7)
        assert len(room.panels) == len(room.surfaces)
        for number, (surface, panel) in enumerate(zip(room.surfaces, room.panels, strict=True), 7):
            assert set(surface.panel) == {number} and surface.kind == panel.kind in ("wall", "floor")
            left, top, right, low = panel.box
            assert surface.uv[..., 0].min() >= left - 1e-4 and surface.uv[..., 0].max() <= right + 1e-4
            assert surface.uv[..., 1].min() >= top and surface.uv[..., 1].max() <= low + 1e-4


def test_uv_are_metres_and_walls_face_the_camera():
    for seed in range(20):
        for surface in draw_set(np.random.default_rng(seed), yaw=20.0, floor=-0.1).surfaces:
            corners, flat = surface.vertices[surface.faces], surface.uv
            sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1)
            np.testing.assert_allclose(
                np.linalg.norm(flat - np.roll(flat, 1, axis=1), axis=-1), sides, rtol=1e-4, atol=1e-4
            )
            across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            towards = np.array([0.0, 0.0, 1.2]) - corners.mean(axis=1)
            assert ((across * towards).sum(axis=1) > 0).all()
            assert surface.vertices[:, 2].min() == pytest.approx(-0.1, abs=0.11)


@pytest.mark.parametrize("mood", ALL)
def test_lights_are_finite_and_bright_where_their_lamps_are(mood):
    directions, _ = environment_directions()
    for seed in range(4):
        environment, lamps = draw_light(np.random.default_rng(seed), mood)
        assert environment.shape == (*ENVIRONMENT_SIZE, 3) and np.isfinite(environment).all() and environment.min() >= 0
        for lamp in lamps:
            at = (directions @ lamp.direction).argmax()
            assert environment.reshape(-1, 3)[at].mean() > np.median(environment.mean(axis=-1))


def test_a_soft_box_sends_its_share_to_a_card_that_faces_it():
    directions, areas = environment_directions()
    box = SoftBox(aside=40, up=20, width=15, height=20, share=0.8)
    environment, (lamp,) = light_of(0.0, 0.0, [box])
    card = (environment.mean(axis=-1) * np.clip(directions @ lamp.direction, 0, None) * areas).sum() / np.pi
    assert card == pytest.approx(0.8, rel=0.01)
    assert lamp.direction[0] > 0 and lamp.direction[1] < 0 and lamp.direction[2] > 0
    _, (turned,) = light_of(0.0, 0.0, [box], yaw=-40)
    assert turned.direction[0] == pytest.approx(0, abs=1e-6)


def test_product_shots_have_light_and_no_walls():
    room = product_set()
    assert room.surfaces == () and room.panels == () and room.environment.min() > 0
