"""Fabrics: a weave, an all-over pattern, and the evenness of the dye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....synthetic.art.palette import Rgb
from ....synthetic.art.textures import PAINTERS, Pattern, paint
from ..pixels.kernels import blend
from . import allover
from .noise import noise

STEP = 4
"""Spacing in texels of the grid on which smooth, low-frequency variation is computed."""
WORN = np.array([196, 208, 220], np.float32)
"""Colour of faded denim."""


@dataclass(frozen=True)
class Fabric:
    """A flat fabric."""

    weave: str
    """One of relief.WEAVES."""
    pattern: Pattern
    """Colours and all-over pattern, one of textures.PATTERNS or allover.PRINTS."""
    gloss: float = 0.0
    """Strength of reflections, from 0 for cotton to about 1 for patent leather."""
    mottle: float = 0.02
    """Standard deviation of the brightness due to uneven dye and wear, in patches about as wide as a hand."""
    fade: float = 0.0
    """Fading of the centre of legs and body due to wear, 0..1; for denim."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Origin of the pattern, metres from the panel's origin."""

    @property
    def colour(self) -> Rgb:
        """The main colour."""
        return self.pattern.colours[0]


def paint_fabric(fabric: Fabric, u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    """Paint a fabric at positions u (1, w) and v (h, 1) on its panel, in metres and `pixel` apart.

    Returns sRGB colours in 0..255, (h, w, 3) float32, without the weave's fine structure.
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
    """Every STEP-th value of u (1, w) and v (h, 1), including one beyond the end."""
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
    """Fade denim along the legs and crease it at the hips; changes colours (h, w, 3) in place.

    u (1, w), v (h, 1) and pixel are as in paint_fabric. `middles` contains the u of the legs' centres, and `top` is the
    v of the garment's top.
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
