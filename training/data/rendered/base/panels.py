"""Pieces of cloth laid flat, in metres: what garments give to dressing, so that fabrics can be painted on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .surfaces import Kind

Role = Literal["body", "sleeve", "leg", "skirt", "trim", "rib", "lining", "wall", "floor"]
"""body, sleeve, leg and skirt carry the fabric; trim (collar, cuff, waistband, placket, pocket) may be of another
cloth; rib is knitted edging; lining is the inside."""

LineRole = Literal["hem", "neck", "armhole", "cuff", "seam", "placket", "waist", "fly", "pocket", "yoke", "pleat"]


@dataclass(frozen=True)
class Line:
    """A line on a panel along which something is sewn."""

    role: LineRole
    """What it is; dressing chooses stitches, folds or nothing."""
    points: np.ndarray
    """(N, 2) float32, metres on the panel."""


@dataclass(frozen=True)
class Panel:
    """One piece of cloth (or of a set's wall or floor) with a plane of its own."""

    name: str
    """front, back, sleeve_left, collar, cuff_left, waistband, placket, pocket_left, hood, lining, wall, floor, ..."""
    kind: Kind
    """What its surface is made of."""
    role: Role
    """What is painted on it."""
    box: tuple[float, float, float, float]
    """left, top, right, low of the used part, metres; v = 0 at the garment's top, u = 0 in the middle of its front."""
    lines: tuple[Line, ...] = ()
    """Hems and seams."""
    buttons: tuple[tuple[float, float, float], ...] = ()
    """u, v, radius of each button, metres."""
    print_room: tuple[float, float, float, float] | None = None
    """left, top, right, low of the part where a print or lettering may lie; None for nowhere."""
    span: tuple[float, float] | None = None
    """top and bottom of the garment on this panel, for gradients and colour blocks; None as box."""
