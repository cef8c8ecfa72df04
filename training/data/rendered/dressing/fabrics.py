"""Fabrics: a weave, a pattern all over, and how evenly it is dyed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.synthetic.palette import Rgb
from training.data.synthetic.textures import PAINTERS, Pattern, paint, solid

from . import allover
from .noise import noise


@dataclass(frozen=True)
class Fabric:
    """One cloth as it lies on the roll."""

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


def plain(colour: Rgb, weave: str = "plain", gloss: float = 0.0, mottle: float = 0.015) -> Fabric:
    """A cloth of one colour."""
    return Fabric(weave, solid(colour), gloss, mottle)


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
        uneven = noise(pattern.seed + 1, u, v, 0.05) + noise(pattern.seed + 2, u, v, 0.14)
        colours *= 1 + uneven[..., None] * np.float32(fabric.mottle * 0.5)
    return colours


def worn(colours: np.ndarray, fabric: Fabric, u: np.ndarray, v: np.ndarray, middle: float, top: float) -> np.ndarray:
    """Denim faded along the middle of a leg and creased at the hips; colours (h, w, 3) are changed in place.

    middle: u of the leg's middle; top: v of the garment's top.
    """
    seed = fabric.pattern.seed
    across = np.exp(-(((u - middle) / 0.055) ** 2))
    thigh = np.exp(-(((v - top - 0.32) / 0.17) ** 2)) + 0.55 * np.exp(-(((v - top - 0.6) / 0.12) ** 2)) + 0.22
    cloudy = 1 + 0.3 * noise(seed + 3, u, v, 0.06) + 0.25 * noise(seed + 4, u, v, (0.02, 0.12))
    whiskers = np.clip(noise(seed + 5, u, v, (0.07, 0.012)), 0, 2)
    whiskers = whiskers * np.exp(-(((v - top - 0.16) / 0.06) ** 2))
    amount = np.clip(fabric.fade * (across * thigh * cloudy * 0.75 + 0.16 * whiskers + 0.12 * (cloudy - 1)), -0.2, 0.85)
    light = np.array([196, 208, 220], np.float32)
    colours += amount[..., None] * (light - colours)
    return colours
