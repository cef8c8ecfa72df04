"""Worn garments stay outside the body and keep their topology."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs numba (the extra render)")

from scipy.spatial import cKDTree

from training.data.rendered.garments.lots import draw_cut
from training.data.rendered.garments.tailoring import tailor
from training.data.rendered.garments.wearing import product_shot, wear
from training.data.rendered.people.body import TEMPLATE_SHAPES, Shape, make_body
from training.data.rendered.people.poses import named_pose

BODY = make_body(Shape(gender=1.0, weight=0.6, height=0.6))
POSED = BODY.transforms(named_pose("arms_relaxed", BODY).rotations)


@cache
def clothes():
    rng = np.random.default_rng(0)
    return [tailor(draw_cut(rng, kind, sex="female")) for kind in ("trousers", "tee")]


@cache
def worn():
    return wear(clothes(), BODY, POSED, np.random.default_rng(0), ["other_1", "garment"])


def test_nothing_explodes_or_tears():
    for garment, (surface,) in zip(clothes(), worn(), strict=True):
        assert np.isfinite(surface.vertices).all()
        count = len(garment.fine_faces)
        corners = surface.vertices[surface.faces[:count]]
        length = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
        assert length.max() < 0.06
        assert surface.vertices[:, 2].min() > -0.02


def test_faces_panels_and_uv_are_the_same_in_every_wearing_and_alone():
    tee = clothes()[1]
    shot = product_shot(tee, np.random.default_rng(1))[0]
    other_body = make_body(TEMPLATE_SHAPES["female"])
    pose = other_body.transforms(named_pose("walking", other_body).rotations)
    again = wear([tee], other_body, pose, np.random.default_rng(2))[0][0]
    for surface in (shot, again):
        np.testing.assert_array_equal(surface.faces, worn()[1][0].faces)
        np.testing.assert_array_equal(surface.uv, worn()[1][0].uv)
        np.testing.assert_array_equal(surface.panel, worn()[1][0].panel)
        assert surface.vertices.shape == worn()[1][0].vertices.shape


def test_the_same_seed_gives_the_same_bytes():
    again = wear(clothes(), BODY, POSED, np.random.default_rng(0), ["other_1", "garment"])
    assert all(a[0].vertices.tobytes() == b[0].vertices.tobytes() for a, b in zip(again, worn(), strict=True))


def test_a_garment_that_lies_flat_is_thin():
    tee = clothes()[1]
    ghost = product_shot(tee, np.random.default_rng(1), flat=0.0)[0]
    flat = product_shot(tee, np.random.default_rng(1), flat=1.0)[0]
    assert np.ptp(flat.vertices[:, 1]) < 0.3 * np.ptp(ghost.vertices[:, 1])
    assert np.ptp(flat.vertices[:, 0]) > np.ptp(ghost.vertices[:, 0])


def wobble(garment, surface):
    """(n,) distance in millimetres, in the cloth's plane, between cloth and the best local affine map of its uv."""
    front = np.flatnonzero(garment.panel == 0)
    faces, uv = garment.fine_faces[front], garment.uv[front]
    vertices, first = np.unique(faces, return_index=True)
    flat, place = uv.reshape(-1, 2)[first], surface.vertices[vertices]
    near = cKDTree(flat).query(flat, 25)[1]
    known = np.concatenate([flat[near] - flat[:, None], np.ones((*near.shape, 1))], axis=2)
    transposed = known.transpose(0, 2, 1)
    fit = np.linalg.solve(transposed @ known, transposed @ place[near])  # (n, 3, 3): along u, along v, place
    normals = np.cross(fit[:, 0], fit[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    off = place - fit[:, 2]
    off -= (off * normals).sum(axis=1, keepdims=True) * normals
    return 1000 * np.linalg.norm(off, axis=1)


def test_straight_lines_of_a_print_stay_straight():
    tee = clothes()[1]
    for surface in (product_shot(tee, np.random.default_rng(1), flat=0.0)[0], worn()[1][0]):
        off = wobble(tee, surface)
        assert np.percentile(off, 50) < 0.25
        assert np.percentile(off, 90) < 0.9  # flat pieces fold over in the armpits
