"""Cut trousers and skirts; leg parts use leg coordinates, with 0 at the leg's axis."""

import numpy as np

from ..art.arrays import Array
from ..art.curves import mirrored, smooth
from ..art.palette import Rgb, scaled, seam_colour
from .parts import CROTCH, HIP_X, KNEE, Mark, Part, dot, fill, flip, line
from .style import Style
from .uppers import hem_half

STITCH: Rgb = (206, 150, 84)


def leg_half_widths(style: Style) -> tuple[float, float, float]:
    """Half widths of a leg at thigh, knee and hem."""
    e = style.ease
    if style.cut == "leggings":
        return 0.047, 0.034, 0.025
    if style.cut == "shorts":
        return 0.055 + 0.008 * e, 0.05 + 0.014 * e, 0.054 + 0.016 * e
    flare = (style.detail % 4) / 3  # from slim to wide
    return 0.052, 0.04 + 0.012 * flare * e, 0.032 + 0.032 * flare * e


def leg_outline(style: Style, top: float) -> Array:
    """Outline of the right half of a pair of trousers, from waist to hem.

    x is 0 on the leg's axis, and negative towards the other leg.
    """
    thigh, knee, hem = leg_half_widths(style)
    y = style.length
    e = 0.006 * style.ease
    outer = [(0.079 + e - HIP_X, top), (0.097 + e - HIP_X, 0.29), (0.104 + e - HIP_X, CROTCH - 0.02)]
    inner = []
    if y > KNEE + 0.03:
        outer += [(thigh * 0.5 + knee * 0.5, 0.48), (knee, KNEE)]
        inner += [(-knee, KNEE), (-thigh * 0.9, 0.46)]
    outer.append((hem, y))
    inner = [(-hem, y), *inner, (-HIP_X + 0.003, CROTCH + 0.006)]
    edge = np.array([(-HIP_X - 0.004, CROTCH), (-HIP_X - 0.004, top)], np.float32)
    return np.concatenate([smooth(outer), smooth(inner), edge]).astype(np.float32)


def leg_marks(style: Style, top: float) -> list[Mark]:
    """Seams, slanted pocket, crease and hem of the right half of trousers."""
    base = style.cloth.colours[0]
    edge = seam_colour(base)
    stitch = STITCH if style.cut == "jeans" else edge
    hem = style.length
    marks = [line([(-0.1, hem - 0.012), (0.1, hem - 0.012)], stitch, 0.0028)]
    if style.trim != base and style.cut in ("shorts", "leggings"):
        marks.insert(
            0, fill([(-0.1, hem - 0.014), (0.1, hem - 0.014), (0.1, hem + 0.03), (-0.1, hem + 0.03)], style.trim)
        )
    if style.cut == "leggings":
        return marks
    if style.cut == "jeans":
        marks.append(line(smooth([(0.008, top + 0.018), (0.02, top + 0.05), (0.06, top + 0.062)]), stitch, 0.0034))
        marks.append(line([(0.034, 0.3), (0.045, 0.4), (0.03, KNEE), (0.022, hem)], scaled(base, 0.75), 0.0026))
    else:
        marks.append(line([(0.014, top + 0.02), (0.04, top + 0.085)], edge, 0.0034))
    if style.cut == "trousers" and style.detail % 2:
        marks.append(line([(0.0, top + 0.03), (0.0, hem)], edge, 0.002))
    return marks


def legs(style: Style, top: float) -> list[Part]:
    """Both halves of trousers; a print appears on one leg only and is never mirrored."""
    outline = leg_outline(style, top)
    marks = leg_marks(style, top)
    left_marks = tuple(Mark(m.kind, flip(m.points), m.colour, m.width, m.dash) for m in marks)
    fly = line([(-HIP_X, top), (-HIP_X, CROTCH)], seam_colour(style.cloth.colours[0]), 0.0034)
    fly_stitch = line(
        smooth([(-HIP_X + 0.016, top), (-HIP_X + 0.016, 0.29), (-HIP_X, 0.325)]),
        STITCH if style.cut == "jeans" else seam_colour(style.cloth.colours[0]),
        0.0024,
    )
    on_right = style.print_at == "leg" and style.detail % 2 == 0
    drag = (
        (-0.05, CROTCH, 0.04, 0.36),
        (-0.05, 0.395, 0.03, 0.43),
        (-0.03, KNEE - 0.01, 0.03, KNEE + 0.01),
        (0.03, KNEE + 0.02, -0.02, KNEE + 0.03),
        (0.02, 0.74, -0.02, 0.755),
    )
    left_drag = tuple((-a, b, -c, d) for a, b, c, d in drag)
    prints = style.prints if style.print_at == "leg" else ()
    left_fly = Mark(fly.kind, flip(fly.points), fly.colour, fly.width)
    return [
        Part(
            "leg_l",
            "leg_l",
            flip(outline),
            style.cloth,
            0,
            (*left_marks, left_fly),
            () if on_right else prints,
            -HIP_X,
            drag=left_drag,
        ),
        Part(
            "leg_r",
            "leg_r",
            outline,
            style.cloth,
            0,
            (*marks, fly, fly_stitch),
            prints if on_right else (),
            HIP_X,
            drag=drag,
        ),
    ]


def waistband(style: Style, top: float, half: float, height: float) -> Part:
    """A waistband with a button or drawstring."""
    base = style.cloth.colours[0]
    low = np.array([(half + 0.004, top + height), (0, top + height + 0.004), (-half - 0.004, top + height)], np.float32)
    high = smooth([(-half, top - 0.003), (0, top + 0.003), (half, top - 0.003)])
    edge = seam_colour(base)
    marks: list[Mark] = [line(low, STITCH if style.cut == "jeans" else edge, 0.003)]
    if style.cut in ("leggings", "shorts") and style.detail % 2:
        marks += [line([(s * 0.003, top + 0.008), (s * 0.012, top + height)], (238, 236, 230), 0.005) for s in (-1, 1)]
    elif style.cut != "leggings":
        marks.append(dot(0, top + height * 0.5, style.button, 0.011))
        marks += [line([(x, top - 0.01), (x, top + height)], edge, 0.0045) for x in (-0.05, 0.05)]
    return Part("waistband", "spine", np.concatenate([high, low]), style.cloth, 1, tuple(marks))


def skirt_outline(style: Style, top: float, waist: float) -> tuple[Array, float]:
    """Outline of a skirt from waist to hem, and half the width of the hem."""
    y, e = style.length, style.ease
    if style.cut in ("pencil_skirt", "sheath_dress"):
        hem, hip = 0.086 + 0.012 * e, 0.106
    elif style.cut == "mini_skirt":
        hem, hip = 0.112 + 0.02 * e, 0.106
    else:
        hem = 0.11 + (y - 0.33) * (0.2 + 0.4 * e)
        hip = waist + (hem - waist) * (0.34 - top) / (y - top) + 0.012
    side = smooth([(waist, top), (hip, 0.34), (hem, y)])
    kind = "straight" if style.hem == "curved" else style.hem
    half = np.concatenate([[[0, top]], side[:-1], hem_half(hem, y, kind)])
    return mirrored(half.astype(np.float32)), hem


def skirt_marks(style: Style, top: float, waist: float, hem: float) -> list[Mark]:
    """Pleats, slit, buttons and hem of a skirt."""
    base, y = style.cloth.colours[0], style.length
    edge = seam_colour(base)
    low = hem_half(hem + 0.02, y, "straight") - np.array([0, 0.012], np.float32)
    marks = [line(np.concatenate([low * [-1, 1], low[::-1]]), edge, 0.0026)]
    if style.cut == "pleated_skirt":
        for k in np.linspace(-0.86, 0.86, 9):
            marks.append(line([(k * waist, top), (k * hem, y + 0.02)], edge, 0.0034))
    if style.hem == "slit" and style.cut != "mini_skirt":
        marks.append(line([(0.4 * hem, y - 0.09), (0.4 * hem, y + 0.02)], edge, 0.006))
    if style.cut == "mini_skirt" and style.detail % 3 == 0:
        marks += [dot(0, float(v), style.button, 0.0105) for v in np.linspace(top + 0.05, y - 0.02, 4)]
    return marks


def cut_lower(style: Style) -> list[Part]:
    """All parts of trousers or a skirt."""
    top = 0.2
    if "skirt" not in style.cut:
        return [*legs(style, top), waistband(style, top, 0.08 + 0.005 * style.ease, 0.024)]
    waist = 0.079 + 0.004 * style.ease
    outline, hem = skirt_outline(style, top, waist)
    marks = skirt_marks(style, top, waist, hem)
    drag = ((0.08, 0.26, 0.0, 0.3), (-0.08, 0.3, 0.0, 0.33), (0.0, 0.36, 0.05, style.length))
    body = Part("skirt", "spine", outline, style.cloth, 0, tuple(marks), style.prints, drag=drag)
    return [body, waistband(style, top, waist, 0.024)]
