"""Cut dresses, jumpsuits and overalls from the pieces of upper and lower garments."""

import numpy as np

from ..art.arrays import Array
from ..art.curves import mirrored, smooth
from ..art.palette import mixed, scaled, seam_colour
from .lowers import legs, skirt_marks, skirt_outline, waistband
from .parts import Mark, Part, dot, line
from .style import Style
from .uppers import (
    BODY_DRAG,
    back_collar,
    back_neck,
    bodice_outline,
    collar,
    neck_marks,
    placket,
    pocket_marks,
    shoulder_y,
    sleeves,
)

WAIST = 0.212


def dress_outline(style: Style) -> tuple[Array, float]:
    """A single outline from the shoulders to the hem, and half the width of the hem."""
    waist = 0.079 + 0.01 * style.ease
    skirt, hem = skirt_outline(style, WAIST, waist)
    upper = bodice_outline(style, waist, 0.1, waist, WAIST)
    right = upper[: len(upper) // 2]
    cut = int(np.argmax(right[:, 1] >= WAIST - 0.012))
    skirt_right = skirt[: len(skirt) // 2]
    return mirrored(np.concatenate([right[:cut], skirt_right[2:]]).astype(np.float32)), hem


def belt(style: Style, half: float) -> Part:
    """A belt, or the band of a waist seam."""
    y = WAIST
    base = style.cloth.colours[0]
    colour = style.trim if style.trim != base else mixed(scaled(base, 0.6), (60, 44, 36), 0.4)
    outline = np.array(
        [(-half, y - 0.009), (0, y - 0.006), (half, y - 0.009), (half, y + 0.009), (0, y + 0.013), (-half, y + 0.009)],
        np.float32,
    )
    cloth = type(style.cloth)("solid", (colour, colour, colour), 0.05)
    buckle = line(
        [(-0.01, y - 0.006), (0.01, y - 0.006), (0.01, y + 0.01), (-0.01, y + 0.01), (-0.01, y - 0.006)],
        (196, 176, 120),
        0.004,
    )
    return Part("belt", "spine", outline, cloth, 1, (buckle,))


def cut_dress(style: Style) -> list[Part]:
    """A dress: bodice and skirt in one panel, sleeves, neck, and sometimes a belt or waist seam."""
    outline, hem = dress_outline(style)
    waist = 0.084 + 0.01 * style.ease
    marks: list[Mark] = pocket_marks(style) if style.pockets else []
    marks += skirt_marks(style, WAIST, waist, hem)
    if style.neckline == "shirt":
        marks += placket(style, 0.05, style.length)
    else:
        marks += neck_marks(style)
    if style.cut != "sheath_dress" and style.detail % 4:
        marks.append(
            line([(-0.12, WAIST), (0, WAIST + 0.004), (0.12, WAIST)], seam_colour(style.cloth.colours[0]), 0.003)
        )
    drag = (*BODY_DRAG, (0.0, 0.36, 0.05, style.length), (-0.04, 0.34, -0.09, style.length - 0.02))
    body = Part("body", "spine", outline, style.cloth, 0, tuple(marks), style.prints, drag=drag)
    parts = [back_neck(style)]
    if style.neckline == "shirt":
        parts.append(back_collar(style))
    parts += [*sleeves(style), body]
    if style.detail % 5 in (1, 2):
        parts.append(belt(style, waist + 0.001))
    return parts + (collar(style) if style.neckline == "shirt" else [])


def cut_jumpsuit(style: Style) -> list[Part]:
    """A jumpsuit: trouser legs below a bodice, with a belt."""
    outline = bodice_outline(style, 0.085, 0.1, 0.087, WAIST + 0.008)
    marks: list[Mark] = neck_marks(style)
    if style.detail % 2:
        marks += placket(style, max(style.neck_depth, 0.03), WAIST + 0.01) if not style.prints else []
    body = Part("body", "spine", outline, style.cloth, 0, tuple(marks), style.prints, drag=BODY_DRAG[:4])
    return [
        back_neck(style),
        *sleeves(style),
        *legs(style, WAIST - 0.012),
        body,
        belt(style, 0.09 + 0.004 * style.ease),
    ]


def cut_overalls(style: Style) -> list[Part]:
    """Overalls: a bib with a pocket, straps with buckles, and trouser legs."""
    base = style.cloth.colours[0]
    edge = (206, 150, 84) if style.cloth.kind == "solid" else seam_colour(base)
    bib = mirrored(
        np.array([(0, 0.075), (0.055, 0.075), (0.06, 0.12), (0.084, 0.2), (0.086, 0.225), (0, 0.225)], np.float32)
    )
    rim = line([(-0.05, 0.083), (0.05, 0.083), (0.055, 0.12), (0.08, 0.2)], edge, 0.0028)
    pocket = [(-0.034, 0.115), (0.034, 0.115), (0.034, 0.165), (0, 0.175), (-0.034, 0.165), (-0.034, 0.115)]
    marks: list[Mark] = [rim]
    if not style.prints:
        marks.append(line(pocket, edge, 0.003))
    straps = []
    for name, s in (("strap_l", -1.0), ("strap_r", 1.0)):
        side = smooth([(0.036, shoulder_y(0.05) - 0.004), (0.034, 0.05), (0.032, 0.1)])
        other = smooth([(0.054, 0.1), (0.054, 0.05), (0.056, shoulder_y(0.07) - 0.004)])
        outline = np.concatenate([side, other]) * np.array([s, 1], np.float32)
        straps.append(
            Part(
                name,
                "spine",
                outline.astype(np.float32),
                style.cloth,
                1,
                (dot(s * 0.043, 0.093, (196, 176, 120), 0.014),),
            )
        )
    body = Part("body", "spine", bib, style.cloth, 0, tuple(marks), style.prints, drag=BODY_DRAG[2:4])
    return [*legs(style, 0.2), body, waistband(style, 0.205, 0.084, 0.02), *straps]


def cut_full(style: Style) -> list[Part]:
    """All parts of a full-body garment."""
    if style.cut == "jumpsuit":
        return cut_jumpsuit(style)
    if style.cut == "overalls":
        return cut_overalls(style)
    return cut_dress(style)
