"""Colours of walls and floors: coarse stains and shading, multiplied by a repeating tile of bricks, planks or grain."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...synthetic.art.palette import Rgb
from .cloth.noise import noise
from .cloth.relief import SIDE, Tile, streaks
from .pixels.colours import to_linear

WALLS = ("plain", "paper", "gradient", "plaster", "brick", "concrete", "planks", "tiles", "street")
FLOORS = ("paper", "gradient", "planks", "concrete", "asphalt", "carpet", "tiles")

SIZES = {"brick": 0.6, "planks": 1.2, "tiles": 0.8, "carpet": 0.2, "asphalt": 0.5, "plaster": 1.0, "concrete": 1.4}
"""Period of a material's tile in metres."""


def _axes() -> tuple[np.ndarray, np.ndarray]:
    x = (np.arange(SIDE) + 0.5) / SIDE
    return x[None], x[:, None]


def _masonry(rng: np.random.Generator, rows: int, columns: int, joint: float, shift: float, spread: float) -> tuple:
    """Shade of each stone (SIDE, SIDE) and coverage of the joints between them."""
    x, y = _axes()
    row = (y * rows).astype(int)
    place = x * columns + shift * (row % 2)
    shades = 1 + spread * rng.standard_normal((rows, columns))
    shade = shades[np.broadcast_to(row, (SIDE, SIDE)), place.astype(int) % columns]
    edge_y = np.abs((y * rows) % 1 - 0.5) * 2
    edge_x = np.abs(place % 1 - 0.5) * 2
    cover_y = np.clip((edge_y - 1) * SIDE / rows / 2 + joint, 0, 1)
    cover_x = np.clip((edge_x - 1) * SIDE / columns / 2 + joint, 0, 1)
    return shade, np.maximum(cover_x, np.broadcast_to(cover_y, (SIDE, SIDE)))


@lru_cache(maxsize=16)
def _relief(material: str) -> tuple[np.ndarray, np.ndarray]:
    """Multiplier of the material's colour, and coverage of the joints; (SIDE, SIDE, 1) float32."""
    rng = np.random.default_rng([sorted(SIZES).index(material), 331])
    mortar = np.zeros((SIDE, SIDE))
    if material == "brick":
        value, mortar = _masonry(rng, 8, 3, 1.6, 0.5, 0.13)
        value = value * (1 + 0.1 * streaks(rng, 3, 3))
    elif material == "tiles":
        value, mortar = _masonry(rng, 4, 4, 1.0, 0.0, 0.03)
    elif material == "planks":
        value, mortar = _masonry(rng, 8, 1, 0.8, 0.37, 0.12)
        value = value * (1 + 0.09 * streaks(rng, 60, 1.6) + 0.05 * streaks(rng, 20, 4))
    elif material == "carpet":
        value = 1 + 0.16 * streaks(rng, 2, 2)
    elif material == "asphalt":
        value = 1 + 0.2 * streaks(rng, 1, 1) + 0.1 * streaks(rng, 3, 3)
    elif material == "plaster":
        value = 1 + 0.05 * streaks(rng, 4, 4) + 0.03 * streaks(rng, 14, 10)
    else:
        value = 1 + 0.05 * streaks(rng, 30, 30) + 0.03 * streaks(rng, 2, 2)
        value -= 0.25 * (streaks(rng, 1.5, 1.5) > 3.1)
    value, mortar = np.clip(value, 0.3, 1.9), np.broadcast_to(mortar, (SIDE, SIDE))
    return value[..., None].astype(np.float32), mortar[..., None].astype(np.float32)


@lru_cache(maxsize=32)
def ground_tile(material: str, colours: tuple[Rgb, Rgb, Rgb], size: float) -> Tile | None:
    """The repeating tile of a wall's or floor's material; None for smooth materials."""
    if material not in SIZES:
        return None
    main, joint = to_linear(np.array(colours[0], np.float32)), to_linear(np.array(colours[2], np.float32))
    value, mortar = _relief(material)
    pixels = value + mortar * (np.clip(joint / np.maximum(main, 0.01), 0.2, 4) - value)
    return Tile(SIZES[material] * size, pixels.astype(np.float32))


def paint_ground(
    material: str, colours: tuple[Rgb, Rgb, Rgb], seed: int, u: np.ndarray, v: np.ndarray, height: float
) -> np.ndarray:
    """sRGB colours in 0..255 of a wall or floor at u (1, w) and v (h, 1) in metres; gradients use the wall's
    `height`."""
    main, second = np.array(colours[0], np.float32), np.array(colours[1], np.float32)
    out = np.empty((v.shape[0], u.shape[1], 3), np.float32)
    out[:] = main
    if material == "gradient":
        t = np.clip(np.hypot(u, (v - 0.5 * height) * 0.8) / 1.6, 0, 1)[..., None].astype(np.float32)
        return out + t * (second - main)
    if material == "street":
        for k, cell in enumerate(((0.5, 0.9), (0.28, 0.5), (0.16, 0.16))):
            colour = np.array(colours[(k + 1) % 3], np.float32)
            cover = np.clip(noise(seed + k, u, v, cell) * 1.4 - 0.4, 0, 1)[..., None]
            out += cover * (colour - out) * 0.8
        lamps = np.clip(noise(seed + 7, u, v, 0.07) - 2.1, 0, 0.6)[..., None]
        return out + lamps * np.array([190, 170, 130], np.float32)
    amount = {"plain": 0.008, "paper": 0.008, "concrete": 0.05, "asphalt": 0.05, "plaster": 0.03}.get(material, 0.03)
    uneven = noise(seed, u, v, 0.35) + noise(seed + 1, u, v, 0.9)
    return out * (1 + uneven[..., None] * np.float32(amount))
