"""Body joints: common names for OpenPose's 25 and 18 points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

JOINTS_25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
    "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
    "right_small_toe", "right_heel",
)  # fmt: skip
"""OpenPose BODY_25, in order; left and right are the person's."""

JOINTS_18 = tuple(name for name in JOINTS_25[:19] if name != "mid_hip")
"""OpenPose COCO (18 points), in order."""


@dataclass(frozen=True)
class Joint:
    """One detected joint."""

    x: float
    """Pixels from the left of the photo; may be outside it."""
    y: float
    """Pixels from the top of the photo."""
    confidence: float
    """Confidence, 0..1."""


@dataclass(frozen=True)
class Keypoints:
    """The detected joints of one person."""

    joints: Mapping[str, Joint]
    """Joints by their names in JOINTS_25."""

    def has(self, *names: str) -> bool:
        """Whether all of these joints were detected."""
        return all(name in self.joints for name in names)
