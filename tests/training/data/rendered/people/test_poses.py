"""Poses: diverse, described by attributes, on the floor, and with arms that stay clear of the trunk on every body."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.spatial import cKDTree

from igr_core.errors import IGRError
from training.data.rendered.base.normals import vertex_normals
from training.data.rendered.people.body import TEMPLATE_SHAPES, Body, Shape, draw_shape, make_body, skin
from training.data.rendered.people.joints import joints_of
from training.data.rendered.people.poses import (
    HELD_OUT_POSES,
    POSES,
    TRAINING_POSES,
    draw_pose,
    named_pose,
    product_pose,
)
from training.data.rendered.people.stances import ARMS, LEGS, TRUNKS

SHAPES = (
    TEMPLATE_SHAPES["female"],
    TEMPLATE_SHAPES["male"],
    Shape(gender=1.0, weight=0.85, height=0.35, belly=0.3, bust=0.8, hips=0.8),
    Shape(gender=0.0, weight=0.15, height=0.47, shoulders=-0.5),
)
IN_POCKET = {name for name, kind in POSES.items() if "hand_in_pocket" in kind.attributes}


def depths_in_trunk(body: Body, rotations: dict, side: str) -> np.ndarray:
    """(N,) signed distances in metres of forearm and hand from trunk and legs, negative inside."""
    placed = body.transforms(rotations)
    tights = body.part("tights")
    names = body.model.bones
    arms = [n for n, name in enumerate(names) if name.startswith(("upperarm", "lowerarm", "wrist", "finger"))]
    trunk = tights.weights[:, arms].sum(1) < 0.3
    points = skin(tights.vertices, tights.weights, placed)
    outwards = vertex_normals(points, tights.triangles)
    skinned = body.part("body")
    own = [n for n in arms if names[n].startswith(("lowerarm", "wrist", "finger")) and names[n].endswith(side)]
    arm = skin(skinned.vertices, skinned.weights, placed)[skinned.weights[:, own].sum(1) > 0.8]
    far, nearest = cKDTree(points[trunk]).query(arm)
    signed = np.einsum("ij,ij->i", arm - points[trunk][nearest], outwards[trunk][nearest])
    return np.where((signed < 0) & (far < 0.12), signed, far)


def bodies() -> Iterator[Body]:
    """Bodies of four builds."""
    for shape in SHAPES:
        yield make_body(shape)


def test_8_poses_are_held_out_and_the_others_are_for_training() -> None:
    assert len(POSES) == 60
    assert len(HELD_OUT_POSES) == 8
    assert not set(HELD_OUT_POSES) & set(TRAINING_POSES)
    assert set(HELD_OUT_POSES) | set(TRAINING_POSES) == set(POSES)


def test_no_two_poses_are_the_same_and_every_stance_is_used() -> None:
    assert len(set(POSES.values())) == len(POSES)
    assert set(ARMS) == {name for kind in POSES.values() for name in (kind.left, kind.right)}
    assert set(LEGS) == {kind.legs for kind in POSES.values()}
    assert set(TRUNKS) == {kind.trunk for kind in POSES.values()}


def test_attributes_describe_the_pose() -> None:
    assert "arms_crossed" in POSES["arms_crossed"].attributes
    assert "walking" in POSES["walking"].attributes
    assert "hands_in_front" in POSES["hands_clasped"].attributes
    assert not POSES["arms_down"].attributes


def test_arms_do_not_cut_through_the_trunk() -> None:
    for body in bodies():
        for name in set(POSES) - IN_POCKET:
            rotations = named_pose(name, body).rotations
            deepest = min(depths_in_trunk(body, rotations, side).min() for side in "LR")
            assert deepest > -0.004, (name, body.shape, deepest)


def test_hanging_arms_leave_room_for_sleeves() -> None:
    for body in bodies():
        for name in ("arms_down", "arms_relaxed", "walking", "arms_back"):
            rotations = named_pose(name, body).rotations
            assert min(depths_in_trunk(body, rotations, side).min() for side in "LR") > 0.025, (name, body.shape)


def test_hands_on_hips_touch_the_hips() -> None:
    for body in bodies():
        rotations = named_pose("hands_on_hips", body).rotations
        assert depths_in_trunk(body, rotations, "L").min() < 0.03


def test_both_feet_stand_on_the_floor_when_nobody_walks() -> None:
    for body in bodies():
        for name in ("arms_down", "arms_down_contrapposto", "legs_wide", "arms_relaxed_crossed_legs"):
            found = joints_of(body, body.transforms(named_pose(name, body).rotations))
            assert max(found["left_big_toe"][2], found["right_big_toe"][2]) < 0.05, (name, body.shape)


def test_a_mirrored_pose_is_the_mirror_image() -> None:
    body = make_body(TEMPLATE_SHAPES["male"])
    one = joints_of(body, body.transforms(named_pose("hand_on_hip", body).rotations))
    other = joints_of(body, body.transforms(named_pose("hand_on_hip", body, mirrored=True).rotations))
    for name in ("elbow", "wrist", "knee", "ankle"):
        assert np.abs(one[f"left_{name}"] * [-1, 1, 1] - other[f"right_{name}"]).max() < 0.02, name


def test_drawn_poses_differ_a_little_each_time_and_repeat_with_the_seed() -> None:
    body = make_body(draw_shape(np.random.default_rng(0)))
    first, again, other = (draw_pose(np.random.default_rng(seed), body, ["walking"]) for seed in (1, 1, 2))
    same = [np.array_equal(first.rotations[bone], again.rotations[bone]) for bone in first.rotations]
    moved = [np.allclose(first.rotations[bone], other.rotations[bone], atol=1e-3) for bone in first.rotations]
    assert all(same)
    assert not all(moved)


def test_held_out_poses_are_not_drawn_for_training() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    names = {draw_pose(np.random.default_rng(seed), body).name for seed in range(20)}
    assert not names & set(HELD_OUT_POSES)


def test_rotations_are_proper() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    for turned in named_pose("arms_crossed", body).rotations.values():
        assert np.allclose(turned @ turned.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(turned) == pytest.approx(1)


def test_the_product_pose_is_symmetric_with_arms_out() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    found = joints_of(body, body.transforms(product_pose(body, "upper").rotations))
    assert np.abs(found["left_wrist"] * [-1, 1, 1] - found["right_wrist"]).max() < 0.01
    arm = found["left_wrist"] - found["left_shoulder"]
    assert 18 < np.rad2deg(np.arctan2(arm[0], -arm[2])) < 32


def test_an_unknown_pose_is_named_in_the_error() -> None:
    with pytest.raises(IGRError, match="headstand"):
        draw_pose(np.random.default_rng(0), make_body(TEMPLATE_SHAPES["male"]), ["headstand"])
