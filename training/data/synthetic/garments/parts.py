"""Parts of a garment in a bone's local coordinates, with marks (seams, buttons, pockets) and prints."""

from dataclasses import dataclass

import numpy as np

from ..art.arrays import Array
from ..art.lettering import Print
from ..art.palette import Rgb
from ..art.textures import Pattern

SHOULDER = (0.085, 0.045)  # right arm joint in the body plane; y = 0 is the base of the neck, 1 is the body height
HIP_X, LEG_START = 0.05, 0.2  # x of the leg's axis, and y where its bone begins (the waist)
UPPER_ARM, FOREARM = 0.15, 0.14
CROTCH, KNEE, ANKLE, SOLE = 0.385, 0.575, 0.785, 0.815


@dataclass(frozen=True)
class Mark:
    """A drawn detail: a line, a filled outline, or a dot (one point, width = diameter)."""

    kind: str  # "line", "fill", "dot"
    points: Array  # (N, 2) local
    colour: Rgb
    width: float = 0.003
    dash: float = 0.0  # dash length; 0 for a solid line


@dataclass(frozen=True)
class Part:
    """A piece of cloth."""

    name: str
    bone: str  # "spine", "arm_l", "arm_r", "leg_l", "leg_r"
    outline: Array  # (N, 2) local
    pattern: Pattern
    z: int = 0  # painting order; parts at -2 or less are behind the neck and head
    marks: tuple[Mark, ...] = ()
    prints: tuple[Print, ...] = ()
    shift: float = 0.0  # added to u, so that a pattern continues from part to part
    shade: float = 1.0  # brightness; below 1 for the inside of the back
    drag: tuple[tuple[float, float, float, float], ...] = ()  # fold lines (x0, y0, x1, y1)


@dataclass(frozen=True)
class Garment:
    """A designed garment: its parts from back to front, and its attributes."""

    category: str  # "upper", "lower", "full"
    cut: str
    parts: tuple[Part, ...]
    attributes: dict[str, str | float | bool]
    flat_arm: float  # angle of the sleeves in the flat image, in radians
    flat_leg: float
    closed_top: float = 0.0  # position of the garment's upper end along the spine


def line(points: list[tuple[float, float]] | Array, colour: Rgb, width: float = 0.003, dash: float = 0.0) -> Mark:
    """A line mark."""
    return Mark("line", np.asarray(points, np.float32), colour, width, dash)


def fill(points: list[tuple[float, float]] | Array, colour: Rgb) -> Mark:
    """A filled mark."""
    return Mark("fill", np.asarray(points, np.float32), colour)


def dot(x: float, y: float, colour: Rgb, diameter: float = 0.009) -> Mark:
    """A button."""
    return Mark("dot", np.array([[x, y]], np.float32), colour, diameter)


def flip(points: Array) -> Array:
    """Mirror an outline left-right (never used on prints)."""
    return points * np.array([-1, 1], np.float32)
