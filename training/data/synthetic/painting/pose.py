"""Poses: five bones (spine, arms, legs) of a standing person, and of the flat garment."""

from dataclasses import dataclass

import numpy as np

from ..art.arrays import Array
from ..art.curves import Bone, bone
from ..garments.parts import FOREARM, HIP_X, LEG_START, SHOULDER, SOLE, UPPER_ARM

ARM_KINDS = ("hanging", "hip", "bent", "raised", "behind", "pocket", "across")


@dataclass(frozen=True)
class Pose:
    """Bones by name, and how the arms are painted."""

    bones: dict[str, Bone]
    arm_kinds: tuple[str, str]  # left, right (of the image)
    arm_front: tuple[bool, bool]  # painted over the torso
    lean: float  # radians
    head_tilt: float
    turn: float  # foreshortening of the torso; 1 is frontal

    def shoulder(self, side: int) -> Array:
        """Position of a shoulder joint in the body plane; side is -1 for left, 1 for right."""
        return self.bones["spine"].forward(np.array([[side * SHOULDER[0], SHOULDER[1]]], np.float32))[0]


def _spine(lean: float, sway: float, turn: float, shift: float) -> Bone:
    knots = [(-0.3, lean * 1.1), (0.1, lean), (0.26, lean * 0.5), (0.42, sway * 0.5), (0.6, sway), (0.9, sway * 1.3)]
    return bone((shift, 0.33), (-0.3, 0.95), knots, 44, anchor=0.33, wide=turn)


def _arm(spine: Bone, side: int, upper: float, fore: float, length: float) -> Bone:
    start = spine.forward(np.array([[side * SHOULDER[0], SHOULDER[1]]], np.float32))[0]
    elbow, bend = UPPER_ARM, 0.024
    knots = [(-0.05, upper), (elbow - bend, upper), (elbow, (upper + fore) / 2), (elbow + bend, fore), (0.4, fore)]
    wide = 0.5 + 0.5 * spine.wide
    return bone((float(start[0]), float(start[1])), (-0.05, UPPER_ARM + FOREARM + 0.09), knots, 38, 0.0, wide, length)


def _leg(spine: Bone, side: int, thigh: float, shin: float) -> Bone:
    start = spine.forward(np.array([[side * HIP_X, LEG_START]], np.float32))[0]
    top = float(np.interp(0.25, spine.s, spine.phi))
    knots = [(0.1, top), (0.31, top), (0.41, thigh), (0.55, thigh), (0.6, shin), (0.95, shin)]
    return bone((float(start[0]), float(start[1])), (0.14, SOLE + 0.04), knots, 46, LEG_START, spine.wide)


def flat_pose(arm: float, leg: float, wide: float = 1.0) -> Pose:
    """Pose of the flat image: upright, with sleeves spread by `arm` and trouser legs by `leg` radians."""
    spine = _spine(0.0, 0.0, wide, 0.0)
    bones = {"spine": spine}
    for name, side in (("l", -1), ("r", 1)):
        bones[f"arm_{name}"] = _arm(spine, side, side * arm, side * arm * 0.9, 1.0)
        bones[f"leg_{name}"] = _leg(spine, side, side * leg, side * leg * 0.8)
    return Pose(bones, ("hanging", "hanging"), (False, False), 0.0, 0.0, wide)


def _arm_angles(rng: np.random.Generator, kind: str) -> tuple[float, float]:
    low_high = {
        "hanging": ((6, 17), (-10, 3)),
        "hip": ((36, 48), (-88, -78)),
        "bent": ((14, 32), (14, 60)),
        "raised": ((48, 78), (10, 70)),
        "behind": ((16, 24), (-44, -32)),
        "pocket": ((17, 24), (-36, -28)),
        "across": ((8, 18), (-104, -80)),
    }[kind]
    upper = float(rng.uniform(*low_high[0]))
    return upper, upper + float(rng.uniform(*low_high[1]))


def draw_pose(rng: np.random.Generator, across: bool = False, turn: float | None = None) -> Pose:
    """Draw a moderate standing pose; `across` puts one forearm over the belly."""
    lean = float(np.radians(np.clip(rng.normal(0, 5.0), -12, 12)))
    wide = float(rng.uniform(0.9, 1.02)) if turn is None else turn
    spine = _spine(lean, float(np.radians(rng.uniform(-4, 4))), wide, 0.0)
    kinds = [ARM_KINDS[int(rng.choice(6, p=[0.4, 0.17, 0.12, 0.09, 0.12, 0.1]))] for _ in range(2)]
    if rng.random() < 0.4:
        kinds[1] = kinds[0]
    chosen = int(rng.integers(2))
    if across:
        kinds[chosen] = "across"
    bones, front = {"spine": spine}, []
    for k, (name, side) in enumerate((("l", -1), ("r", 1))):
        upper, fore = (np.radians(a) * side for a in _arm_angles(rng, kinds[k]))
        tilt = lean * 0.4
        bones[f"arm_{name}"] = _arm(spine, side, upper + tilt, fore + tilt * 0.5, float(rng.uniform(0.92, 1.02)))
        out = float(np.radians(rng.uniform(0, 7)))
        bones[f"leg_{name}"] = _leg(spine, side, side * out, side * out * float(rng.uniform(-0.4, 0.9)))
        toss = bool(rng.random() < 0.5)
        front.append(kinds[k] in ("across", "pocket", "bent") or (kinds[k] == "hanging" and toss))
    tilt = lean * 0.6 + float(np.radians(rng.uniform(-7, 7)))
    return Pose(bones, (kinds[0], kinds[1]), (front[0], front[1]), lean, tilt, wide)
