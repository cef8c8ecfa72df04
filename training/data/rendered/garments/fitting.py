"""The shape of a garment on a body at rest: how wide it stands off, how straight it falls."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from .cuts import Cut
from .fields import height_of
from .figures import Figure, along_arm, smoothstep
from .garment import Garment

_ROWS, _COLUMNS = 60, 48


def ease_of(points: np.ndarray, arms: np.ndarray, legs: np.ndarray, cut: Cut, figure: Figure) -> np.ndarray:
    """Distance of the cloth from the skin at points of the template; (V,) metres."""
    ease = np.full(len(points), cut.ease)
    if cut.top:
        on_arm = arms.sum(axis=1)
        shoulder = smoothstep(figure.armpit[0, 2] + 0.03, figure.shoulder[0, 2] + 0.02, points[:, 2]) * (on_arm < 0.5)
        ease = ease * (1 - shoulder) + 0.004 * shoulder
        for side in range(2):
            ease = np.where(arms[:, side] > 0.3, _sleeve_ease(points, cut, figure, side), ease)
    if not cut.top:
        waist = height_of(cut.waist, figure)
        ease = 0.0025 + (ease - 0.0025) * smoothstep(waist - 0.02, waist - 0.12, points[:, 2])
    if cut.legs:
        down = np.clip((figure.crotch + 0.06 - points[:, 2]) / (figure.crotch - figure.ankle), 0, 1)
        thigh = np.minimum(down * 4, 1)
        leg = cut.leg_ease * thigh + cut.leg_flare * np.clip(down - 0.3, 0, 1) ** 1.5 / 0.6
        ease = np.where(down > 0, np.maximum(ease * (1 - thigh) + leg, 0.0015), ease)
    elif cut.category != "upper":
        below = np.clip(figure.waist - 0.02 - points[:, 2], 0, None)
        ease = ease + np.maximum(cut.flare, 0) * below * 0.5
    return ease


def _sleeve_ease(points, cut, figure, side):
    station, _, _ = along_arm(points, figure, side)
    share = station / figure.arm_length
    ease = cut.sleeve_ease * np.clip(0.35 + share / 0.25 * 0.65, 0.35, 1.1)
    ease = ease + cut.sleeve_flare * np.clip(share / max(cut.sleeve_length, 0.2), 0, 1) ** 2
    ease = ease + cut.puff * smoothstep(-0.12, 0.06, share) * smoothstep(0.5, 0.15, share)
    if cut.sleeve == "long" and cut.sleeve_flare < 0.005:
        ease = ease * (1 - 0.35 * smoothstep(0.5, 1.0, share))
    return ease


def fit(garment: Garment, figure: Figure, template: Figure) -> np.ndarray:
    """The coarse cloth at rest around a body; (V, 3) metres."""
    cut = garment.cut
    place = garment.basis @ figure.points
    normals = garment.basis @ figure.normals
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    if not cut.legs:
        # Below the waist skin turns under; cloth does not.
        level = smoothstep(figure.waist, figure.waist - 0.15, place[:, 2]) * (garment.arms.sum(axis=1) < 0.3)
        normals[:, 2] *= 1 - level
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    place = place + normals * garment.ease[:, None]
    body = garment.fall == 0
    if cut.straight > 0 and cut.category != "lower":
        place = _straightened(place, body & ~garment.snug & (garment.arms.sum(axis=1) < 0.4), cut, figure)
    if cut.legs:
        place = _legs_straightened(place, garment, figure)
        place = _legs_apart(place, garment, figure)
    place = _hung(place, garment, figure, template)
    return garment.smooth @ place


def _straightened(place: np.ndarray, chosen: np.ndarray, cut: Cut, figure: Figure) -> np.ndarray:
    """Let cloth fall from the widest part above, as far as the cut is straight."""
    top = figure.armpit[0, 2] - 0.01
    centre = np.interp(place[:, 2], *figure.side)
    middle = float(np.interp(figure.waist, *figure.side))
    centre = np.full_like(centre, middle)
    angle = np.arctan2(place[:, 0], -(place[:, 1] - centre))
    radius = np.hypot(place[:, 0], place[:, 1] - centre)
    chosen = chosen & (place[:, 2] < top) & (place[:, 2] > figure.crotch - 0.02)
    row = np.clip(((top - place[:, 2]) / 0.9 * _ROWS).astype(int), 0, _ROWS - 1)
    column = ((angle + np.pi) / (2 * np.pi) * _COLUMNS).astype(int) % _COLUMNS
    table = np.zeros((_ROWS, _COLUMNS))
    np.maximum.at(table, (row[chosen], column[chosen]), radius[chosen])
    table = np.maximum.accumulate(table, axis=0)
    table = gaussian_filter(table, (1.5, 1.5), mode=("nearest", "wrap"))
    y = (top - place[:, 2]) / 0.9 * _ROWS - 0.5
    x = (angle + np.pi) / (2 * np.pi) * _COLUMNS - 0.5
    wide = _looked_up(table, y, x)
    share = cut.straight * smoothstep(0.0, 0.12, top - place[:, 2])
    factor = np.where(chosen, 1 + np.maximum(wide - radius, 0) * share / np.maximum(radius, 1e-3), 1.0)
    result = place.copy()
    result[:, 0] *= factor
    result[:, 1] = centre + (place[:, 1] - centre) * factor
    return result


def _looked_up(table: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear look-up, clamped down and wrapped around."""
    y = np.clip(y, 0, len(table) - 1.001)
    y0, x0 = y.astype(int), np.floor(x).astype(int)
    fy, fx = y - y0, x - x0
    a, b = x0 % table.shape[1], (x0 + 1) % table.shape[1]
    upper = table[y0, a] * (1 - fx) + table[y0, b] * fx
    lower = table[y0 + 1, a] * (1 - fx) + table[y0 + 1, b] * fx
    return upper * (1 - fy) + lower * fy


LEG_STRAIGHT = {"tight": 0.0, "slim": 0.12, "regular": 0.75, "loose": 1.0}
"""How much of the thigh's width trousers keep further down."""


def _legs_straightened(place: np.ndarray, garment: Garment, figure: Figure) -> np.ndarray:
    """Let trouser legs fall from the thigh instead of following the calf."""
    share = LEG_STRAIGHT.get(garment.cut.fit, 0.75)
    result = place.copy()
    top = figure.crotch - 0.12
    for side in range(2):
        mine = np.flatnonzero((garment.legs[:, side] > 0.5) & (place[:, 2] < top))
        if share == 0 or not len(mine):
            continue
        height = place[mine, 2]
        row = ((top - height) / 0.03).astype(int)
        count = np.bincount(row)
        filled = count > 0
        rows = np.flatnonzero(filled)

        def mean(values: np.ndarray, row=row, count=count, filled=filled, rows=rows) -> np.ndarray:
            sums = np.bincount(row, values)
            return np.interp(np.arange(len(count)), rows, sums[filled] / count[filled])

        centre = np.stack([mean(place[mine, 0]), mean(place[mine, 1])], axis=1)
        offset = place[mine, :2] - _smooth_rows(centre, (top - height) / 0.03)
        radius = np.linalg.norm(offset, axis=1)
        table = mean(radius)
        wide = np.maximum.accumulate(table) * (1 - 0.12 * np.linspace(0, 1, len(table)))
        factor = 1 + share * np.maximum(wide - table, 0) / np.maximum(table, 1e-3)
        factor = _smooth_rows(factor[:, None], (top - height) / 0.03)[:, 0]
        result[mine, :2] = place[mine, :2] + offset * (factor - 1)[:, None]
    return result


def _smooth_rows(table: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Values between the centres of rows; (n, C)."""
    at = np.arange(len(table)) + 0.5
    return np.stack([np.interp(row, at, table[:, k]) for k in range(table.shape[1])], axis=1)


def _legs_apart(place: np.ndarray, garment: Garment, figure: Figure) -> np.ndarray:
    """Keep wide legs from passing through each other."""
    result = place.copy()
    down = np.clip((figure.crotch - place[:, 2]) / 0.05, 0, 1)
    for side, out in ((0, 1.0), (1, -1.0)):
        mine = garment.legs[:, side] > 0.5
        least = 0.004 * down[mine]
        result[mine, 0] = out * np.maximum(out * place[mine, 0], least)
    return result


def _hung(place: np.ndarray, garment: Garment, figure: Figure, template: Figure) -> np.ndarray:
    """Place the rings of skirts and long tops below the hips."""
    hangs = garment.fall > 0
    if not hangs.any():
        return place
    cut = garment.cut
    scale = (figure.crotch - figure.ankle) / (template.crotch - template.ankle)
    fall = garment.fall[hangs] * scale
    start = place[hangs]
    centre = np.array([0.0, np.interp(figure.crotch + 0.07, *figure.side)])
    radial = start[:, :2] - centre
    radius = np.linalg.norm(radial, axis=1)
    mean = radius.mean()
    # A skirt's outline turns from the hips' oval into a circle as it widens.
    wider = np.maximum(radius + cut.flare * fall * (radius / mean) ** -0.5, 0.5 * radius)
    if cut.flare < 0:
        wider = np.maximum(wider, 0.72 * radius)
    angle = np.arctan2(radial[:, 0], radial[:, 1])
    deep = np.clip(fall / 0.25, 0, 1)
    if cut.pleats:
        phase = angle * cut.pleats / (2 * np.pi) % 1
        wider = wider + (0.004 + 0.016 * deep) * (np.abs(phase * 2 - 1) - 0.5) * 2
    elif cut.flare > 0.12:
        waves = np.sin(angle * 5 + 0.6) + 0.7 * np.sin(angle * 8 + 2.0) + 0.4 * np.sin(angle * 13)
        wider = wider + 0.1 * cut.flare * fall * waves
    result = place.copy()
    result[hangs, :2] = centre + radial / radius[:, None] * wider[:, None]
    result[hangs, 2] = start[:, 2] - fall
    return result
