"""Compute a garment's rest shape on a body from its ease and fall."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from ..base.cuts import Cut
from ..base.figures import Figure, along_arm, smoothstep, suit
from ..base.garment import Garment
from ..patterns.fields import height_of, waist_field

BAND_EASE = 0.012
"""Distance in metres between hem bands and the hips."""

BAND_TAPER = 0.5
"""Maximum widening, in metres per metre, of the cloth above a hem band, so that it does not hang over the band."""

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
        # Below the waist the skin curves inwards; cloth does not.
        level = smoothstep(figure.waist, figure.waist - 0.15, place[:, 2]) * (garment.arms.sum(axis=1) < 0.3)
        normals[:, 2] *= 1 - level
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    place = place + normals * garment.ease[:, None]
    body = garment.fall == 0
    if cut.top or not cut.legs:
        place = _straightened(place, body & ~garment.snug & (garment.arms.sum(axis=1) < 0.4), cut, figure)
    if cut.legs:
        place = _legs_straightened(place, garment, figure)
        place = _legs_apart(place, garment, figure)
    place = _hung(place, garment, figure, template)
    return garment.smooth @ place


def pleats_of(garment: Garment) -> np.ndarray:
    """(V,) depth of pleats, inwards and outwards, metres.

    Pleats are applied after draping, because draping would flatten them. They are placed by index along the ring rather
    than by angle, so that each pleat has a whole number of vertices.
    """
    depth = np.zeros(len(garment.fall))
    if garment.cut.pleats and len(garment.ring):
        hangs = garment.fall > 0
        fall = garment.fall[hangs].reshape(-1, len(garment.ring))
        phase = np.arange(len(garment.ring)) * garment.cut.pleats / len(garment.ring) % 1
        wave = np.where(phase < 0.75, phase / 0.75, (1 - phase) / 0.25) * 2 - 1
        depth[hangs] = ((0.004 + 0.009 * np.clip(fall / 0.2, 0, 1)) * wave).ravel()
    return depth


def _straightened(place: np.ndarray, chosen: np.ndarray, cut: Cut, figure: Figure) -> np.ndarray:
    """Let the cloth span the body's hollows and, if the cut is straight, fall from the widest part above."""
    top = figure.armpit[0, 2] - 0.01 if cut.top else figure.waist
    centre = float(np.interp(figure.waist, *figure.side))
    angle = np.arctan2(place[:, 0], -(place[:, 1] - centre))
    radius = np.hypot(place[:, 0], place[:, 1] - centre)
    chosen = chosen & (place[:, 2] < top) & (place[:, 2] > figure.crotch - 0.02)
    row = np.clip(((top - place[:, 2]) / 0.9 * _ROWS).astype(int), 0, _ROWS - 1)
    column = ((angle + np.pi) / (2 * np.pi) * _COLUMNS).astype(int) % _COLUMNS
    table = np.zeros((_ROWS, _COLUMNS))
    np.maximum.at(table, (row[chosen], column[chosen]), radius[chosen])
    full = spanned(table)
    straight = cut.straight if cut.top else 0.0
    table = full + straight * (np.maximum.accumulate(full, axis=0) - full)
    table = gaussian_filter(table, (1.5, 1.0), mode=("nearest", "wrap"))
    y = (top - place[:, 2]) / 0.9 * _ROWS - 0.5
    x = (angle + np.pi) / (2 * np.pi) * _COLUMNS - 0.5
    wide = _looked_up(table, y, x)
    share = smoothstep(0.0, 0.12 if cut.top else 0.06, top - place[:, 2])
    factor = np.where(chosen, 1 + np.maximum(wide - radius, 0) * share / np.maximum(radius, 1e-3), 1.0)
    result = place.copy()
    result[:, 0] *= factor
    result[:, 1] = centre + (place[:, 1] - centre) * factor
    return result


def spanned(table: np.ndarray) -> np.ndarray:
    """Replace each row of radii around a centre by those of its convex hull, because cloth does not follow hollows."""
    angle = np.arange(table.shape[1]) * (2 * np.pi / table.shape[1])
    cosine = np.cos(angle[:, None] - angle[None])
    reach = (table[:, :, None] * cosine[None]).max(axis=1)  # (rows, directions)
    bound = np.where(cosine > 0.05, 1 / np.maximum(cosine, 0.05), 1e6)
    return (reach[:, None, :] * bound[None]).min(axis=2)


def _looked_up(table: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear look-up, clamped vertically and wrapped around horizontally."""
    y = np.clip(y, 0, len(table) - 1.001)
    y0, x0 = y.astype(int), np.floor(x).astype(int)
    fy, fx = y - y0, x - x0
    a, b = x0 % table.shape[1], (x0 + 1) % table.shape[1]
    upper = table[y0, a] * (1 - fx) + table[y0, b] * fx
    lower = table[y0 + 1, a] * (1 - fx) + table[y0 + 1, b] * fx
    return upper * (1 - fy) + lower * fy


LEG_STRAIGHT = {"tight": 0.0, "slim": 0.12, "regular": 0.75, "loose": 1.0}
"""Fraction of the thigh's width that trousers keep further down the leg, by fit."""


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
    """Values interpolated between the centres of rows; (n, C)."""
    at = np.arange(len(table)) + 0.5
    return np.stack([np.interp(row, at, table[:, k]) for k in range(table.shape[1])], axis=1)


def _legs_apart(place: np.ndarray, garment: Garment, figure: Figure) -> np.ndarray:
    """Prevent wide legs from intersecting."""
    result = place.copy()
    down = np.clip((figure.crotch - place[:, 2]) / 0.05, 0, 1)
    for side, out in ((0, 1.0), (1, -1.0)):
        mine = garment.legs[:, side] > 0.5
        least = 0.004 * down[mine]
        result[mine, 0] = out * np.maximum(out * place[mine, 0], least)
    return result


def _hung(place: np.ndarray, garment: Garment, figure: Figure, template: Figure) -> np.ndarray:
    """Place the rings of skirts and long tops below the hips."""
    size = len(garment.ring)
    if not size:
        return place
    cut = garment.cut
    scale = (figure.crotch - figure.ankle) / (template.crotch - template.ankle)
    fall = garment.fall[garment.fall > 0].reshape(-1, size) * scale  # (K, L)
    loop = place[garment.ring]
    centre = np.array([0.0, np.interp(figure.crotch + 0.07, *figure.side)])
    radial = loop[:, :2] - centre
    angle = np.unwrap(np.arctan2(radial[:, 0], radial[:, 1]))
    radius = np.linalg.norm(radial, axis=1)
    closed = cut.front != "open"
    even = _even_angles(loop, angle, closed)
    share = np.minimum(np.arange(1, len(fall) + 1) / 5, 1.0)[:, None]
    turned = angle + share * (even - angle)  # (K, L)
    wide = _around(turned, angle, radius)
    hips = _around(turned, *_hips(figure, centre))
    if cut.pleats:
        wide = np.maximum(wide, _hips_above(figure, centre, turned, loop[:, 2] - fall) + min(cut.ease, 0.01))
        wide = np.maximum.accumulate(wide, axis=0)
    else:
        wide = wide + np.maximum(hips + min(cut.ease, 0.01) - wide, 0) * smoothstep(0.0, 0.09, fall)
    wider = _widened(wide, fall, turned, cut)
    banded = garment.snug[garment.fall > 0].reshape(fall.shape).any(axis=1)
    if banded.any():
        above = np.maximum(fall[np.argmax(banded)] - fall, 0)
        wider = np.minimum(wider, hips + BAND_EASE + BAND_TAPER * above)
    rings = np.empty((*fall.shape, 3))
    rings[..., 0] = centre[0] + np.sin(turned) * wider
    rings[..., 1] = centre[1] + np.cos(turned) * wider
    rings[..., 2] = loop[:, 2] - fall
    result = place.copy()
    result[garment.fall > 0] = rings.reshape(-1, 3)
    return result


def _widened(wide: np.ndarray, fall: np.ndarray, turned: np.ndarray, cut: Cut) -> np.ndarray:
    """Radii (K, L) of a skirt's rings: those of a straight skirt (`wide`), widened by the flare."""
    if cut.flare < 0:
        return wide * np.maximum(1 + cut.flare * np.maximum(fall - 0.12, 0) / wide.mean(), 0.75)
    # A skirt's outline changes from the hips' oval to a circle as it widens.
    wider = wide + cut.flare * fall * (wide / wide.mean()) ** -0.5
    if cut.flare > 0.12 and not cut.pleats:
        waves = np.sin(turned * 5 + 0.6) + 0.7 * np.sin(turned * 8 + 2.0) + 0.4 * np.sin(turned * 13)
        wider = wider + 0.08 * cut.flare * fall * waves
    return wider


def _even_angles(loop: np.ndarray, angle: np.ndarray, closed: bool) -> np.ndarray:
    """Angles (L,) that space points evenly along a loop while rotating them as little as possible."""
    chain = np.concatenate([loop, loop[:1]]) if closed else loop
    turn = np.sign(angle[-1] - angle[0]) * 2 * np.pi
    angles = np.append(angle, angle[0] + turn) if closed else angle
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(chain, axis=0), axis=1))])
    even = np.interp(np.linspace(0, along[-1], len(chain)), along, angles)[: len(loop)]
    return even + (angle - even).mean() if closed else even


def _around(at: np.ndarray, angle: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Radii at other angles, by periodic interpolation."""
    order = np.argsort(angle % (2 * np.pi))
    return np.interp(at % (2 * np.pi), angle[order] % (2 * np.pi), radius[order], period=2 * np.pi)


def _hips(figure: Figure, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outline of the hips: angles, and the largest radius from the crotch to 13 cm above it at each, without
    hollows."""
    height = figure.points[:, 2] - figure.crotch
    ring = figure.points[(height > -0.02) & (height < 0.13) & (suit().arms.sum(axis=1) < 0.2), :2] - centre
    angle = np.arctan2(ring[:, 0], ring[:, 1])
    column = ((angle + np.pi) / (2 * np.pi) * _COLUMNS).astype(int) % _COLUMNS
    table = np.zeros((1, _COLUMNS))
    np.maximum.at(table, (0, column), np.linalg.norm(ring, axis=1))
    return (np.arange(_COLUMNS) + 0.5) / _COLUMNS * 2 * np.pi - np.pi, spanned(table)[0]


def _hips_above(figure: Figure, centre: np.ndarray, angle: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Radii (K, L) of the body's outline without hollows, at angles and heights (K, L) from the hips to the waist."""
    low, step = figure.crotch, 0.02
    points = figure.points[suit().arms.sum(axis=1) < 0.2] - [*centre, low]
    row = (points[:, 2] / step).astype(int)
    around = np.arctan2(points[:, 0], points[:, 1])
    column = ((around + np.pi) / (2 * np.pi) * _COLUMNS).astype(int) % _COLUMNS
    inside = (points[:, 2] >= 0) & (row < _ROWS)
    table = np.zeros((_ROWS, _COLUMNS))
    np.maximum.at(table, (row[inside], column[inside]), np.linalg.norm(points[inside, :2], axis=1))
    table = gaussian_filter(spanned(table), (1.0, 1.0), mode=("nearest", "wrap"))
    y = np.maximum((height - low) / step - 0.5, 0)
    return _looked_up(table, y, (angle + np.pi) / (2 * np.pi) * _COLUMNS - 0.5)


def tucked(garment: Garment, figure: Figure, waist: float) -> np.ndarray:
    """(V,) 0..1: degree to which each vertex of a top is tucked in below a waist."""
    field = waist_field(garment.basis @ figure.points, waist)
    return smoothstep(-0.06, -0.001, field) * (garment.arms.sum(axis=1) < 0.3)


def tucked_in(rest: np.ndarray, garment: Garment, figure: Figure, share: np.ndarray) -> np.ndarray:
    """Pull the tucked part of a top close to the body; (V, 3) metres."""
    close = garment.basis @ figure.points + garment.basis @ figure.normals * 0.001
    return rest + (close - rest) * share[:, None]
