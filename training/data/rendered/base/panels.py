"""Flat pieces of cloth, in metres, on which dressing paints fabrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .surfaces import Kind

Role = Literal["body", "sleeve", "leg", "skirt", "trim", "rib", "lining", "wall", "floor"]
"""body, sleeve, leg and skirt are made of the fabric; trim (collar, cuff, waistband, placket, pocket) may differ; rib
is knitted edging; lining is the inside."""

LineRole = Literal["hem", "neck", "armhole", "cuff", "seam", "placket", "waist", "fly", "pocket", "yoke", "pleat"]


@dataclass(frozen=True)
class Line:
    """A sewn line on a panel."""

    role: LineRole
    """Type of the line; dressing chooses stitches, folds or nothing."""
    points: np.ndarray
    """(N, 2) float32: positions on the panel, in metres."""


@dataclass(frozen=True)
class Panel:
    """A piece of cloth (or of a wall or floor) with its own plane."""

    name: str
    """front, back, sleeve_left, collar, cuff_left, waistband, placket, pocket_left, hood, lining, wall, floor, ..."""
    kind: Kind
    """Kind of surface."""
    role: Role
    """Role of the panel, which decides what is painted on it."""
    box: tuple[float, float, float, float]
    """left, top, right, bottom of the used part in metres; v = 0 at the garment's top, u = 0 at its centre front."""
    lines: tuple[Line, ...] = ()
    """Hems and seams."""
    buttons: tuple[tuple[float, float, float], ...] = ()
    """u, v, radius of each button, metres."""
    print_room: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom of the area for prints; None if there is none."""
    span: tuple[float, float] | None = None
    """Top and bottom of the garment on this panel, for gradients and colour blocks; None to use `box`."""
