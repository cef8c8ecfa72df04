"""Framing: the garment is in the frame, and the person is cropped as the framing's name implies."""

from typing import get_args

import numpy as np
import pytest

from training.data.rendered.studio.framing import FRAMINGS, TRUNCATED, Framing, draw_camera, product_camera

JOINTS = {
    "nose": (0.0, -0.1, 1.6), "neck": (0.0, 0.0, 1.42), "mid_hip": (0.0, 0.0, 0.92),
    "left_knee": (0.1, 0.0, 0.5), "right_knee": (-0.1, 0.0, 0.5),
    "left_ankle": (0.1, 0.0, 0.08), "right_ankle": (-0.1, 0.0, 0.08),
}  # fmt: skip
SIZE = (192, 256)


def _joints() -> dict[str, np.ndarray]:
    return {name: np.array(at) for name, at in JOINTS.items()}


def _cloth(top: float, low: float, half: float = 0.3) -> np.ndarray:
    return np.random.default_rng(0).uniform((-half, -0.12, low), (half, 0.12, top), (400, 3))


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(("top", "low"), [(1.45, 0.8), (1.0, 0.1), (1.45, 0.3)])
def test_the_garment_is_in_the_frame(framing, top, low):
    for seed in range(8):
        camera = draw_camera(np.random.default_rng(seed), framing, _joints(), _cloth(top, low), SIZE)
        x, y, depth = camera.project(_cloth(top, low))
        assert x.min() >= 0 and x.max() <= SIZE[0] and y.min() >= 0 and y.max() <= SIZE[1]
        assert depth.min() > 0.5 and camera.position[2] > 0


def test_framings_show_and_cut_what_they_name():
    cloth, joints = _cloth(1.4, 0.9), _joints()
    places = np.stack([joints["nose"] + (0, 0, 0.15), joints["nose"], joints["left_knee"], joints["left_ankle"]])
    for seed in range(8):
        y = {
            one: draw_camera(np.random.default_rng(seed), one, joints, cloth, SIZE).project(places)[1]
            for one in FRAMINGS
        }
        assert y["full_body"][0] > 0 and y["full_body"][3] < SIZE[1]
        assert y["three_quarter"][0] > 0 and y["three_quarter"][3] > SIZE[1]
        assert y["waist_up"][0] > 0 and y["waist_up"][2] > SIZE[1]
        assert y["cropped_head"][1] < 2
    assert set(get_args(Framing)) == set(FRAMINGS)


def test_truncated_photos_cut_off_a_part_of_the_garment():
    cloth = _cloth(1.4, 0.8)
    for seed in range(12):
        camera = draw_camera(np.random.default_rng(seed), "waist_up", _joints(), cloth, SIZE, truncated=True)
        x, y, _ = camera.project(cloth)
        outside = ((x < 0) | (x > SIZE[0]) | (y < 0) | (y > SIZE[1])).mean()
        assert TRUNCATED[0] - 0.02 <= outside <= TRUNCATED[1] + 0.1


def test_side_views_are_taken_from_the_side():
    for side, least, most in ((False, 0, 36), (True, 58, 87)):
        for seed in range(8):
            camera = draw_camera(np.random.default_rng(seed), "full_body", _joints(), _cloth(1.4, 0.8), SIZE, side=side)
            yaw = np.rad2deg(np.arctan2(camera.position[0] - camera.target[0], camera.target[1] - camera.position[1]))
            assert least <= abs(yaw) <= most


def test_every_product_shot_is_filled_to_the_same_fraction():
    for cloth in (_cloth(1.4, 0.8), _cloth(1.0, 0.1, 0.2)):
        x, y, _ = product_camera(cloth, SIZE).project(cloth)
        filled = max(np.ptp(x) / SIZE[0], np.ptp(y) / SIZE[1])
        assert filled == pytest.approx(0.86, abs=0.01)
        assert x.min() + x.max() == pytest.approx(SIZE[0], abs=1) and y.min() + y.max() == pytest.approx(SIZE[1], abs=1)
