"""Turn stances into rotations of bones: feet on the floor, hands that reach the body, arms that keep clear of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..base.normals import vertex_normals
from .body import Body, skin
from .kinematics import angle_about, frame, swing, turn, two_bones, unit
from .stances import ArmStance, LegStance, TrunkStance

SIDES = {"L": 1.0, "R": -1.0}
"""Suffix of the bones, and sign of x, by side."""

ARM_CLEARANCE = 0.035
"""Distance in metres of a hanging arm from the trunk, for sleeves and thick cloth."""

TOUCH_CLEARANCE = 0.012
"""Distance in metres of a touching arm and hand from the skin, for cloth."""

AROUND_THE_TRUNK = np.array([1.0, -0.5, 0.2])
"""Direction in which the left elbow is moved until the forearm no longer intersects the trunk."""

_SPOTS = {
    "groin": (0.08, 3.0), "belly_low": (0.13, 4.0), "belly": (0.24, 10.0), "chest": (0.62, 22.0), "strap": (0.77, 32.0),
    "hip": (0.17, 80.0), "waist": (0.33, 78.0), "hip_back": (0.13, 135.0), "small_of_back": (0.22, 172.0),
    "pocket": (0.02, 62.0), "back_pocket": (0.02, 145.0), "thigh": (-0.16, 35.0), "other_elbow": (0.44, -20.0),
    "other_waist": (0.38, -16.0),
}  # fmt: skip
"""Spots on the trunk: height (0 at the hip joints, 1 at the neck), and degrees around the trunk (0 in front, 90 on the
hand's own side)."""

_HEAD_SPOTS = {"temple": (0.6, 95.0), "nape": (0.05, 165.0), "chin": (-0.25, 24.0)}
"""Spots on the head, in the same form; height is 0 at the head's bone and 1 at the top of the head."""


@dataclass(frozen=True)
class _Touched:
    """The trunk and legs, or the head, as a surface for hands to touch."""

    rest: np.ndarray
    """(N, 3) points at rest."""
    points: np.ndarray
    """(N, 3) posed points."""
    outwards: np.ndarray
    """(N, 3) posed normals."""
    tree: cKDTree
    """Search tree of `points`."""


def solve(body: Body, arms: tuple[ArmStance, ArmStance], legs: LegStance, trunk: TrunkStance) -> dict[str, np.ndarray]:
    """Rotations (3, 3) by bone of a body in the given stances, the left arm first."""
    rotations = _legs(body, legs) | _trunk(trunk, legs)
    for side, arm in zip("LR", arms, strict=True):
        rotations[f"clavicle.{side}"] = turn((0, 1, 0), -SIDES[side] * (arm.shrug - 2.0))
    placed = body.transforms(rotations)
    obstacles = [_touched(body, placed, "trunk")]
    if any(arm.spot in _HEAD_SPOTS for arm in arms):
        obstacles.append(_touched(body, placed, "head"))
    for side, arm in zip("LR", arms, strict=True):
        move = _hanging if arm.spot is None else _touching
        rotations |= move(body, arm, side, placed, obstacles)
    return rotations


def _trunk(trunk: TrunkStance, legs: LegStance) -> dict[str, np.ndarray]:
    """Rotations of spine, neck and head; the spine compensates for most of the pelvis's lean."""
    tilt = legs.lean * 1.25 - trunk.tilt
    parts = {"spine05": 0.15, "spine04": 0.25, "spine03": 0.25, "spine02": 0.2, "spine01": 0.15}
    found = {
        bone: turn((0, 0, 1), trunk.yaw * share) @ turn((0, 1, 0), tilt * share) @ turn((1, 0, 0), trunk.bow * share)
        for bone, share in parts.items()
    }
    for bone, share in (("neck01", 0.25), ("neck02", 0.25), ("head", 0.5)):
        level = turn((0, 1, 0), (-trunk.cock - 0.25 * legs.lean) * share)
        found[bone] = turn((0, 0, 1), trunk.face * share) @ level @ turn((1, 0, 0), trunk.nod * share)
    return found


def _legs(body: Body, legs: LegStance) -> dict[str, np.ndarray]:
    """Rotations of pelvis, legs and feet that put both feet on the same floor."""
    pelvis = turn((0, 1, 0), -legs.lean)
    root = body.head("root")
    hips, ankles, feet, reach = {}, {}, {}, {}
    for number, (side, sign) in enumerate(SIDES.items()):
        joint, knee, ankle, ball = (
            body.head(f"{bone}.{side}") for bone in ("upperleg01", "lowerleg01", "foot", "toe1-1")
        )
        length = np.linalg.norm(knee - joint) + np.linalg.norm(ankle - knee)
        lift = legs.lift[number]
        feet[side] = turn((0, 0, 1), sign * legs.toes_out[number]) @ turn((1, 0, 0), lift)
        pivot = ball if lift >= 0 else ankle + [0.0, 0.04, 0.01 - ankle[2]]
        place = np.array([*(length * np.array(legs.feet[number])), 0.0])
        place[:2] += [joint[0] - pivot[0] - length * legs.shift, 0.0]
        hips[side] = root + pelvis @ (joint - root)
        ankles[side] = pivot + place + feet[side] @ (ankle - pivot)
        aside = np.linalg.norm((ankles[side] - hips[side])[:2])
        straight = length * (1 - legs.sink)
        reach[side] = ankles[side][2] + np.sqrt(max(straight**2 - aside**2, 1e-4)) - hips[side][2]
    lowered = min(reach.values())
    found = {"root": pelvis}
    for side, sign in SIDES.items():
        rest = tuple(body.head(f"{bone}.{side}") for bone in ("upperleg01", "lowerleg01", "foot"))
        ahead = feet[side] @ np.array([sign * 0.05, -1.0, 0.0])
        poles = np.array([[0.0, -1.0, 0.0], ahead * [1, 1, 0]])
        upper, lower = two_bones(rest, hips[side], ankles[side] - [0, 0, lowered], poles)
        found[f"upperleg01.{side}"] = pelvis.T @ upper
        found[f"lowerleg01.{side}"] = lower
        found[f"foot.{side}"] = (upper @ lower).T @ feet[side]
        found[f"toe1-1.{side}"] = turn((1, 0, 0), -legs.lift[list(SIDES).index(side)])
    return found


def _hanging(
    body: Body, arm: ArmStance, side: str, placed: np.ndarray, obstacles: list[_Touched]
) -> dict[str, np.ndarray]:
    """An arm defined by angles, moved outwards until it is clear of the trunk."""
    found: dict[str, np.ndarray] = {}
    for extra in range(0, 40, 3):
        found = _by_angles(body, arm, side, placed, float(extra))
        if _clearance(body, side, placed, found, obstacles) >= ARM_CLEARANCE:
            break
    return found


def _by_angles(body: Body, arm: ArmStance, side: str, placed: np.ndarray, extra: float) -> dict[str, np.ndarray]:
    """An arm defined by angles, with `extra` degrees to the side."""
    turned = _heading(body, placed)
    sign = SIDES[side]
    out, ahead, bend, inward = np.deg2rad([arm.out + extra, arm.ahead, arm.bend, arm.inward])
    upper = np.array([sign * np.sin(out), -np.sin(ahead) * np.cos(out), -np.cos(ahead) * np.cos(out)])
    front = np.array([-sign * np.sin(inward), -np.cos(inward), 0.0])
    front = unit(front - (front @ upper) * upper)
    lower = np.cos(bend) * upper + np.sin(bend) * front
    shoulder, elbow, wrist = _arm_joints(body, side)
    start = _posed(body, placed, f"upperarm01.{side}")
    target = start + turned @ (np.linalg.norm(elbow - shoulder) * upper + np.linalg.norm(wrist - elbow) * lower)
    palm = turned @ np.array([-sign, 0.25, 0.1])
    return _reach(body, side, placed, target, turned @ -front, (turned @ lower, palm), arm.curl)


def _touching(
    body: Body, arm: ArmStance, side: str, placed: np.ndarray, obstacles: list[_Touched]
) -> dict[str, np.ndarray]:
    """An arm whose palm is on a spot of the body, at the stance's distance."""
    spot, outwards = _spot(body, arm.spot, side, obstacles[-1 if arm.spot in _HEAD_SPOTS else 0])
    turned = _heading(body, placed)
    mirror = np.array([SIDES[side], 1.0, 1.0])
    fingers = unit(turned @ (mirror * arm.fingers))
    fingers = unit(fingers - 0.8 * (fingers @ outwards) * outwards)
    elbow = turned @ (mirror * arm.elbow)
    push, best, found = 0.0, -np.inf, {}
    target = spot + outwards * arm.gap - fingers * 0.08
    for _ in range(14):
        tried = _reach(body, side, placed, target, elbow, (fingers, -outwards), arm.curl)
        moved = body.transforms_of_arm(placed, tried, side)
        palm = (_posed(body, moved, f"wrist.{side}") + _posed(body, moved, f"finger3-1.{side}")) / 2
        missed = spot + outwards * (arm.gap + push) - palm
        clear = _clearance(body, side, placed, tried, obstacles) if arm.gap >= 0 else TOUCH_CLEARANCE
        worth = min(clear, TOUCH_CLEARANCE / 2) - 0.03 * float(np.linalg.norm(missed))
        if worth > best:
            best, found = worth, tried
        if clear > TOUCH_CLEARANCE / 2 and np.linalg.norm(missed) < 0.008:
            break
        push = max(0.0, push + 0.8 * (TOUCH_CLEARANCE - clear))
        if clear < 0:
            elbow = unit(elbow) + 0.25 * (turned @ (mirror * AROUND_THE_TRUNK))
        target = target + spot + outwards * (arm.gap + push) - palm
    return found


def _arm_joints(body: Body, side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shoulder, elbow and wrist (3,) at rest."""
    shoulder, elbow, wrist = (body.head(f"{bone}.{side}") for bone in ("upperarm01", "lowerarm01", "wrist"))
    return shoulder, elbow, wrist


def _reach(
    body: Body,
    side: str,
    placed: np.ndarray,
    target: np.ndarray,
    elbow: np.ndarray,
    hand: tuple[np.ndarray, np.ndarray],
    curl: float,
) -> dict[str, np.ndarray]:
    """Rotations that move the wrist to `target` and the elbow towards `elbow`, and orient fingers and palm as in
    `hand`."""
    rest = _arm_joints(body, side)
    straight = rest[2] - rest[0]
    middle = rest[1] - rest[0]
    pole = middle - (middle @ unit(straight)) * unit(straight)
    start = _posed(body, placed, f"upperarm01.{side}")
    upper, lower = two_bones(rest, start, target, np.stack([pole, elbow]))
    parent = placed[body.index(f"shoulder01.{side}")][:, :3]
    first, second = rest[1] - rest[0], rest[2] - rest[1]
    local = parent.T @ upper
    swung = swing(first, local @ first)
    twist = angle_about(swung.T @ local, first)
    found = {
        f"upperarm01.{side}": swung @ turn(first, 0.45 * twist),
        f"upperarm02.{side}": turn(first, 0.55 * twist),
        f"lowerarm01.{side}": lower,
    }
    found |= _hand(body, side, upper @ lower, second, hand)
    return found | _fingers(body, side, curl)


def _hand(
    body: Body, side: str, forearm: np.ndarray, axis: np.ndarray, hand: tuple[np.ndarray, np.ndarray]
) -> dict[str, np.ndarray]:
    """Rotations of wrist and lower forearm towards the hand's target orientation, within the wrist's range of
    motion."""
    along, palm = _rest_hand(body, side)
    local = forearm.T @ frame(*hand) @ frame(along, palm).T
    bent = swing(axis, local @ axis)
    twist = float(np.clip(angle_about(bent.T @ local, axis), -95, 95))
    degrees = np.rad2deg(np.arccos(np.clip((np.trace(bent) - 1) / 2, -1, 1)))
    bent = swing(axis, local @ axis, min(1.0, 55.0 / max(degrees, 1e-6)))
    return {
        f"lowerarm02.{side}": turn(axis, 0.6 * twist),
        f"wrist.{side}": turn(axis, -0.6 * twist) @ bent @ turn(axis, twist),
    }


def _rest_hand(body: Body, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Directions (3,) of the fingers and of the palm's normal at rest."""
    along = body.head(f"finger3-1.{side}") - body.head(f"wrist.{side}")
    across = body.head(f"finger2-1.{side}") - body.head(f"finger5-1.{side}")
    return unit(along), SIDES[side] * unit(np.cross(along, across))


def _fingers(body: Body, side: str, curl: float) -> dict[str, np.ndarray]:
    """Rotations of the finger joints, each by `curl` degrees towards the palm, and of the thumb by half as much."""
    along, palm = _rest_hand(body, side)
    axis = np.cross(along, palm)
    found = {}
    middle = unit(body.head(f"finger3-2.{side}") - body.head(f"finger3-1.{side}"))
    for finger in range(2, 6):
        own = unit(body.head(f"finger{finger}-2.{side}") - body.head(f"finger{finger}-1.{side}"))
        together = swing(own, middle - (palm @ (middle - own)) * palm, 0.7)
        for joint in (1, 2, 3):
            bent = turn(axis, curl * (0.8 + 0.1 * finger))
            found[f"finger{finger}-{joint}.{side}"] = bent @ together if joint == 1 else bent
    for joint in (2, 3):
        found[f"finger1-{joint}.{side}"] = turn(axis, 0.5 * curl)
    return found


def _heading(body: Body, placed: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of the chest about z."""
    left = placed[body.index("spine01")][:, 0]
    return turn((0, 0, 1), float(np.rad2deg(np.arctan2(left[1], left[0]))))


def _posed(body: Body, placed: np.ndarray, bone: str) -> np.ndarray:
    """(3,) head of a bone in the pose."""
    number = body.index(bone)
    return placed[number] @ np.append(body.heads[number], 1.0)


def _touched(body: Body, placed: np.ndarray, which: str) -> _Touched:
    """The trunk and legs (from the tights), or the head (from the skin)."""
    part = body.part("tights" if which == "trunk" else "body")
    points = skin(part.vertices, part.weights, placed)
    outwards = vertex_normals(points, part.triangles)
    if which == "trunk":
        chosen = arm_weights(body, part.weights, "L") + arm_weights(body, part.weights, "R") < 0.3
    else:
        chosen = part.weights[:, [body.index(bone) for bone in ("head", "neck03", "neck02")]].sum(1) > 0.5
    return _Touched(part.vertices[chosen], points[chosen], outwards[chosen], cKDTree(points[chosen]))


def arm_weights(body: Body, weights: np.ndarray, side: str) -> np.ndarray:
    """(N,) total weight of an arm's bones from the shoulder joint on, for vertices with skin weights (N, J)."""
    return weights[:, arm_bones(body, side)].sum(1)


def arm_bones(body: Body, side: str, above: tuple[str, ...] = ("upperarm", "lowerarm", "wrist", "finger")) -> list[int]:
    """Indices of the bones of an arm with these prefixes."""
    return [n for n, name in enumerate(body.model.bones) if name.startswith(above) and name.endswith(side)]


def _spot(body: Body, name: str, side: str, trunk: _Touched) -> tuple[np.ndarray, np.ndarray]:
    """Position and outward normal (3,) of a spot in the pose."""
    if name in _HEAD_SPOTS:
        height, degrees = _HEAD_SPOTS[name]
        low, top = body.head("head")[2], trunk.rest[:, 2].max()
    else:
        height, degrees = _SPOTS[name]
        low, top = body.head("upperleg01.L")[2], body.head("neck01")[2]
    level = low + height * (top - low)
    own = trunk.rest * [SIDES[side], 1, 1]
    near = np.abs(own[:, 2] - level) < 0.03
    if level < low:
        near &= own[:, 0] > 0
    centre = (own[near].min(0) + own[near].max(0)) / 2
    around = np.rad2deg(np.arctan2(own[:, 0] - centre[0], centre[1] - own[:, 1]))
    away = np.hypot(((around - degrees + 180) % 360 - 180) / 8, (own[:, 2] - level) / 0.015)
    close = np.argsort(away)[:6]
    weights = 1 / (0.3 + away[close])
    return np.average(trunk.points[close], axis=0, weights=weights), unit(weights @ trunk.outwards[close])


def _clearance(
    body: Body, side: str, placed: np.ndarray, arm: dict[str, np.ndarray], obstacles: list[_Touched]
) -> float:
    """Smallest distance in metres between forearm or hand and trunk or head; negative inside."""
    moved = body.transforms_of_arm(placed, arm, side)
    chosen = body.arm_samples(side)
    points = skin(body.vertices[chosen], body.model.weights[chosen], moved)
    least = np.inf
    for touched in obstacles:
        far, nearest = touched.tree.query(points)
        signed = np.einsum("ij,ij->i", points - touched.points[nearest], touched.outwards[nearest])
        least = min(least, float(np.where((signed < 0) & (far < 0.12), signed, far).min()))
    return least
