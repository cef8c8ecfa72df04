"""Named poses of people in fashion photos: catalogue stances, hands on the body, walking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from igr_core.errors import IGRError

from .body import Body
from .posing import solve
from .stances import ARMS, LEGS, TRUNKS, ArmStance, LegStance, TrunkStance


@dataclass(frozen=True)
class PoseKind:
    """A pose, defined by the names of its stances."""

    left: str
    """Left arm, one of ARMS."""
    right: str
    """Right arm."""
    legs: str
    """One of LEGS."""
    trunk: str = "straight"
    """One of TRUNKS."""

    @property
    def attributes(self) -> frozenset[str]:
        """Tags of the pose: hands_in_front, hand_on_hip, arms_crossed, hand_in_pocket, walking, ..."""
        return ARMS[self.left].attributes | ARMS[self.right].attributes | LEGS[self.legs].attributes


@dataclass(frozen=True)
class Pose:
    """A pose as rotations of bones."""

    name: str
    """Name in POSES, or `product`."""
    rotations: Mapping[str, np.ndarray]
    """(3, 3) by bone, for Body.transforms."""
    attributes: frozenset[str] = frozenset()
    """Tags of the pose: hands_in_front, arms_crossed, hand_in_pocket, walking, legs_apart, ..."""
    mirrored: bool = False
    """Whether left and right are swapped compared with POSES."""


POSES: Mapping[str, PoseKind] = {
    "arms_down": PoseKind("down", "down", "parallel"),
    "arms_down_apart": PoseKind("down", "down", "apart"),
    "arms_down_close": PoseKind("down", "down", "close"),
    "arms_down_contrapposto": PoseKind("down", "down", "contrapposto", "leaning"),
    "arms_relaxed": PoseKind("relaxed", "relaxed", "parallel"),
    "arms_relaxed_turned": PoseKind("relaxed", "relaxed", "step", "turned"),
    "arms_relaxed_hip_out": PoseKind("relaxed", "relaxed", "hip_out"),
    "arms_relaxed_crossed_legs": PoseKind("relaxed", "relaxed", "crossed"),
    "arms_away": PoseKind("away", "away", "parallel"),
    "arms_away_apart": PoseKind("away", "away", "apart"),
    "arms_wide": PoseKind("wide", "wide", "apart"),
    "arms_back": PoseKind("back", "back", "contrapposto", "proud"),
    "hand_on_hip": PoseKind("hip", "relaxed", "contrapposto"),
    "hand_on_hip_turned": PoseKind("hip", "down", "step", "turned"),
    "hand_on_hip_hip_out": PoseKind("down", "hip", "hip_out", "leaning"),
    "hand_on_hip_aside": PoseKind("hip", "away", "crossed", "looks_aside"),
    "hands_on_hips": PoseKind("hip", "hip", "apart"),
    "hands_on_hips_contrapposto": PoseKind("hip", "hip", "contrapposto"),
    "hand_on_waist": PoseKind("waist", "relaxed", "hip_out", "leaning"),
    "hands_on_waist": PoseKind("waist", "waist", "close"),
    "hand_on_hip_back": PoseKind("hip_back", "relaxed", "contrapposto", "turned"),
    "hands_on_hips_back": PoseKind("hip_back", "hip_back", "apart", "proud"),
    "hand_on_belly": PoseKind("belly", "down", "parallel"),
    "hand_on_belly_contrapposto": PoseKind("belly", "relaxed", "contrapposto", "looks_down"),
    "hand_on_chest": PoseKind("chest", "relaxed", "contrapposto"),
    "hands_clasped": PoseKind("clasped_over", "clasped_under", "close"),
    "hands_clasped_contrapposto": PoseKind("clasped_over", "clasped_under", "contrapposto", "leaning"),
    "hand_holds_wrist": PoseKind("holds_wrist", "clasped_under", "crossed"),
    "arms_crossed": PoseKind("crossed_over", "crossed_under", "parallel"),
    "arms_crossed_apart": PoseKind("crossed_over", "crossed_under", "apart", "proud"),
    "arms_crossed_hip_out": PoseKind("crossed_over", "crossed_under", "hip_out", "turned"),
    "hand_in_pocket": PoseKind("pocket", "down", "contrapposto"),
    "hand_in_pocket_step": PoseKind("pocket", "relaxed", "step", "looks_aside"),
    "hands_in_pockets": PoseKind("pocket", "pocket", "apart"),
    "hands_in_pockets_crossed_legs": PoseKind("pocket", "pocket", "crossed", "looks_down"),
    "hands_in_back_pockets": PoseKind("back_pocket", "back_pocket", "parallel"),
    "pocket_and_hip": PoseKind("pocket", "hip", "contrapposto"),
    "hands_behind": PoseKind("behind", "behind", "close"),
    "hands_behind_turned": PoseKind("behind", "behind", "contrapposto", "turned"),
    "hand_behind": PoseKind("behind", "down", "step"),
    "hand_on_thigh": PoseKind("thigh", "relaxed", "knee_in", "leaning"),
    "hand_at_strap": PoseKind("strap", "down", "parallel"),
    "hand_at_strap_walking": PoseKind("strap", "swing_back", "walk"),
    "hand_in_hair": PoseKind("hair", "down", "contrapposto"),
    "hand_in_hair_and_hip": PoseKind("hair", "hip", "hip_out", "leaning"),
    "hand_at_nape": PoseKind("nape", "relaxed", "crossed", "looks_aside"),
    "hand_at_chin": PoseKind("chin", "crossed_under", "parallel", "looks_down"),
    "arm_raised": PoseKind("raised", "down", "hip_out"),
    "walking": PoseKind("swing_back", "swing_ahead", "walk"),
    "walking_fast": PoseKind("swing_back", "swing_ahead", "stride"),
    "walking_away_arms": PoseKind("relaxed", "back", "walk", "looks_aside"),
    "walking_hand_in_pocket": PoseKind("pocket", "swing_ahead", "walk"),
    "walking_looks_down": PoseKind("swing_back", "relaxed", "stride", "looks_down"),
    "holding": PoseKind("holds", "down", "parallel"),
    "holding_both": PoseKind("holds", "holds", "contrapposto"),
    "holding_high": PoseKind("holds_high", "relaxed", "step", "looks_down"),
    "bag_in_crook": PoseKind("crook", "relaxed", "contrapposto"),
    "bag_in_crook_walking": PoseKind("crook", "swing_back", "walk"),
    "legs_wide": PoseKind("away", "away", "wide"),
    "legs_wide_hands_on_hips": PoseKind("hip", "hip", "wide", "proud"),
}
"""All poses by name; draw_pose mirrors half of them."""

HELD_OUT_POSES: tuple[str, ...] = (
    "arms_relaxed_crossed_legs", "hand_on_hip_back", "hand_on_chest", "hand_holds_wrist", "hands_behind_turned",
    "hand_at_chin", "walking_hand_in_pocket", "holding_high",
)  # fmt: skip
"""Poses that only held-out pairs use."""

TRAINING_POSES: tuple[str, ...] = tuple(name for name in POSES if name not in HELD_OUT_POSES)
"""Poses for training."""

_JITTER = {
    "out": 3.0, "ahead": 4.0, "bend": 5.0, "inward": 6.0, "curl": 4.0, "shrug": 1.0, "lean": 1.2, "shift": 0.008,
    "yaw": 3.0, "tilt": 1.5, "bow": 1.5, "face": 7.0, "nod": 3.0, "cock": 2.0, "gap": 0.003, "toes_out": 3.0,
    "fingers": 0.1, "elbow": 0.12, "feet": 0.012,
}  # fmt: skip
"""Standard deviation of the random variation in each field of the stances."""


def draw_pose(rng: np.random.Generator, body: Body, names: Sequence[str] = TRAINING_POSES) -> Pose:
    """A random named pose for this body, with small variations and mirrored half of the time.

    Raises IGRError for a name that POSES does not have.
    """
    name = str(names[int(rng.integers(len(names)))])
    if name not in POSES:
        raise IGRError(f"Unknown pose {name!r}: choose names in POSES.")
    return named_pose(name, body, rng, mirrored=bool(rng.random() < 0.5))


def named_pose(name: str, body: Body, rng: np.random.Generator | None = None, mirrored: bool = False) -> Pose:
    """The pose with this name; varied randomly only if `rng` is given, and with left and right swapped if
    `mirrored`."""
    kind = POSES[name]
    arms, legs, trunk = (ARMS[kind.left], ARMS[kind.right]), LEGS[kind.legs], TRUNKS[kind.trunk]
    if rng is not None:
        arms = (_jittered(arms[0], rng), _jittered(arms[1], rng))
        legs, trunk = _jittered(legs, rng), _jittered(trunk, rng)
    if mirrored:
        arms, legs, trunk = arms[::-1], _mirrored_legs(legs), _mirrored_trunk(trunk)
    return Pose(name, solve(body, arms, legs, trunk), kind.attributes, mirrored)


def product_pose(body: Body, category: str) -> Pose:
    """The symmetric pose of product shots: arms about 25 degrees out, straight legs a little apart."""
    out = 32.0 if category == "lower" else 25.0
    arm = ArmStance(out=out, bend=6.0, inward=20.0)
    rotations = solve(body, (arm, arm), LegStance(feet=((0.05, 0.0), (-0.05, 0.0)), sink=0.002), TrunkStance())
    return Pose("product", rotations)


def _jittered(stance: Any, rng: np.random.Generator) -> Any:
    """A stance with small random changes."""
    changes = {}
    for field in fields(stance):
        if field.name in _JITTER:
            value = np.asarray(getattr(stance, field.name), float)
            moved = value + np.clip(rng.normal(size=value.shape), -2, 2) * _JITTER[field.name]
            changes[field.name] = float(moved) if moved.ndim == 0 else tuple(map(_plain, moved))
    if isinstance(stance, ArmStance):
        changes["bend"] = max(changes["bend"], 3.0)
        changes["curl"] = max(changes["curl"], 0.0)
    return replace(stance, **changes)


def _plain(value: np.ndarray) -> Any:
    """Convert a numpy number or array to a number or a tuple."""
    return float(value) if np.ndim(value) == 0 else tuple(float(part) for part in value)


def _mirrored_legs(legs: LegStance) -> LegStance:
    """Legs with left and right swapped."""
    left, right = legs.feet
    return replace(
        legs,
        feet=((-right[0], right[1]), (-left[0], left[1])),
        toes_out=legs.toes_out[::-1],
        lift=legs.lift[::-1],
        lean=-legs.lean,
        shift=-legs.shift,
    )


def _mirrored_trunk(trunk: TrunkStance) -> TrunkStance:
    """Trunk and head with left and right swapped."""
    return replace(trunk, yaw=-trunk.yaw, tilt=-trunk.tilt, face=-trunk.face, cock=-trunk.cock)
