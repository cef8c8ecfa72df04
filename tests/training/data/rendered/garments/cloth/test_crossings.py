"""Faces that cross others are found, and only those."""

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs numba (the extra render)")

from tests.support.rendered.solids import sphere
from training.data.rendered.garments.cloth.crossings import crossing_faces


def _ball(x: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a sphere of 10 cm, sewn up at its seam and poles."""
    made = sphere("garment", (x, 0.0013 + 0.021 * x, 0.0007 + 0.017 * x), 0.1, rings=20)
    vertices, number = np.unique(made.vertices.round(9), axis=0, return_inverse=True)
    faces = number.ravel()[made.faces]
    whole = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return vertices, faces[whole]


def _two(distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Two spheres in one mesh, at the given distance."""
    (points, faces), (others, other_faces) = _ball(0.0), _ball(distance)
    return np.concatenate([points, others]), np.concatenate([faces, other_faces + len(points)])


def test_intact_and_nearby_cloth_does_not_cross():
    for distance in (0.203, 0.3):
        assert not crossing_faces(*_two(distance)).any()


def test_faces_along_the_line_on_which_two_parts_cross_are_found():
    vertices, faces = _two(0.15)
    found = crossing_faces(vertices, faces)
    assert 20 < found.sum() < 0.2 * len(faces)
    middle = vertices[faces[found]].mean(axis=1)
    np.testing.assert_allclose(middle[:, 0], 0.075, atol=0.02)
    ring = np.hypot(middle[:, 1], middle[:, 2])
    np.testing.assert_allclose(ring, np.sqrt(0.1**2 - 0.075**2), atol=0.02)
    assert found[: len(faces) // 2].any() and found[len(faces) // 2 :].any()


def test_the_order_of_faces_and_their_direction_do_not_matter():
    vertices, faces = _two(0.17)
    found = crossing_faces(vertices, faces)
    order = np.random.default_rng(0).permutation(len(faces))
    np.testing.assert_array_equal(crossing_faces(vertices, faces[order][:, ::-1]), found[order])
