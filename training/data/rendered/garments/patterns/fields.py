"""Analytic fields over a figure whose zeros are a garment's edges and seams."""

from __future__ import annotations

import numpy as np

from ..base.cuts import Cut
from ..base.figures import Figure, along_arm, smoothstep

STRAP = 0.014
"""Width of thin straps, metres."""


def height_of(level: float, figure: Figure) -> float:
    """Height of a level: 0 waist, 1 crotch, 2 knee, 3 ankle; metres."""
    torso = figure.waist - figure.crotch
    heights = [figure.waist + torso, figure.waist, figure.crotch, figure.knee, figure.ankle + 0.025]
    return float(np.interp(level, [-1, 0, 1, 2, 3], heights))


def side_field(points: np.ndarray, arms: np.ndarray, figure: Figure) -> np.ndarray:
    """Distance in metres behind the seams of sides, shoulders and sleeves; (V,), negative in front of them."""
    torso = points[:, 1] - np.interp(points[:, 2], *figure.side)
    result = torso
    for side in range(2):
        _, off, _ = along_arm(points, figure, side)
        share = smoothstep(0.3, 0.9, arms[:, side])
        result = result * (1 - share) + off[:, 1] * share
    return result


def armhole_field(points: np.ndarray, arms: np.ndarray, figure: Figure, side: int, drop: float) -> np.ndarray:
    """Distance in metres beyond an armhole, positive on the arm; (V,)."""
    out = 1.0 if side == 0 else -1.0
    direction = figure.elbow[side] - figure.shoulder[side]
    direction = direction / np.linalg.norm(direction)
    top = figure.shoulder[side] + np.array([0.0, 0.0, 0.06])
    armpit = figure.armpit[side] + np.array([0.0, 0.0, 0.004])
    if drop > 0:
        top, armpit = top + direction * drop, armpit + direction * drop
    else:
        top = top + np.array([out * drop, 0.0, 0.0])
    rise = top - armpit
    across = np.array([rise[2] * out, 0.0, -rise[0] * out]) / np.hypot(rise[0], rise[2])
    below = np.array([0.92 * out, 0.0, 0.38])
    field = np.minimum((points - armpit) @ across, (points - armpit) @ below)
    return np.where(points[:, 0] * out > 0.04, field, -0.1)


def neck_field(points: np.ndarray, cut: Cut, figure: Figure) -> np.ndarray:
    """Approximate distance in metres from the edge of the neck hole; (V,), negative inside the hole."""
    top = figure.neck[2] + 0.005
    if cut.neckline == "high":
        tilt = 0.25 * (points[:, 1] - figure.neck[1])
        return figure.neck[2] + 0.045 + tilt - points[:, 2]
    if cut.neckline == "straps":
        return _strap_field(points, cut, figure)
    width = cut.neck_width
    front = smoothstep(0.035, -0.035, points[:, 1] - figure.neck[1])
    depth = cut.neck_depth * front + (0.018 if cut.neckline != "boat" else 0.012) * (1 - front)
    x, down = np.abs(points[:, 0]) / width, np.maximum(top - points[:, 2], 0) / depth
    round_hole = np.hypot(x, down) - 1
    if cut.neckline == "v":
        sharp = np.where(down > 0.12, x + down * 1.03 - 1.0, round_hole)
        field = front * np.maximum(sharp, round_hole) + (1 - front) * round_hole
    elif cut.neckline == "square":
        box = (x**6 + down**6) ** (1 / 6) - 1
        field = front * box + (1 - front) * round_hole
    elif cut.neckline == "boat":
        field = (x**2 + down**3) ** 0.5 - 1
    else:
        field = round_hole
    scale = np.where(front > 0.5, min(width, cut.neck_depth), 0.05)
    return field * scale


def _strap_field(points: np.ndarray, cut: Cut, figure: Figure) -> np.ndarray:
    """Distance in metres below the top edge, or inside two straps above it; (V,), negative elsewhere."""
    return np.maximum(below_straps(points, cut, figure), STRAP / 2 - np.abs(np.abs(points[:, 0]) - cut.neck_width))


def below_straps(points: np.ndarray, cut: Cut, figure: Figure) -> np.ndarray:
    """Distance in metres below the top edge of a garment with straps; (V,). In front, this edge rises towards the
    straps."""
    at = np.abs(points[:, 0])
    inner, outer = np.maximum(1 - at / cut.neck_width, 0), np.maximum(at - cut.neck_width, 0)
    rise = 0.055 - cut.neck_depth * inner - 0.9 * outer
    front = smoothstep(0.02, -0.02, points[:, 1] - np.interp(points[:, 2], *figure.side))
    return figure.armpit[0, 2] + 0.01 + rise * front - points[:, 2]


def opening_field(points: np.ndarray, cut: Cut, figure: Figure) -> np.ndarray:
    """Distance in metres outside the gap of an open front; (V,), negative in the gap."""
    low = height_of(cut.length, figure)
    top = figure.neck[2] - cut.neck_depth
    share = np.clip((top - points[:, 2]) / (top - low), 0, 1.2)
    half = 0.004 + cut.gap * (0.35 + 0.65 * share) * smoothstep(-0.06, 0.1, share)
    behind = points[:, 1] - np.interp(points[:, 2], *figure.side) + 0.02
    return np.maximum(np.abs(points[:, 0]) - half, behind)


def hem_field(points: np.ndarray, cut: Cut, height: float) -> np.ndarray:
    """Distance in metres above the hem; (V,)."""
    if cut.hem != "curved":
        return points[:, 2] - height
    side = smoothstep(0.05, 0.16, np.abs(points[:, 0]))
    return points[:, 2] - height - 0.06 * side


def waist_field(points: np.ndarray, height: float) -> np.ndarray:
    """Distance in metres below a lower garment's top edge, which dips slightly in front; (V,)."""
    return height + 0.06 * points[:, 1] - points[:, 2]


def sleeve_field(points: np.ndarray, arms: np.ndarray, figure: Figure, side: int, length: float) -> np.ndarray:
    """Distance in metres along the arm to a sleeve's end; (V,), negative beyond it."""
    station, _, _ = along_arm(points, figure, side)
    return np.where(arms[:, side] > 0.4, length - station, 0.5)
