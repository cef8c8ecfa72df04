"""Cloth falls, keeps its lengths, rests on bodies, and does so the same way every time."""

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs numba (the extra render)")

from training.data.rendered.garments.base.meshes import triangles_of
from training.data.rendered.garments.cloth.draping import Collider, Settle, drape, make_springs

SETTLE = Settle(steps=120, passes=8, gravity=4.0, damping=0.97)


@pytest.fixture
def cloth() -> tuple[np.ndarray, np.ndarray]:
    """A flat square of 40 cm at z = 0.3."""
    x, y = np.meshgrid(np.linspace(-0.2, 0.2, 21), np.linspace(-0.2, 0.2, 21))
    points = np.stack([x.ravel(), y.ravel(), np.full(441, 0.3)], axis=1)
    corner = (np.arange(20)[:, None] * 21 + np.arange(20)).ravel()
    return points, triangles_of(np.stack([corner, corner + 1, corner + 22, corner + 21], axis=1))


def ball() -> Collider:
    direction = np.random.default_rng(0).normal(size=(3000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return Collider(direction * 0.15, direction, np.full(3000, 0.004), 0.12)


def fallen(cloth, seed: int = 0, contacts=(), held=()) -> np.ndarray:
    points, faces = cloth
    free = np.ones(len(points))
    free[list(held)] = 0
    rng = np.random.default_rng(seed)
    return drape(points, points, make_springs(faces), 0.05, np.ones(len(points)), free, list(contacts), SETTLE, rng)


def test_cloth_over_a_ball_hangs_around_it_and_stays_outside(cloth):
    place = fallen(cloth, contacts=[(np.ones(441, bool), ball())])
    assert np.linalg.norm(place, axis=1).min() > 0.15
    assert place[:, 2].max() < 0.17
    assert place[0, 2] < 0.1


def test_held_vertices_do_not_move_and_edges_hardly_stretch(cloth):
    points, faces = cloth
    place = fallen(cloth, held=(0, 20))
    np.testing.assert_array_equal(place[[0, 20]], points[[0, 20]])
    edges = make_springs(faces).along
    length = np.linalg.norm(place[edges[:, 0]] - place[edges[:, 1]], axis=1)
    rest = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    assert place[:, 2].min() < 0.1
    assert np.percentile(length / rest, 95) < 1.15


def test_the_same_seed_gives_the_same_bytes(cloth):
    contacts = [(np.ones(441, bool), ball())]
    first, second = fallen(cloth, 3, contacts), fallen(cloth, 3, contacts)
    assert first.tobytes() == second.tobytes()
    assert fallen(cloth, 4, contacts).tobytes() != first.tobytes()
