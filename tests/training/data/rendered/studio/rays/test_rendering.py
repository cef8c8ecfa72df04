"""Photographs: labels, uv, light and scale of simple scenes."""

from dataclasses import replace

import numpy as np
import pytest

from igr_core.errors import IGRError
from tests.support.rendered.renderer import require_renderer
from tests.support.rendered.solids import sheet, sphere
from training.data.rendered.base.views import SUBSAMPLES
from training.data.rendered.studio.scene.cameras import Camera

require_renderer()
pytest.importorskip("mitsuba_oidn", reason="rendering needs the extra `render`")

from training.data.rendered.studio.rays.rendering import WHITE_CARD, photograph  # noqa: E402
from training.data.rendered.studio.scene.sets import draw_set  # noqa: E402

CAMERA = Camera((0.0, -3.0, 1.0), (0.0, 0.0, 1.0), 30.0, (48, 64))


def test_uv_is_the_position_of_each_pixel_on_the_panel():
    shot = photograph([sheet("garment", (0, 0, 1), 1.0, 1.2)], None, CAMERA, 0, samples=4)
    seen = shot.surface == 0
    y, x = np.nonzero(seen)
    rays = CAMERA.directions(x + 0.5, y + 0.5)
    hits = np.asarray(CAMERA.position) + rays * (-CAMERA.position[1] / rays[:, 1])[:, None]
    np.testing.assert_allclose(shot.view.uv[seen], np.stack([hits[:, 0], 1 - hits[:, 2]], axis=1), atol=1e-4)
    np.testing.assert_allclose(shot.depth[seen], 3.0, atol=1e-3)
    assert np.isnan(shot.view.uv[~seen]).all() and np.isinf(shot.depth[~seen]).all()
    assert shot.view.pixels_per_metre == pytest.approx(np.sqrt(seen.sum() / 1.2), rel=0.03)


def test_labels_are_smooth_at_edges_and_identify_what_is_visible():
    scene = [sphere("garment", (0, 0, 1), 0.4), sphere("skin", (0, -0.5, 1.2), 0.1)]
    view = photograph(scene, None, CAMERA, 0, samples=4).view
    kinds = {view.table[number].kind for number in np.unique(view.labels) if number != 255}
    assert kinds == {"garment", "skin"} and view.labels[0, 0] == 255
    share = (view.labels != 255).mean()
    # the area that the two spheres truly cover; the smaller one is entirely in front of the larger one
    assert share == pytest.approx(np.pi * (0.4 * CAMERA.focal / np.sqrt(9 - 0.16)) ** 2 / (48 * 64), rel=0.01)
    blocks = view.labels.reshape(64, SUBSAMPLES, 48, SUBSAMPLES)
    assert (blocks.min(axis=(1, 3)) != blocks.max(axis=(1, 3))).sum() > 40


def test_the_inside_of_cloth_has_a_label_of_its_own():
    turned = sheet("garment", (0, 0, 1), 0.8, 0.8)
    turned = replace(turned, faces=turned.faces[:, ::-1].copy(), uv=turned.uv[:, ::-1].copy())
    view = photograph([turned], None, CAMERA, 0, samples=4).view
    assert view.table[view.labels[96, 72]].inside


def test_a_white_card_is_as_bright_in_any_light():
    for seed in range(6):
        room = None if seed == 0 else draw_set(np.random.default_rng(seed))
        shot = photograph([sheet("garment", (0, -0.1, 1), 0.3, 0.3)], room, CAMERA, seed)
        assert shot.view.light[shot.surface == 0].mean() == pytest.approx(WHITE_CARD, abs=0.1)


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads():
    import drjit

    scene, room = [sphere("garment", (0, 0, 1), 0.4)], draw_set(np.random.default_rng(1))
    first = photograph(scene, room, CAMERA, 7)
    drjit.set_thread_count(2)
    again, other = photograph(scene, room, CAMERA, 7), photograph(scene, room, CAMERA, 8)
    drjit.set_thread_count(1)
    for name in ("labels", "uv", "light", "gloss", "paint"):
        assert getattr(first.view, name).tobytes() == getattr(again.view, name).tobytes()
    assert first.view.light.tobytes() != other.view.light.tobytes()


def test_a_sphere_above_the_floor_darkens_it():
    room = draw_set(np.random.default_rng(2))
    camera = Camera((0.0, -3.0, 1.5), (0.0, 0.0, 0.1), 30.0, (48, 64))
    alone = photograph([sphere("garment", (0, 0, 3.5), 0.1)], room, camera, 0).view.light
    below = photograph([sphere("garment", (0, 0, 0.3), 0.25)], room, camera, 0)
    x, y, _ = camera.project(np.array([[0.0, -0.2, 0.0]]))
    at = int(y[0]), int(x[0])
    assert below.surface[at] > 0
    assert below.view.light[at].mean() < 0.9 * alone[at].mean()


def test_nothing_to_photograph_is_reported():
    with pytest.raises(IGRError, match="at least one surface"):
        photograph([], None, CAMERA, 0)
    broken = sphere("garment", (0, 0, 1), 0.4)
    with pytest.raises(IGRError, match="not finite"):
        photograph([replace(broken, vertices=broken.vertices * np.nan)], None, CAMERA, 0)
