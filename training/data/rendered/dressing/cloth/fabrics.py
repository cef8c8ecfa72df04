"""Fabrics: a weave, a pattern all over, and how evenly it is dyed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.synthetic.art.palette import Rgb
from training.data.synthetic.art.textures import PAINTERS, Pattern, paint

from ..picture.kernels import blend
from . import allover
from .noise import noise

STEP = 4
"""Texels between places where slow changes are computed."""
WORN = np.array([196, 208, 220], np.float32)
"""Colour that denim fades to."""


@dataclass(frozen=True)
class Fabric:
    """One fabric, laid flat."""

    weave: str
    """One of relief.WEAVES."""
    pattern: Pattern
    """Colours and what is printed or woven all over; its kind is one of textures.PATTERNS or of allover.PRINTS."""
    gloss: float = 0.0
    """Share of a clear coat's reflections, 0 for cotton to about 1 for patent leather."""
    mottle: float = 0.02
    """Deviation of the brightness by uneven dye and wear over a hand's width."""
    fade: float = 0.0
    """How far wear has lightened the middle of legs and body, 0..1; denim."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Where the pattern starts, metres from the panel's own origin."""

    @property
    def colour(self) -> Rgb:
        """Its main colour."""
        return self.pattern.colours[0]


def paint_fabric(fabric: Fabric, u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    """sRGB colours 0..255 of a cloth at u (1, w) and v (h, 1) in metres on its panel; pixel is their step.

    Returns (h, w, 3) float32 without the weave's fine structure.
    """
    u, v = u - np.float32(fabric.origin[0]), v - np.float32(fabric.origin[1])
    pattern = fabric.pattern
    if pattern.kind in allover.PRINTS:
        colours = allover.paint(pattern, u, v, pixel)
    elif pattern.kind in PAINTERS:
        colours = paint(pattern, u, v, pixel)
    else:
        colours = np.empty((v.shape[0], u.shape[1], 3), np.float32)
        colours[:] = pattern.colours[0]
    if fabric.mottle > 0:
        u, v = _nodes(u, v, pixel)
        uneven = noise(pattern.seed + 1, u, v, 0.05) + noise(pattern.seed + 2, u, v, 0.14)
        blend(colours, uneven * np.float32(fabric.mottle * 0.5), STEP, WORN, True)
    return colours


def _nodes(u: np.ndarray, v: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Every STEP-th place of u (1, w) and v (h, 1), and one beyond."""
    columns, rows = (np.arange(n // STEP + 2, dtype=np.float32) * np.float32(STEP * pixel) for n in (u.size, v.size))
    return u[0, 0] + columns[None], v[0, 0] + rows[:, None]


def worn(
    colours: np.ndarray,
    fabric: Fabric,
    u: np.ndarray,
    v: np.ndarray,
    pixel: float,
    middles: tuple[float, ...],
    top: float,
) -> np.ndarray:
    """Denim faded along the middles of legs and creased at the hips; colours (h, w, 3) are changed in place.

    u (1, w), v (h, 1) and their step `pixel` as of paint_fabric; middles: u of the legs' middles; top: v of the
    garment's top.
    """
    seed = fabric.pattern.seed
    u, v = _nodes(u, v, pixel)
    across = sum(np.exp(-(((u - middle) / 0.07) ** 2)) for middle in middles)
    thigh = np.exp(-(((v - top - 0.34) / 0.2) ** 2)) + 0.5 * np.exp(-(((v - top - 0.62) / 0.13) ** 2)) + 0.15
    cloudy = 1 + 0.16 * noise(seed + 3, u, v, 0.08) + 0.14 * noise(seed + 4, u, v, (0.03, 0.16))
    whiskers = np.clip(noise(seed + 5, u, v, (0.09, 0.016)), 0, 1.5) * np.exp(-(((v - top - 0.15) / 0.05) ** 2))
    amount = fabric.fade * (across * (thigh * cloudy * 0.5 + 0.1 * whiskers) + 0.2 * (cloudy - 1))
    blend(colours, np.clip(amount, -0.2, 0.8).astype(np.float32), STEP, WORN, False)
    return colours
