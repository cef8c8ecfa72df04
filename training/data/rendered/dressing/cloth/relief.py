"""Fine structure of cloth as repeating tiles of brightness: weaves, knits, naps."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SIDE = 256
"""Side of a tile in pixels; a power of two, for mip levels."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A repeating tile that multiplies the cloth's colour in linear light."""

    size: float
    """Period in metres, horizontal and vertical."""
    pixels: np.ndarray
    """(SIDE, SIDE, 3) float32, about 1 on average."""


def streaks(rng: np.random.Generator, across: float, along: float) -> np.ndarray:
    """Tileable smooth noise with standard deviation 1 and blotches of the given size in pixels; (SIDE, SIDE)
    float64."""
    fy, fx = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    keep = np.exp(-0.5 * ((fx * across * 2.2) ** 2 + (fy * along * 2.2) ** 2))
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * keep, (SIDE, SIDE))
    return (field - field.mean()) / field.std()


def _axes() -> tuple[np.ndarray, np.ndarray]:
    x = (np.arange(SIDE) + 0.5) / SIDE
    return x[None], x[:, None]


def _wave(phase: np.ndarray) -> np.ndarray:
    return np.cos(2 * np.pi * phase)


def _plain(rng: np.random.Generator) -> np.ndarray:
    return 0.030 * streaks(rng, 1, 5) + 0.030 * streaks(rng, 5, 1)


def _jersey(rng: np.random.Generator) -> np.ndarray:
    x, y = _axes()
    columns = _wave(x * 42 + 0.08 * streaks(rng, 4, 30))
    return 0.045 * columns + 0.025 * _wave(y * 52) + 0.035 * streaks(rng, 3, 3)


def _melange(rng: np.random.Generator) -> np.ndarray:
    yarn = streaks(rng, 6, 1.2)
    return 0.13 * np.tanh(1.2 * yarn) + 0.06 * streaks(rng, 2, 1) + 0.04 * streaks(rng, 14, 8)


def _twill(rng: np.random.Generator) -> np.ndarray:
    x, y = _axes()
    return 0.06 * _wave(x * 40 - y * 40 + 0.1 * streaks(rng, 3, 3)) + 0.03 * streaks(rng, 2, 2)


def _denim(rng: np.random.Generator) -> np.ndarray:
    x, y = _axes()
    diagonal = _wave(x * 48 - y * 48 + 0.2 * streaks(rng, 2, 4))
    slub = np.clip(streaks(rng, 1.2, 28), -2, 2)
    return 0.08 * diagonal + 0.06 * slub + 0.03 * streaks(rng, 20, 1.2) + 0.06 * streaks(rng, 1, 1.5)


def _linen(rng: np.random.Generator) -> np.ndarray:
    warp, weft = streaks(rng, 1.1, 40), streaks(rng, 40, 1.1)
    thick = np.clip(streaks(rng, 30, 1.6) - 1.5, 0, None) + np.clip(streaks(rng, 1.6, 30) - 1.5, 0, None)
    return 0.045 * warp + 0.05 * weft + 0.1 * thick + 0.03 * streaks(rng, 1, 1)


def _corduroy(rng: np.random.Generator) -> np.ndarray:
    x, _ = _axes()
    ridge = np.abs(np.sin(np.pi * (x * 20 + 0.03 * streaks(rng, 4, 40)))) ** 0.6
    return 0.36 * (ridge - ridge.mean()) + 0.05 * streaks(rng, 2, 6)


def _rib(rng: np.random.Generator) -> np.ndarray:
    x, _ = _axes()
    wave = _wave(x * 16 + 0.02 * streaks(rng, 8, 50))
    return 0.21 * np.tanh(1.4 * wave) + 0.03 * streaks(rng, 2, 3)


def _knit(rng: np.random.Generator) -> np.ndarray:
    """Columns of V-shaped stitches, dark in the gaps between their legs."""
    x, y = _axes()
    columns, rows = 14, 18
    side = np.abs((x * columns) % 1.0 - 0.5) * 2  # 0 at the middle of a V, 1 between columns
    wobble = 0.10 * streaks(rng, 6, 6)
    stitch = _wave(y * rows + side * 0.55 + wobble)
    gap = np.exp(-((side / 0.16) ** 2)) + np.exp(-(((1 - side) / 0.16) ** 2))
    value = 0.19 * stitch - 0.32 * gap + 0.06 * streaks(rng, 3, 3)
    return value - value.mean()


def _cable(rng: np.random.Generator) -> np.ndarray:
    """Pairs of strands that twist around each other, between columns of purl stitches."""
    x, y = _axes()
    place = (x * 3) % 1.0 - 0.5  # 0 at the middle of a cable
    swing = 0.11 * np.sin(2 * np.pi * y * 4)
    over = np.cos(2 * np.pi * y * 4)
    strands = np.zeros((SIDE, SIDE))
    for sign in (-1, 1):
        height = np.clip(1 - ((place - sign * swing) / 0.13) ** 2, 0, 1) * (1 + 0.25 * sign * over)
        strands = np.maximum(strands, height)
    purl = 0.12 * _wave(x * 36) * _wave(y * 30) * (strands <= 0)
    shade = 0.42 * np.sqrt(strands) - 0.25 * ((strands > 0) & (strands < 0.25))
    slant = 0.07 * _wave(y * 44 + np.sign(place) * place * 18) * (strands > 0)
    value = shade + purl + slant + 0.04 * streaks(rng, 2, 2)
    return value - value.mean()


def _quilted(rng: np.random.Generator) -> np.ndarray:
    """Padded bands with puckered seams between them."""
    _, y = _axes()
    place = (y * 3 + 0.015 * streaks(rng, 20, 60)) % 1.0
    swell = 0.30 * np.cos(np.pi * (place - 0.3)) - 0.45 * np.exp(-((np.minimum(place, 1 - place) / 0.045) ** 2))
    pucker = 0.12 * streaks(rng, 5, 14) * np.exp(-((np.minimum(place, 1 - place) / 0.22) ** 2))
    value = swell + pucker + 0.05 * streaks(rng, 14, 14)
    return value - value.mean()


def _waffle(rng: np.random.Generator) -> np.ndarray:
    x, y = _axes()
    ridges = np.maximum(_wave(x * 12), _wave(y * 14))
    return 0.07 * (ridges - ridges.mean()) + 0.04 * streaks(rng, 2, 2)


def _fleece(rng: np.random.Generator) -> np.ndarray:
    return 0.07 * streaks(rng, 4, 4) + 0.05 * streaks(rng, 9, 9) + 0.03 * streaks(rng, 1, 1)


def _boucle(rng: np.random.Generator) -> np.ndarray:
    loops = np.abs(streaks(rng, 4, 4))
    return 0.16 * (loops - loops.mean()) + 0.1 * streaks(rng, 2, 2)


def _leather(rng: np.random.Generator) -> np.ndarray:
    cracks = np.exp(-((np.abs(streaks(rng, 5, 5)) / 0.12) ** 2))
    return -0.12 * (cracks - cracks.mean()) + 0.03 * streaks(rng, 20, 20)


def _satin(rng: np.random.Generator) -> np.ndarray:
    return 0.012 * streaks(rng, 1, 12)


WEAVES: dict[str, tuple[float, Callable[[np.random.Generator], np.ndarray]]] = {
    "plain": (0.06, _plain),
    "jersey": (0.06, _jersey),
    "melange": (0.09, _melange),
    "twill": (0.07, _twill),
    "denim": (0.08, _denim),
    "linen": (0.13, _linen),
    "corduroy": (0.09, _corduroy),
    "rib": (0.075, _rib),
    "knit": (0.08, _knit),
    "chunky": (0.15, _knit),
    "cable": (0.24, _cable),
    "quilted": (0.27, _quilted),
    "waffle": (0.085, _waffle),
    "fleece": (0.1, _fleece),
    "boucle": (0.12, _boucle),
    "leather": (0.1, _leather),
    "satin": (0.08, _satin),
}
"""Size of the tile in metres and its painter, by name."""

FLECKS = ("boucle",)
"""Weaves with yarns of several colours."""


@lru_cache(maxsize=64)
def weave_tile(weave: str) -> Tile:
    """The tile of one of WEAVES."""
    size, painter = WEAVES[weave]
    rng = np.random.default_rng([zlib.crc32(weave.encode()), 907])
    value = np.clip(1 + painter(rng), 0.35, 1.8)
    pixels = np.repeat(value[..., None], 3, -1)
    if weave in FLECKS:
        pixels = pixels * (1 + 0.1 * np.stack([streaks(rng, 3, 3) for _ in range(3)], -1))
    if weave == "denim":  # white weft shows where the dyed warp is thin
        pixels = 1 + (pixels - 1) * np.array([1.25, 1.1, 0.85])
    return Tile(size, np.ascontiguousarray((pixels / pixels.mean()).astype(np.float32)))
