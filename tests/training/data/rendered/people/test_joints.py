"""Joints: all 25 by OpenPose's names, at the right places on the body, and moved with it."""

from __future__ import annotations

import numpy as np

from training.data.contract.keypoints import JOINTS_25
from training.data.rendered.people.body import TEMPLATE_SHAPES, make_body
from training.data.rendered.people.joints import joints_of
from training.data.rendered.people.poses import named_pose


def test_all_joints_of_openpose_are_named() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    assert set(joints_of(body, body.transforms({}))) == set(JOINTS_25)


def test_joints_are_at_their_positions_at_rest() -> None:
    body = make_body(TEMPLATE_SHAPES["male"])
    found = joints_of(body, body.transforms({}))
    order = (
        "left_eye",
        "nose",
        "neck",
        "left_elbow",
        "left_wrist",
        "mid_hip",
        "left_knee",
        "left_ankle",
        "left_big_toe",
    )
    heights = [found[name][2] for name in order]
    assert heights[:3] == sorted(heights[:3], reverse=True)
    assert heights[5:] == sorted(heights[5:], reverse=True)
    assert found["nose"][1] < found["left_eye"][1] < found["left_ear"][1]
    assert abs(found["nose"][0]) < 0.004
    assert found["left_big_toe"][1] < found["left_ankle"][1] < found["left_heel"][1]
    assert found["left_small_toe"][0] > found["left_big_toe"][0] + 0.03


def test_left_and_right_are_the_persons_own_and_symmetric_at_rest() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    found = joints_of(body, body.transforms({}))
    for name, place in found.items():
        if name.startswith("left_"):
            other = found[name.replace("left_", "right_")]
            assert place[0] > 0.02
            assert np.abs(place * [-1, 1, 1] - other).max() < 0.006, name


def test_joints_move_with_the_pose() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    rest = joints_of(body, body.transforms({}))
    raised = joints_of(body, body.transforms(named_pose("hand_in_hair", body).rotations))
    assert raised["left_wrist"][2] > rest["left_ear"][2]
    assert raised["right_wrist"][2] < rest["neck"][2]
