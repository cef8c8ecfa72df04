"""Joints of a painted person, by OpenPose's names."""

import numpy as np

from ..garments.parts import ANKLE, FOREARM, KNEE, UPPER_ARM
from ..painting.canvas import LABELS
from ..painting.pose import Pose
from ..painting.view import View

Joints = dict[str, tuple[float, float, float]]
HIP = 0.36  # position of the hip joint along the leg and along the spine
_SEEN, _HIDDEN = 0.9, 0.4


def find_joints(pose: Pose, view: View, labels: np.ndarray) -> Joints:
    """Joints inside an image, each as x and y in pixels and a confidence.

    `labels` (h, w) contains the image's indices into LABELS. A joint behind a bag or an object has a lower confidence,
    like a joint that a detector guesses.
    """
    height, width = labels.shape
    on_bone = {"neck": ("spine", 0.0, 0.0), "mid_hip": ("spine", 0.0, HIP)}
    for own, side in (("right", "l"), ("left", "r")):  # the left of the image is the person's right
        arm, leg = f"arm_{side}", f"leg_{side}"
        on_bone |= {f"{own}_shoulder": (arm, 0.0, 0.0), f"{own}_elbow": (arm, 0.0, UPPER_ARM)}
        on_bone |= {f"{own}_wrist": (arm, 0.0, UPPER_ARM + FOREARM), f"{own}_hip": (leg, 0.0, HIP)}
        on_bone |= {f"{own}_knee": (leg, 0.0, KNEE), f"{own}_ankle": (leg, 0.0, ANKLE)}
    body = {name: pose.bones[bone].forward(np.array([[x, y]], np.float32))[0] for name, (bone, x, y) in on_bone.items()}
    body |= _head(pose)
    found: Joints = {}
    for name, point in body.items():
        x, y = (float(v) for v in view.pixels(point[None])[0] * (height / view.height))
        if 0 <= x < width and 0 <= y < height:
            hidden = LABELS[labels[int(y), int(x)]] in ("bag", "object")
            found[name] = (round(x, 2), round(y, 2), _HIDDEN if hidden else _SEEN)
    return found


def _head(pose: Pose) -> dict[str, np.ndarray]:
    base = pose.bones["spine"].forward(np.array([[0, -0.05]], np.float32))[0]
    c, s = np.cos(pose.head_tilt), np.sin(pose.head_tilt)
    places = {"nose": (0.0, -0.045)}
    for own, sign in (("right", -1), ("left", 1)):
        places |= {f"{own}_eye": (sign * 0.018, -0.067), f"{own}_ear": (sign * 0.047, -0.062)}
    return {name: np.array([x * c - y * s, x * s + y * c], np.float32) + base for name, (x, y) in places.items()}
