"""Cloth patterns as functions of flat garment coordinates (u right, v down, in body heights)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .arrays import Array, smooth_noise, soft
from .motifs import flower, heart, star
from .palette import Rgb, mixed

PATTERNS = (
    "solid",
    "stripes_h",
    "stripes_v",
    "stripes_d",
    "gingham",
    "checks",
    "tartan",
    "dots",
    "flowers",
    "camouflage",
    "stars",
    "hearts",
    "gradient",
    "blocks",
    "chest_band",
    "contrast_sleeves",
)


@dataclass(frozen=True)
class Pattern:
    """A pattern woven or printed all over the cloth."""

    kind: str  # one of PATTERNS
    colours: tuple[Rgb, Rgb, Rgb]
    period: float  # length of the repeat, in body heights
    duty: float = 0.5  # fraction of the second colour in stripes; size of motifs
    seed: int = 0  # for camouflage, the direction of diagonal stripes, and a second block or band
    span: tuple[float, float] = (0.0, 0.4)  # top and bottom of the garment, for gradients and blocks


def solid(colour: Rgb) -> Pattern:
    """A plain cloth of one colour."""
    return Pattern("solid", (colour, colour, colour), 0.05)


def draw_pattern(rng: np.random.Generator, colours: tuple[Rgb, Rgb, Rgb], span: tuple[float, float]) -> Pattern:
    """Choose a random pattern, usually coarse enough for 192 x 256 pixels; plain cloth is rare."""
    kind = "solid" if rng.random() < 0.1 else PATTERNS[int(rng.integers(1, len(PATTERNS)))]
    fine = rng.random() < 0.12
    low, high = (0.02, 0.032) if fine else (0.036, 0.085)
    if kind in ("tartan", "flowers", "stars", "hearts"):
        low, high = (0.036, 0.045) if fine else (0.05, 0.1)
    period = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if kind == "camouflage":
        period = float(rng.uniform(0.05, 0.09))
    return Pattern(kind, colours, period, float(rng.uniform(0.38, 0.6)), int(rng.integers(1 << 30)), span)


def paint(pattern: Pattern, u: Array, v: Array, pixel: float) -> Array:
    """Colour of the cloth at coordinates u (1, w), v (h, 1), as (h, w, 3) float32; `pixel` is the size of one pixel."""
    shape = np.broadcast_shapes(u.shape, v.shape)
    base = np.array(pattern.colours[0], np.float32)
    out = np.empty((*shape, 3), np.float32)
    out[:] = base
    painter = PAINTERS.get(pattern.kind)
    if painter is not None:
        for cover, colour in painter(pattern, u, v, pixel):
            cover = np.broadcast_to(cover, shape)[..., None]
            out += cover * (np.array(colour, np.float32) - out)
    return out


Layers = list[tuple[Array, Rgb]]


def bands(t: Array, period: float, duty: float, pixel: float) -> Array:
    """Coverage of stripes along t."""
    phase = np.abs((t / period) % 1.0 - 0.5)  # 0 at the middle of a stripe
    return soft((duty / 2 - phase) * period, pixel)


def _stripes_h(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    return [(bands(v, p.period, p.duty, pixel), p.colours[1])]


def _stripes_v(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    return [(bands(u + p.period / 2, p.period, p.duty, pixel), p.colours[1])]


def _stripes_d(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    sign = 1 if p.seed % 2 else -1
    return [(bands((u * sign + v) * 0.7071, p.period, p.duty, pixel), p.colours[1])]


def _gingham(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    a, b = bands(u, p.period, 0.5, pixel), bands(v, p.period, 0.5, pixel)
    return [((a + b) / 2, p.colours[1])]


def _checks(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    a, b = bands(u, p.period * 1.3, 0.5, pixel), bands(v, p.period * 1.3, 0.5, pixel)
    return [(a + b - 2 * a * b, p.colours[1])]


def _tartan(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    wide = (bands(u, p.period, 0.45, pixel) + bands(v, p.period, 0.45, pixel)) / 2
    line = np.maximum(bands(u + p.period / 2, p.period, 0.14, pixel), bands(v + p.period / 2, p.period, 0.14, pixel))
    return [(wide * 0.9, p.colours[1]), (line * 0.85, p.colours[2])]


def _cells(p: Pattern, u: Array, v: Array) -> tuple[Array, Array]:
    row = np.floor(v / (p.period * 0.9))
    x = (u / p.period + 0.5 * (row % 2)) % 1.0 - 0.5
    y = (v / (p.period * 0.9)) % 1.0 - 0.5
    return x, np.broadcast_to(y, np.broadcast_shapes(x.shape, y.shape)) * 0.9


def _dots(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    x, y = _cells(p, u, v)
    return [(soft((p.duty * 0.55 - np.hypot(x, y)) * p.period, pixel), p.colours[1])]


def _stars(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    x, y = _cells(p, u, v)
    return [(soft(star(x, y, 0.4) * p.period, pixel), p.colours[1])]


def _hearts(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    x, y = _cells(p, u, v)
    return [(soft(heart(x, y, 0.34) * p.period, pixel), p.colours[1])]


def _flowers(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    x, y = _cells(p, u, v)
    petals, eye = flower(x, y, 0.38)
    return [(soft(petals * p.period, pixel), p.colours[1]), (soft(eye * p.period, pixel), p.colours[2])]


def _camouflage(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    rng = np.random.default_rng(p.seed)
    first, second = smooth_noise(rng, 48, 48), smooth_noise(rng, 48, 48)
    height, width = v.shape[0], u.shape[1]
    cells = p.period * 0.55
    box = [float(a) for a in (u[0, 0], v[0, 0], u[0, -1], v[-1, 0])]
    layers: Layers = []
    for grid, colour, level in ((first, p.colours[1], 0.3), (second, p.colours[2], 0.55)):
        field = _window(grid, box, cells, height, width)
        layers.append((np.clip((field - level) / (pixel / cells * 1.6) + 0.5, 0, 1), colour))
    return layers


def _window(grid: Array, box: list[float], cell: float, height: int, width: int) -> Array:
    """The part of a noise grid beneath a box of cloth, so that the blotches are the same at every image size."""
    left, top, right, low = (b / cell + 20.0 for b in box)
    left, top = max(left, 0.0), max(top, 0.0)
    area = (left, top, min(max(right, left + 1), 48.0), min(max(low, top + 1), 48.0))
    image = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC, box=area)
    return np.asarray(image, np.float32)


def _gradient(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    t = np.clip((v - p.span[0]) / (p.span[1] - p.span[0]), 0, 1)
    return [(t * t * (3 - 2 * t), p.colours[1])]


def _blocks(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    length = p.span[1] - p.span[0]
    cut = p.span[0] + length * (0.3 + 0.3 * p.duty)
    layers = [(soft(v - cut, pixel), p.colours[1])]
    if p.seed % 2:
        layers.append((soft(v - cut - length * 0.22, pixel), p.colours[2]))
    return layers


def _chest_band(p: Pattern, u: Array, v: Array, pixel: float) -> Layers:
    middle = p.span[0] + (p.span[1] - p.span[0]) * 0.36
    layers = [(soft(0.034 - np.abs(v - middle), pixel), p.colours[1])]
    if p.seed % 2:
        layers.append((soft(0.012 - np.abs(v - middle), pixel), mixed(p.colours[2], p.colours[0], 0.2)))
    return layers


Painter = Callable[[Pattern, Array, Array, float], Layers]
PAINTERS: dict[str, Painter] = {
    "stripes_h": _stripes_h,
    "stripes_v": _stripes_v,
    "stripes_d": _stripes_d,
    "gingham": _gingham,
    "checks": _checks,
    "tartan": _tartan,
    "dots": _dots,
    "flowers": _flowers,
    "camouflage": _camouflage,
    "stars": _stars,
    "hearts": _hearts,
    "gradient": _gradient,
    "blocks": _blocks,
    "chest_band": _chest_band,
}
