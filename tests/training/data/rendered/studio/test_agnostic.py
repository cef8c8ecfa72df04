"""Label maps, masks and joints of a photo."""

import numpy as np
import pytest

from igr_core.segmentation.labels import ATR
from tests.support.rendered.renderer import require_renderer
from tests.support.rendered.solids import sphere
from training.data.rendered.studio.scene.cameras import Camera

require_renderer()
pytest.importorskip("mitsuba_oidn", reason="rendering needs the extra `render`")

from training.data.rendered.studio.agnostic import (  # noqa: E402
    agnostic_mask,
    atr_labels,
    kind_mask,
    seen_joints,
    seen_points,
)
from training.data.rendered.studio.rays.rendering import photograph  # noqa: E402

CAMERA = Camera((0.0, -4.0, 0.9), (0.0, 0.0, 0.9), 30.0, (96, 128))
JOINTS = {
    "nose": (0, -0.1, 1.6), "neck": (0, 0, 1.42), "mid_hip": (0, 0, 0.92),
    "left_shoulder": (0.18, 0, 1.4), "left_elbow": (0.35, 0, 1.2), "left_wrist": (0.5, 0, 1.0),
    "right_shoulder": (-0.18, 0, 1.4), "right_elbow": (-0.35, 0, 1.2), "right_wrist": (-0.5, 0, 1.0),
    "left_hip": (0.1, 0, 0.9), "left_knee": (0.12, 0, 0.5), "left_ankle": (0.13, 0, 0.08),
    "right_hip": (-0.1, 0, 0.9), "right_knee": (-0.12, 0, 0.5), "right_ankle": (-0.13, 0, 0.08),
    "left_big_toe": (0.14, -0.15, 0.03), "right_big_toe": (-0.14, -0.15, 0.03),
}  # fmt: skip


@pytest.fixture(scope="module")
def joints():
    return {name: np.array(at, float) for name, at in JOINTS.items()}


@pytest.fixture(scope="module")
def shot():
    scene = [
        sphere("garment", (0, 0, 1.15), 0.2), sphere("other_1", (0, 0, 0.8), 0.15), sphere("skin", (0, 0, 1.58), 0.1),
        sphere("hair", (0, 0.05, 1.66), 0.1), sphere("skin", (0.5, 0, 1.0), 0.05), sphere("skin", (-0.5, 0, 1.0), 0.05),
        sphere("skin", (0.12, 0, 0.4), 0.06), sphere("skin", (-0.12, 0, 0.4), 0.06),
        sphere("shoe", (0.13, -0.05, 0.05), 0.06), sphere("shoe", (-0.13, -0.05, 0.05), 0.06),
        sphere("bag", (0.4, -0.2, 0.7), 0.08),
    ]  # fmt: skip
    return photograph(scene, None, CAMERA, 0, samples=1)


def test_parts_of_the_body_are_reported_by_the_nearest_bone(shot, joints):
    labels = atr_labels(shot, joints, CAMERA, {"garment": "upper-clothes", "other_1": "pants"})
    places = {
        "face": (0, 0, 1.54), "hair": (0, 0, 1.74), "upper-clothes": (0, 0, 1.15), "pants": (0, 0, 0.8),
        "left-arm": (0.5, 0, 1.0), "right-arm": (-0.5, 0, 1.0), "left-leg": (0.12, 0, 0.4),
        "right-leg": (-0.12, 0, 0.4), "left-shoe": (0.13, 0, 0.05), "right-shoe": (-0.13, 0, 0.05),
        "bag": (0.4, -0.2, 0.7), "background": (0.4, 0, 0.2),
    }  # fmt: skip
    x, y, _ = CAMERA.project(np.array(list(places.values()), float))
    found = [ATR.labels[labels[int(row), int(column)]] for row, column in zip(y, x, strict=True)]
    assert found == list(places)


def test_the_agnostic_mask_covers_garment_and_limbs_but_not_hands(shot, joints):
    garment = kind_mask(shot.view, "garment")
    for category, covered, free in (
        ("upper", ["left_elbow", "right_elbow"], ["left_knee", "nose"]),
        ("lower", ["left_knee", "right_knee"], ["left_elbow", "nose"]),
        ("full", ["left_knee", "left_elbow"], ["nose", "left_big_toe"]),
    ):
        mask = agnostic_mask(garment, joints, CAMERA, category)
        assert set(np.unique(mask)) == {0, 255} and (mask[garment > 0] == 255).all()
        for names, value in ((covered, 255), (free, 0)):
            x, y, _ = CAMERA.project(np.stack([joints[name] for name in names]))
            assert (mask[y.astype(int), x.astype(int)] == value).all()
    hand = CAMERA.project(np.array([[0.56, 0.0, 0.92]]))
    assert agnostic_mask(garment, joints, CAMERA, "upper")[int(hand[1][0]), int(hand[0][0])] == 0


def test_joints_outside_the_frame_are_skipped_and_hidden_joints_have_less_confidence(shot, joints):
    found = seen_joints(
        {**joints, "left_ear": np.array([3.0, 0, 1.6]), "right_ear": np.array([0, 1.0, 1.15])}, CAMERA, shot
    )
    assert "left_ear" not in found and found["right_ear"][2] < 1
    assert found["nose"][2] == 1 and found["left_wrist"][0] > found["neck"][0]


def test_pixels_have_their_positions_in_the_world(shot):
    points = seen_points(shot, CAMERA)[kind_mask(shot.view, "garment") > 0]
    np.testing.assert_allclose(np.linalg.norm(points - (0, 0, 1.15), axis=1), 0.2, atol=2e-3)
