"""Stances of arms, legs and trunks in fashion photos; poses are composed of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class ArmStance:
    """One arm; vectors and angles are for the left arm and are mirrored for the right one."""

    out: float = 12.0
    """Degrees by which the upper arm is raised to the side; 0 hangs straight down."""
    ahead: float = 0.0
    """Degrees by which the upper arm points forwards."""
    bend: float = 15.0
    """Degrees by which the elbow is bent; 0 is straight."""
    inward: float = 0.0
    """Degrees by which the bent forearm points towards the body's middle instead of straight ahead."""
    spot: str | None = None
    """Spot on the body that the palm touches; out, ahead, bend and inward are then unused."""
    fingers: Vector = (0.0, 0.0, -1.0)
    """Direction of the fingers of a hand at a spot: x outwards, y backwards, z up."""
    elbow: Vector = (1.0, 0.6, 0.0)
    """Direction in which the elbow points for a hand at a spot."""
    gap: float = 0.022
    """Distance in metres between the palm's centre and the spot; negative for a hand in a pocket."""
    curl: float = 14.0
    """Degrees by which each finger joint is bent."""
    shrug: float = 0.0
    """Degrees by which the collarbone rises."""
    attributes: frozenset[str] = frozenset()
    """Tags of a pose with this arm."""


@dataclass(frozen=True)
class LegStance:
    """Both legs; lengths are relative to the leg's length."""

    feet: tuple[tuple[float, float], tuple[float, float]] = ((0.02, 0.0), (-0.02, 0.0))
    """Offsets (sideways, backwards) of the left and right ankles from the points directly below the hip joints."""
    toes_out: tuple[float, float] = (8.0, 8.0)
    """Degrees by which the feet point outwards."""
    lift: tuple[float, float] = (0.0, 0.0)
    """Degrees by which the heels are lifted."""
    sink: float = 0.004
    """Lowering of the hips compared with straight legs."""
    lean: float = 0.0
    """Degrees by which the left side of the pelvis is raised."""
    shift: float = 0.0
    """Sideways shift of the pelvis, to the left."""
    attributes: frozenset[str] = frozenset()
    """Tags of a pose with these legs."""


@dataclass(frozen=True)
class TrunkStance:
    """Trunk and head; all fields are in degrees."""

    yaw: float = 0.0
    """Turn of the shoulders to the left, relative to the hips."""
    tilt: float = 0.0
    """Bend of the trunk to the left."""
    bow: float = 0.0
    """Bend of the trunk forwards."""
    face: float = 0.0
    """Turn of the head to the left."""
    nod: float = 0.0
    """Tilt of the head forwards."""
    cock: float = 0.0
    """Tilt of the head to the left."""


def _with(*names: str) -> frozenset[str]:
    return frozenset(names)


_IN_FRONT = _with("hands_in_front")

ARMS: Mapping[str, ArmStance] = {
    "down": ArmStance(out=8, bend=10),
    "relaxed": ArmStance(out=12, ahead=4, bend=22, inward=15),
    "away": ArmStance(out=22, bend=14, inward=5),
    "wide": ArmStance(out=36, bend=12),
    "back": ArmStance(out=14, ahead=-14, bend=12),
    "swing_ahead": ArmStance(out=11, ahead=20, bend=28, inward=18),
    "swing_back": ArmStance(out=13, ahead=-22, bend=14),
    "hip": ArmStance(
        spot="hip", fingers=(-0.35, -0.75, -0.5), elbow=(1.0, 0.75, 0.0), attributes=_with("hand_on_hip")
    ),
    "waist": ArmStance(
        spot="waist", fingers=(-0.4, -0.8, -0.35), elbow=(1.0, 0.5, 0.0), attributes=_with("hand_on_hip")
    ),
    "hip_back": ArmStance(
        spot="hip_back", fingers=(-0.5, 0.55, -0.7), elbow=(0.8, 1.0, 0.2), attributes=_with("hand_on_hip")
    ),
    "belly": ArmStance(
        spot="belly", fingers=(-0.95, -0.1, -0.1), elbow=(1.0, 0.3, -0.3), curl=10, attributes=_IN_FRONT
    ),
    "chest": ArmStance(spot="chest", fingers=(-0.85, 0.0, 0.5), elbow=(0.8, 0.1, -0.7), curl=12, attributes=_IN_FRONT),
    "clasped_over": ArmStance(
        spot="groin", fingers=(-0.75, -0.15, -0.6), elbow=(1.0, 0.0, 0.0), gap=0.07, curl=16, attributes=_IN_FRONT
    ),
    "clasped_under": ArmStance(
        spot="groin", fingers=(-0.75, -0.1, -0.62), elbow=(1.0, 0.0, 0.0), gap=0.034, curl=10, attributes=_IN_FRONT
    ),
    "crossed_over": ArmStance(
        spot="other_elbow", fingers=(-0.97, 0.05, 0.2), elbow=(1.0, -0.1, -0.5), gap=0.105, curl=12,
        attributes=_with("arms_crossed", "hands_in_front"),
    ),
    "crossed_under": ArmStance(
        spot="other_waist", fingers=(-0.97, 0.3, 0.1), elbow=(1.0, -0.1, -0.5), gap=0.05, curl=10,
        attributes=_with("arms_crossed", "hands_in_front"),
    ),
    "holds_wrist": ArmStance(
        spot="belly_low", fingers=(-0.98, -0.1, -0.1), elbow=(1.0, 0.0, -0.2), gap=0.06, curl=24, attributes=_IN_FRONT
    ),
    "pocket": ArmStance(
        spot="pocket", fingers=(-0.12, -0.22, -1.0), elbow=(1.0, 0.8, 0.0), gap=-0.028, curl=16,
        attributes=_with("hand_in_pocket"),
    ),
    "back_pocket": ArmStance(
        spot="back_pocket", fingers=(-0.2, 0.15, -1.0), elbow=(0.7, 1.0, 0.2), gap=0.0, curl=4,
        attributes=_with("hand_in_pocket", "hand_behind"),
    ),
    "behind": ArmStance(
        spot="small_of_back", fingers=(-0.95, 0.0, -0.2), elbow=(1.0, 0.4, 0.0), attributes=_with("hand_behind")
    ),
    "thigh": ArmStance(spot="thigh", fingers=(-0.1, -0.2, -1.0), elbow=(1.0, 0.7, 0.0), curl=8, attributes=_IN_FRONT),
    "strap": ArmStance(
        spot="strap", fingers=(-0.25, 0.25, 0.9), elbow=(0.6, -0.2, -0.8), gap=0.035, curl=42,
        attributes=_with("hands_in_front", "holds_strap"),
    ),
    "hair": ArmStance(
        spot="temple", fingers=(-0.45, 0.55, 0.7), elbow=(1.0, -0.35, 0.05), gap=0.03, shrug=12,
        attributes=_with("arm_raised"),
    ),
    "nape": ArmStance(
        spot="nape", fingers=(-0.75, 0.45, -0.2), elbow=(0.9, -0.35, 0.5), gap=0.035, shrug=16,
        attributes=_with("arm_raised"),
    ),
    "chin": ArmStance(
        spot="chin", fingers=(-0.3, 0.1, 0.9), elbow=(0.5, -0.35, -0.8), gap=0.045, curl=34, attributes=_IN_FRONT
    ),
    "holds": ArmStance(out=12, ahead=-4, bend=82, inward=18, curl=38, attributes=_IN_FRONT),
    "holds_high": ArmStance(out=14, ahead=10, bend=112, inward=24, curl=38, attributes=_IN_FRONT),
    "crook": ArmStance(out=14, ahead=-2, bend=98, inward=8, curl=34, attributes=_with("bag_in_crook")),
    "raised": ArmStance(out=80, ahead=10, bend=95, inward=-80, curl=12, shrug=8, attributes=_with("arm_raised")),
}  # fmt: skip
"""Stances of one arm by name."""

LEGS: Mapping[str, LegStance] = {
    "parallel": LegStance(),
    "close": LegStance(feet=((-0.045, 0.0), (0.045, 0.0)), toes_out=(6, 6)),
    "apart": LegStance(feet=((0.09, 0.0), (-0.09, 0.0)), toes_out=(12, 12), attributes=_with("legs_apart")),
    "wide": LegStance(feet=((0.18, 0.0), (-0.16, 0.02)), toes_out=(16, 14), attributes=_with("legs_apart")),
    "contrapposto": LegStance(
        feet=((-0.01, 0.0), (-0.08, -0.07)), toes_out=(8, 22), lean=5.0, shift=0.035, attributes=_with("contrapposto")
    ),
    "hip_out": LegStance(
        feet=((-0.02, 0.0), (-0.14, -0.03)), toes_out=(6, 26), lean=7.0, shift=0.05, attributes=_with("contrapposto")
    ),
    "step": LegStance(
        feet=((0.0, -0.16), (0.01, 0.1)), toes_out=(4, 12), lift=(0, 12), attributes=_with("one_foot_ahead")
    ),
    "stride": LegStance(
        feet=((-0.02, -0.3), (0.02, 0.34)), toes_out=(2, 4), lift=(-4, 32), sink=0.01, lean=-2.0,
        attributes=_with("walking"),
    ),
    "walk": LegStance(
        feet=((-0.045, -0.2), (0.045, 0.24)), toes_out=(2, 6), lift=(0, 24), sink=0.006, lean=2.5,
        attributes=_with("walking"),
    ),
    "crossed": LegStance(
        feet=((-0.09, 0.02), (0.11, -0.09)), toes_out=(6, 10), lift=(0, 6), lean=3.0, shift=0.015,
        attributes=_with("legs_crossed"),
    ),
    "knee_in": LegStance(
        feet=((0.0, 0.0), (-0.03, -0.05)), toes_out=(6, -4), lift=(0, 16), lean=4.0, shift=0.03,
        attributes=_with("contrapposto"),
    ),
}  # fmt: skip
"""Stances of both legs by name; each may be mirrored."""

WIDE_STANCES = ("walk", "stride", "wide")
"""Stances with legs too far apart for a narrow skirt."""

TRUNKS: Mapping[str, TrunkStance] = {
    "straight": TrunkStance(),
    "turned": TrunkStance(yaw=9, face=-7),
    "leaning": TrunkStance(tilt=4, cock=-4, yaw=3),
    "looks_aside": TrunkStance(yaw=4, face=22, nod=3),
    "looks_down": TrunkStance(bow=3, nod=14, face=8),
    "proud": TrunkStance(bow=-3, nod=-5),
}
"""Stances of trunk and head by name; each may be mirrored."""
