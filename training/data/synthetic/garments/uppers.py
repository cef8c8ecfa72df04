"""Cut tops (body panel, sleeves, back neck, collar, hood, placket) and the bodices of dresses."""

import numpy as np

from ..art.arrays import Array
from ..art.curves import mirrored, smooth
from ..art.palette import Rgb, scaled, seam_colour
from ..art.textures import solid
from .parts import Mark, Part, dot, fill, flip, line
from .style import Style

NECK_TOP = -0.012


def neck_half(style: Style) -> Array:
    """Right half of the front neckline, from the centre up to the shoulder; (N, 2)."""
    w, d = style.neck_width, style.neck_depth
    t = np.linspace(0, np.pi / 2, 9)
    if style.neckline in ("v", "shirt"):
        depth = d if style.neckline == "v" else 0.05
        return np.array([(0, depth), (w * 0.5, depth * 0.5 + NECK_TOP * 0.4), (w, NECK_TOP)], np.float32)
    if style.neckline == "square":
        return np.array([(0, d), (w * 0.88, d), (w, NECK_TOP)], np.float32)
    return np.stack([w * np.sin(t), NECK_TOP + (d - NECK_TOP) * np.cos(t)], 1).astype(np.float32)


def shoulder_y(x: float) -> float:
    """Height of the shoulder line at a distance from the centre."""
    return NECK_TOP + 0.03 * max(0.0, x - 0.035) / 0.073


def hem_half(half_width: float, y: float, kind: str) -> Array:
    """Right half of a hem from the side to the centre."""
    x = np.linspace(half_width, 0, 9)
    if kind == "curved":
        drop = 0.022 * np.cos(np.pi * np.clip(x / half_width, 0, 1)) * 0.5
        return np.stack([x, y + drop - 0.008], 1).astype(np.float32)
    bow = 0.006 * (1 - (x / half_width) ** 2)
    return np.stack([x, y + bow], 1).astype(np.float32)


def side_half(style: Style, waist: float, hip: float, hem_width: float, hem_y: float) -> Array:
    """Right side from the armpit to the hem, along the waist and hips."""
    e = style.ease * 0.012
    points = [(0.094 + e, 0.112)]
    if hem_y > 0.24:
        points.append((waist + e, 0.215))
    if hem_y > 0.42:
        points.append((hip + e, 0.335))
    points.append((hem_width, hem_y))
    return smooth(points)


def bodice_outline(style: Style, waist: float, hip: float, hem_width: float, hem_y: float) -> Array:
    """Closed outline of a body panel with armholes; (N, 2)."""
    neck = neck_half(style)
    neck = neck + np.array([[0, shoulder_y(style.neck_width) - NECK_TOP]]) * np.linspace(0, 1, len(neck))[:, None]
    tip = 0.106 if style.sleeve != "none" else 0.088 - 0.02 * (style.detail % 3 == 0)
    tip = max(tip, style.neck_width + 0.014)
    arm = smooth([(tip, shoulder_y(tip)), (min(tip, 0.096), 0.05), (0.094 + style.ease * 0.012, 0.112)], 5)[:-1]
    side = side_half(style, waist, hip, hem_width, hem_y)
    return mirrored(np.concatenate([neck, arm, side[:-1], hem_half(hem_width, hem_y, style.hem)]).astype(np.float32))


def back_neck(style: Style) -> Part:
    """The inside of the back, visible through the neck opening."""
    w = style.neck_width + 0.004
    depth = max(style.neck_depth, 0.05) + 0.014
    top = smooth([(-w, shoulder_y(w)), (0, NECK_TOP + 0.006), (w, shoulder_y(w))])
    low = np.array([(w, 0.01), (w * 0.85, depth), (-w * 0.85, depth), (-w, 0.01)], np.float32)
    colour = style.cloth.colours[0]
    label = fill([(-0.009, 0.0), (0.009, 0.0), (0.009, 0.01), (-0.009, 0.01)], (236, 234, 228))
    return Part("back", "spine", np.concatenate([top, low]), solid(colour), -2, (label,), shade=0.68)


def sleeves(style: Style, reach: float = 1.0) -> list[Part]:
    """Left and right sleeves in arm coordinates."""
    length = style.sleeve_length * reach
    if length <= 0:
        return []
    loose = 0.004 + 0.008 * style.ease
    top = 0.04 + loose * 0.5
    t = np.linspace(0, np.pi / 2, 8)
    cap = np.stack([top * np.sin(t), -0.034 * np.cos(t)], 1)
    skin = float(np.interp(length, [0.0, 0.15, 0.29], [0.036, 0.026, 0.018]))
    cuff = skin + loose + 0.003 + (0.006 if style.sleeve_length < 0.2 else 0.0)
    middle = (top + cuff) / 2
    if style.sleeve_style == "bell":
        cuff += 0.028 * min(1.0, length / 0.2)
        middle -= 0.002
    if style.sleeve_style == "puff":
        middle += 0.016
    side = smooth([(top, 0.0), (top * 0.5 + middle * 0.5, length * 0.3), (middle, length * 0.62), (cuff, length)])
    half = np.concatenate([cap[:-1], side, [[0, length + 0.004]]]).astype(np.float32)
    edge = seam_colour(style.sleeve_cloth.colours[0])
    band = 0.016 if length > 0.2 or style.sleeve_style == "puff" else 0.011
    ends = [(-0.1, length - band), (0.1, length - band)]
    marks: list[Mark] = []
    if style.trim != style.cloth.colours[0]:
        marks.append(fill([*ends, (0.1, length + 0.02), (-0.1, length + 0.02)], style.trim))
    marks.append(line(ends, edge, 0.0028))
    drag = ((-0.03, 0.13, 0.03, 0.16), (0.03, 0.15, -0.03, 0.165), (-0.04, 0.0, 0.02, 0.05))
    outline = mirrored(half)
    right = Part("sleeve_r", "arm_r", outline, style.sleeve_cloth, -1, tuple(marks), drag=drag)
    return [
        Part("sleeve_l", "arm_l", flip(outline)[::-1].copy(), style.sleeve_cloth, -1, tuple(marks), drag=drag),
        right,
    ]


def neck_marks(style: Style) -> list[Mark]:
    """Ribbing or facing along the neckline."""
    neck = neck_half(style)
    both = np.concatenate([neck[::-1] * [-1, 1], neck]).astype(np.float32)
    base = style.cloth.colours[0]
    if style.neckline == "crew" or style.trim != base:
        inner = both * np.array([1.0, 1.0], np.float32) + np.array([0, 0.006], np.float32)
        return [
            line(inner, style.trim, 0.015),
            line(both + np.array([0, 0.0135], np.float32), seam_colour(base), 0.0022),
        ]
    return [line(both + np.array([0, 0.009], np.float32), seam_colour(base), 0.0022)]


def collar(style: Style) -> list[Part]:
    """The two wings of a collar and its stand."""
    w, size = style.neck_width + 0.004, 0.03 + 0.012 * (style.detail % 5) / 4
    wing = np.array(
        [
            (0.002, 0.05),
            (0.02 + size * 0.55, 0.052 + size * 0.62),
            (w + size * 0.75, 0.012),
            (w * 0.98, -0.03),
            (w * 0.78, -0.034),
            (w * 0.55, 0.0),
        ],
        np.float32,
    )
    if style.cut == "polo":
        wing[1] -= (0.004, 0.006)
    cloth = solid(style.trim) if style.trim != style.cloth.colours[0] else style.cloth
    edge = seam_colour(cloth.colours[0])
    rim = np.concatenate([wing[:3] * [0.97, 0.985], wing[2:3] * 0.97]).astype(np.float32)
    marks = (line(rim, edge, 0.0022), line(np.concatenate([wing, wing[:1]]), edge, 0.003))
    left = tuple(Mark(m.kind, flip(m.points), m.colour, m.width) for m in marks)
    return [Part("collar_r", "spine", wing, cloth, 2, marks), Part("collar_l", "spine", flip(wing), cloth, 2, left)]


def back_collar(style: Style) -> Part:
    """The part of a collar behind the neck."""
    w = style.neck_width + 0.006
    top = smooth([(-w, -0.03), (0, -0.04), (w, -0.03)])
    low = np.array([(w, 0.02), (-w, 0.02)], np.float32)
    return Part("collar_back", "spine", np.concatenate([top, low]), solid(style.cloth.colours[0]), -2, shade=0.72)


def hood(style: Style) -> list[Part]:
    """A hood behind the neck, with its lining."""
    outer = smooth([(0.062, 0.045), (0.078, 0.01), (0.07, -0.04), (0.04, -0.072), (0, -0.08)])[::-1]
    outer = np.concatenate([outer, [[0, 0.06]]]).astype(np.float32)
    inner = mirrored(
        np.concatenate([smooth([(0, -0.06), (0.034, -0.05), (0.05, -0.012), (0.036, 0.03)]), [[0, 0.055]]])
    )
    lining = scaled(style.trim if style.trim != style.cloth.colours[0] else style.cloth.colours[0], 0.66)
    edge = seam_colour(style.cloth.colours[0])
    marks = (fill(inner, lining), line(np.concatenate([inner, inner[:1]]), edge, 0.003))
    return [Part("hood", "spine", mirrored(outer), style.cloth, -3, marks)]


def placket(style: Style, top: float, bottom: float) -> list[Mark]:
    """A button placket down the centre front."""
    base = style.cloth.colours[0]
    edge = seam_colour(base)
    marks = [line([(x, top), (x, bottom)], edge, 0.0026) for x in (-0.011, 0.011)]
    count = max(2, round((bottom - top) / 0.05))
    ys = np.linspace(top + 0.014, bottom - 0.02, count)
    return marks + [dot(0, float(y), style.button, 0.0095) for y in ys]


def zip_marks(style: Style, top: float, bottom: float) -> list[Mark]:
    """A zip down the centre front."""
    metal: Rgb = (176, 178, 184) if style.detail % 2 else (60, 60, 66)
    edge = seam_colour(style.cloth.colours[0])
    marks = [line([(0, top), (0, bottom)], metal, 0.0065), line([(0, top), (0, bottom)], scaled(metal, 0.6), 0.002)]
    marks += [line([(x, top), (x, bottom)], edge, 0.002) for x in (-0.011, 0.011)]
    return [
        *marks,
        fill([(-0.005, top + 0.02), (0.005, top + 0.02), (0.004, top + 0.045), (-0.004, top + 0.045)], metal),
    ]


def pocket_marks(style: Style) -> list[Mark]:
    """A chest pocket, kangaroo pocket or slanted pockets, depending on the cut."""
    edge = seam_colour(style.cloth.colours[0])
    if style.cut == "hoodie":
        y = style.length
        box = [
            (-0.035, y - 0.105),
            (0.035, y - 0.105),
            (0.066, y - 0.05),
            (0.066, y - 0.022),
            (-0.066, y - 0.022),
            (-0.066, y - 0.05),
            (-0.035, y - 0.105),
        ]
        return [line(box, edge, 0.0038)]
    if style.cut == "jacket":
        return [line([(s * 0.05, style.length - 0.12), (s * 0.072, style.length - 0.06)], edge, 0.006) for s in (-1, 1)]
    if style.cut in ("shirt", "shirt_dress", "tee") and not style.prints:
        box = [(0.026, 0.11), (0.066, 0.11), (0.066, 0.15), (0.046, 0.16), (0.026, 0.15), (0.026, 0.11)]
        return [line(box, edge, 0.003), line([(0.026, 0.118), (0.066, 0.118)], edge, 0.0022)]
    return []


def hem_marks(style: Style, half_width: float, y: float) -> list[Mark]:
    """A stitched or ribbed hem, and side slits."""
    base = style.cloth.colours[0]
    low = hem_half(half_width + 0.02, y, style.hem)
    both = np.concatenate([low * [-1, 1], low[::-1]]).astype(np.float32)
    band = 0.02 if style.cut in ("hoodie", "jacket") else 0.01
    up = both - np.array([0, band], np.float32)
    marks = [line(up, seam_colour(base), 0.0026)]
    if style.trim != base and style.cut in ("hoodie", "jacket", "polo", "tee", "crop_top", "long_sleeve"):
        marks.insert(0, fill(np.concatenate([up, both[::-1] + np.array([0, 0.03], np.float32)]), style.trim))
    if style.hem == "slit":
        marks += [
            line(
                [(s * (half_width - 0.014), y - 0.034), (s * (half_width - 0.012), y + 0.01)], seam_colour(base), 0.005
            )
            for s in (-1, 1)
        ]
    return marks


BODY_DRAG = (
    (0.085, 0.115, 0.02, 0.16),
    (-0.085, 0.115, -0.02, 0.16),
    (0.075, 0.21, 0.0, 0.24),
    (-0.075, 0.215, 0.01, 0.25),
    (0.05, 0.3, -0.03, 0.33),
)


def cut_open_jacket(style: Style) -> list[Part]:
    """A jacket worn open over another garment: sleeves and two fronts."""
    outline = bodice_outline(style, 0.1, 0.1, 0.118, style.length)
    gap = 0.03 + 0.012 * (style.detail % 3)
    edge = seam_colour(style.cloth.colours[0])
    parts = sleeves(style)
    right = outline[: len(outline) // 2]
    right = right[right[:, 0] > style.neck_width * 0.9]
    right = right[: int(np.argmax(right[:, 1])) + 1]
    inner = smooth([(gap * 1.15, style.length), (gap, 0.2), (gap * 0.9, 0.1), (style.neck_width * 0.95, NECK_TOP)])
    front = np.concatenate([right, inner]).astype(np.float32)
    rim = inner + np.array([0.009, 0], np.float32)
    for name, s in (("front_l", -1.0), ("front_r", 1.0)):
        turn = np.array([s, 1], np.float32)
        mark = (line(rim * turn, edge, 0.003),)
        parts.append(Part(name, "spine", front * turn, style.cloth, 0, mark, drag=BODY_DRAG))
    return parts


def cut_upper(style: Style) -> list[Part]:
    """All parts of a top, from back to front."""
    boxy = 0.006 + 0.012 * style.ease if style.cut in ("hoodie", "jacket", "shirt", "tee") else 0.0
    waist = 0.082 + boxy
    hem_width = float(np.interp(style.length, [0.2, 0.24, 0.34], [0.086, 0.085, 0.1])) + boxy + 0.01 * style.ease
    outline = bodice_outline(style, waist, 0.1, hem_width, style.length)
    marks = pocket_marks(style) if style.pockets or style.cut in ("hoodie", "jacket") else []
    marks += hem_marks(style, hem_width, style.length)
    if style.cut == "shirt" or (style.cut == "blouse" and style.detail % 2 and not style.prints):
        marks += placket(style, 0.05 if style.cut == "shirt" else style.neck_depth, style.length)
    elif style.cut == "polo":
        marks += placket(style, 0.05, 0.125)[:5]
    elif style.cut == "jacket":
        marks += zip_marks(style, 0.045, style.length)
    if style.neckline not in ("shirt", "hood"):
        marks += neck_marks(style)
    parts = [back_neck(style)]
    if style.neckline == "hood":
        parts = [*hood(style), back_neck(style)]
        cord: Rgb = (238, 236, 230)
        marks += [
            line(smooth([(s * 0.022, 0.028), (s * 0.025, 0.05), (s * 0.024, 0.076)]), cord, 0.0055) for s in (-1, 1)
        ]
        marks.insert(
            0,
            line(
                np.concatenate([neck_half(style)[::-1] * [-1, 1], neck_half(style)]),
                seam_colour(style.cloth.colours[0]),
                0.007,
            ),
        )
    if style.neckline == "shirt":
        parts.append(back_collar(style))
    body = Part("body", "spine", outline, style.cloth, 0, tuple(marks), style.prints, drag=BODY_DRAG)
    parts += [*sleeves(style), body]
    if style.neckline == "shirt":
        parts += collar(style)
    return parts
