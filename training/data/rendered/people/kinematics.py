"""Rotations and two-bone inverse kinematics."""

from __future__ import annotations

import numpy as np


def turn(axis: np.ndarray | tuple[float, float, float], degrees: float) -> np.ndarray:
    """(3, 3) rotation about an axis (3,) by an angle in degrees, counter-clockwise seen from its tip."""
    x, y, z = unit(np.asarray(axis, float))
    angle = np.deg2rad(degrees)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector (3,) scaled to length one."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def swing(source: np.ndarray, target: np.ndarray, share: float = 1.0) -> np.ndarray:
    """(3, 3) shortest rotation from direction `source` (3,) to `target` (3,), or a fraction of it."""
    source, target = unit(source), unit(target)
    axis = np.cross(source, target)
    angle = np.rad2deg(np.arctan2(np.linalg.norm(axis), source @ target))
    return np.eye(3) if np.linalg.norm(axis) < 1e-9 else turn(axis, angle * share)


def angle_about(rotation: np.ndarray, axis: np.ndarray) -> float:
    """Angle in degrees of a rotation (3, 3) about `axis` (3,)."""
    axis = unit(axis)
    side = unit(np.cross(axis, [0.3, 0.5, 0.8]))
    turned = rotation @ side
    return float(np.rad2deg(np.arctan2(np.cross(side, turned) @ axis, side @ turned)))


def frame(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """(3, 3) orthonormal columns: `along`, the part of `across` perpendicular to it, and their cross product."""
    first = unit(along)
    second = unit(across - (across @ first) * first)
    return np.column_stack([first, second, np.cross(first, second)])


def two_bones(
    rest: tuple[np.ndarray, np.ndarray, np.ndarray], start: np.ndarray, target: np.ndarray, poles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (3, 3) of the first bone and, relative to it, of the second bone, so that the end reaches `target`.

    `rest` contains the rest positions (3,) of the limb's start, middle joint and end; `start` is where the limb starts
    now. `poles` (2, 3) contains the bending direction of the middle joint at rest, and the one required now.
    If the target is out of reach, the nearly straight limb points towards it.
    """
    first, second = rest[1] - rest[0], rest[2] - rest[1]
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    way = target - start
    distance = float(np.clip(np.linalg.norm(way), abs(lengths[0] - lengths[1]) + 1e-3, 0.9995 * sum(lengths)))
    ahead = unit(way)
    bend = unit(poles[1] - (poles[1] @ ahead) * ahead)
    along = (lengths[0] ** 2 - lengths[1] ** 2 + distance**2) / (2 * distance)
    middle = ahead * along + bend * np.sqrt(max(lengths[0] ** 2 - along**2, 0.0))
    hinges = np.cross(rest[2] - rest[0], poles[0]), np.cross(ahead, bend)
    upper = frame(middle, hinges[1]) @ frame(first, hinges[0]).T
    lower = swing(second, upper.T @ (ahead * distance - middle))
    return upper, lower
