"""Cameras: projection and rays agree, and scales are metres."""

import numpy as np
import pytest

from training.data.rendered.studio.scene.cameras import Camera, moved

CAMERA = Camera((0.6, -3.0, 1.4), (0.1, 0.0, 1.0), 34.0, (96, 128), roll=1.5)


def test_what_a_ray_meets_is_projected_onto_the_rays_pixel():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 96, 50), rng.uniform(0, 128, 50)
    points = np.asarray(CAMERA.position) + CAMERA.directions(x, y) * rng.uniform(1, 5, (50, 1))
    back_x, back_y, depth = CAMERA.project(points)
    np.testing.assert_allclose(back_x, x, atol=1e-6)
    np.testing.assert_allclose(back_y, y, atol=1e-6)
    assert (depth > 0).all() and CAMERA.project(2 * np.asarray([CAMERA.position]) - points)[2].max() < 0


def test_right_is_the_persons_left_and_down_is_down():
    camera = Camera((0.0, -3.0, 1.0), (0.0, 0.0, 1.0), 34.0, (96, 128))
    x, y, depth = camera.project(np.array([[0.1, 0.0, 1.0], [0.0, 0.0, 0.9]]))
    assert x[0] > 48 and y[0] == pytest.approx(64)
    assert y[1] > 64 and depth[1] == pytest.approx(3.0)
    assert x[0] - 48 == pytest.approx(0.1 * camera.pixels_per_metre(np.array([0.0, 0.0, 1.0])))


def test_a_moved_camera_sees_the_same_scene_shifted():
    point = np.array([[0.1, 0.0, 1.0]])
    scale = CAMERA.pixels_per_metre(point[0])
    x, y, _ = CAMERA.project(point)
    other_x, other_y, _ = moved(CAMERA, 5 / scale, -3 / scale).project(point)
    assert (x - other_x)[0] == pytest.approx(5) and (y - other_y)[0] == pytest.approx(-3)
