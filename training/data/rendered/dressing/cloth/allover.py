"""All-over prints and woven patterns as repeating tiles: florals, animal skins, checks, tie-dye."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from ....synthetic.art.palette import Rgb, mixed, scaled
from ....synthetic.art.textures import Pattern
from .noise import noise
from .relief import streaks

SIDE = 384
"""Side in pixels of a tile before it is scaled to the cloth's resolution."""

Points = np.ndarray
Colours = tuple[Rgb, Rgb, Rgb]


class _Tile:
    """An image that wraps around: anything drawn beyond an edge continues at the opposite edge."""

    def __init__(self, colour: Rgb) -> None:
        self.image = Image.new("RGB", (SIDE, SIDE), colour)
        self.pen = ImageDraw.Draw(self.image)

    def polygon(self, points: Points, colour: Rgb) -> None:
        """Fill a polygon with corners `points` (N, 2), as fractions of the tile."""
        points = points * SIDE
        low, high = points.min(0), points.max(0)
        for x in (-SIDE, 0, SIDE):
            for y in (-SIDE, 0, SIDE):
                if (low + (x, y) < SIDE).all() and (high + (x, y) > 0).all():
                    self.pen.polygon([(float(a + x), float(b + y)) for a, b in points], fill=colour)


def _blob(
    rng: np.random.Generator, x: float, y: float, radius: float, rough: float, turn: float = 0.0, slim: float = 1.0
) -> Points:
    """An irregular closed curve around a point."""
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    phase = rng.uniform(0, 2 * np.pi, 3)
    r = radius * (1 + rough * sum(np.cos(k * t + phase[k - 2]) / k for k in (2, 3, 4)))
    return _placed(np.stack([r * np.cos(t) * slim, r * np.sin(t)], 1), x, y, turn)


def _placed(points: Points, x: float, y: float, turn: float) -> Points:
    cos, sin = np.cos(turn), np.sin(turn)
    return points @ np.array([[cos, sin], [-sin, cos]]) + (x, y)


def _leaf(x: float, y: float, length: float, width: float, turn: float) -> Points:
    t = np.linspace(0, 1, 12)
    half = width * np.sin(np.pi * t) ** 0.8 * (1 - 0.25 * t)
    side = np.stack([half, -length * t], 1)
    return _placed(np.concatenate([side, (side * (-1, 1))[::-1]]), x, y, turn)


def _scattered(rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    """Positions in the tile, spread evenly but irregularly."""
    places: list[tuple[float, float]] = []
    for _ in range(count):
        tries = rng.random((12, 2))
        if places:
            gap = np.abs(tries[:, None] - np.array(places)[None])
            tries = tries[np.hypot(*np.minimum(gap, 1 - gap).transpose(2, 0, 1)).min(1).argmax()][None]
        places.append((float(tries[0, 0]), float(tries[0, 1])))
    return places


def _bloom(tile: _Tile, rng: np.random.Generator, x: float, y: float, radius: float, colour: Rgb, eye: Rgb) -> None:
    """A flower with two rings of shaded petals."""
    petals, turn = int(rng.integers(5, 8)), rng.uniform(0, 6)
    for ring, size in enumerate((1.0, 0.66)):
        for k in range(petals):
            shade = scaled(colour, float(rng.uniform(0.85, 1.1)) * (0.9, 1.04)[ring])
            angle = turn + (k + 0.5 * ring) * 2 * np.pi / petals
            out = radius * size
            tile.polygon(_leaf(x, y, out, out * 0.46, angle), shade)
            if radius > 0.05:  # veins
                tile.polygon(_leaf(x, y, out * 0.85, out * 0.07, angle), scaled(shade, 0.78))
                tile.polygon(_leaf(x, y, out * 0.6, out * 0.05, angle + 0.22), scaled(shade, 0.86))
    tile.polygon(_blob(rng, x, y, radius * 0.2, 0.1), eye)


def _florals(
    count: int, radius: float, leaves: int, buds: int
) -> Callable[[np.random.Generator, Colours], Image.Image]:
    """Return a function that paints `count` flowers with leaves, and buds between them; `radius` is the approximate
    radius of a flower as a fraction of the tile."""

    def painter(rng: np.random.Generator, colours: Colours) -> Image.Image:
        tile = _Tile(colours[0])
        green = mixed((70, 104, 66), colours[2], float(rng.uniform(0, 0.6)))
        for x, y in _scattered(rng, buds):
            turn = rng.uniform(0, 2 * np.pi)
            for k in range(3):
                shade = scaled(green, float(rng.uniform(0.7, 1.1)))
                tile.polygon(_leaf(x, y, radius * 0.8, radius * 0.16, turn + 0.5 * k), shade)
            tile.polygon(_blob(rng, x, y, radius * 0.16, 0.15), mixed(colours[1], colours[2], float(rng.random())))
        for k, (x, y) in enumerate(_scattered(rng, count)):
            size = radius * float(rng.uniform(0.6, 1.3))
            for _ in range(leaves):
                turn = rng.uniform(0, 2 * np.pi)
                shade = scaled(green, float(rng.uniform(0.75, 1.2)))
                tile.polygon(_leaf(x, y, size * 1.7, size * 0.38, turn), shade)
                tile.polygon(_leaf(x, y, size * 1.6, size * 0.05, turn), scaled(shade, 0.75))
            petal = mixed(colours[1 + (k % 3 == 0)], colours[1 + (k % 3 != 0)], float(rng.uniform(0, 0.3)))
            eye = colours[2] if k % 3 else colours[1]
            _bloom(tile, rng, x, y, size, petal, eye)
        return tile.image

    return painter


def _tropical(rng: np.random.Generator, colours: Colours) -> Image.Image:
    tile = _Tile(colours[0])
    for k, (x, y) in enumerate(_scattered(rng, 17)):
        turn, colour = rng.uniform(0, 2 * np.pi), colours[1 + k % 2]
        for side in range(-4, 5):
            shade = scaled(colour, float(rng.uniform(0.8, 1.15)))
            length = 0.2 * (1 - 0.06 * abs(side))
            tile.polygon(_leaf(x, y, length, 0.018, turn + side * 0.22), shade)
    return tile.image


def _leopard(rng: np.random.Generator, colours: Colours) -> Image.Image:
    tile = _Tile(colours[0])
    for x, y in _scattered(rng, 34):
        radius, turn = float(rng.uniform(0.045, 0.068)), rng.uniform(0, 6)
        tile.polygon(_blob(rng, x, y, radius * 0.72, 0.15), mixed(colours[0], colours[2], 0.45))
        pieces = int(rng.integers(2, 5))
        for k in range(pieces):
            angle = turn + k * 2 * np.pi / pieces
            place = x + radius * 0.85 * np.cos(angle), y + radius * 0.85 * np.sin(angle)
            tile.polygon(_blob(rng, *place, radius * 0.5, 0.25, angle, 0.55), colours[1])
    return tile.image


def _zebra(rng: np.random.Generator, colours: Colours) -> Image.Image:
    """Stripes that bend, fork and end."""
    _, y = _axes()
    bend = np.asarray(Image.fromarray(streaks(rng, 46, 20)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    field = np.sin(2 * np.pi * (y * 9 + 0.55 * bend))
    return _blended(np.clip(field * 4 + 0.3, 0, 1), colours[0], colours[1])


def _blended(cover: np.ndarray, first: Rgb, second: Rgb) -> Image.Image:
    out = np.array(first) + cover[..., None] * (np.array(second) - np.array(first))
    return Image.fromarray(np.clip(out, 0, 255).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _paisley(rng: np.random.Generator, colours: Colours) -> Image.Image:
    tile = _Tile(colours[0])
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    drop = np.stack([np.sin(t) * np.sin(t / 2) ** 1.3, -np.cos(t)], 1)
    drop[:, 0] += 0.45 * np.clip(-drop[:, 1], 0, 1) ** 2  # the bent tip
    for k, (x, y) in enumerate(_scattered(rng, 9)):
        turn, flip = rng.uniform(0, 2 * np.pi), (1 if rng.random() < 0.5 else -1, 1)
        inks = colours[1], colours[0], colours[2], colours[0], colours[1]
        if k % 2:
            inks = colours[2], colours[0], colours[1], colours[0], colours[2]
        for size, ink in zip((0.13, 0.112, 0.09, 0.055, 0.04), inks, strict=True):
            tile.polygon(_placed(drop * flip * size, x, y, turn), ink)
        for a in np.linspace(0, 2 * np.pi, 14, endpoint=False):
            dot = _placed(np.array([[0.13 * 1.22 * np.sin(a) * 0.8, -0.13 * 1.22 * np.cos(a)]]), x, y, turn)[0]
            tile.polygon(_blob(rng, *dot, 0.008, 0.0), colours[1])
    for x, y in _scattered(rng, 26):
        tile.polygon(_blob(rng, x, y, 0.012, 0.2), colours[2])
    return tile.image


def _geometric(rng: np.random.Generator, colours: Colours) -> Image.Image:
    tile = _Tile(colours[0])
    cells, corners = int(rng.choice([6, 8])), int(rng.choice([3, 4, 6]))
    t = np.arange(corners) * 2 * np.pi / corners
    for row in range(cells):
        for column in range(cells):
            x, y = (column + 0.5 * (row % 2) + 0.25) / cells, (row + 0.5) / cells
            outline = np.stack([np.sin(t), -np.cos(t)], 1) * 0.36 / cells
            turn = np.pi * ((row + column) % 2)
            tile.polygon(_placed(outline, x, y, turn), colours[1 + (row + column) % 2])
            tile.polygon(_placed(outline * 0.45, x, y, turn), colours[0])
    return tile.image


def _strokes(rng: np.random.Generator, colours: Colours) -> Image.Image:
    tile = _Tile(colours[0])
    for k, (x, y) in enumerate(_scattered(rng, 26)):
        slim = float(rng.uniform(0.2, 0.4))
        tile.polygon(_blob(rng, x, y, float(rng.uniform(0.05, 0.09)), 0.2, rng.uniform(0, 6), slim), colours[1 + k % 2])
    return tile.image


def _terrazzo(rng: np.random.Generator, colours: Colours) -> Image.Image:
    tile = _Tile(colours[0])
    for k, (x, y) in enumerate(_scattered(rng, 44)):
        shade = scaled(colours[1 + k % 2], float(rng.uniform(0.8, 1.15)))
        corners = _blob(rng, x, y, float(rng.uniform(0.02, 0.07)), 0.4)[:: int(rng.integers(4, 7))]
        tile.polygon(corners, shade)
    return tile.image


def _argyle(rng: np.random.Generator, colours: Colours) -> Image.Image:
    x, y = _axes()
    a, b = (2 * x + y) * 2 % 2, (2 * x - y) * 2 % 2
    out = np.array(colours)[np.where((a < 1) & (b < 1), 1, np.where((a >= 1) & (b >= 1), 2, 0))]
    line = (np.abs((a + 0.5) % 1 - 0.5) < 0.02) | (np.abs((b + 0.5) % 1 - 0.5) < 0.02)
    out = np.where(line[..., None], np.array(mixed(colours[2], (255, 255, 255), 0.3)), out)
    return Image.fromarray(out.astype(np.uint8))


def _axes() -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(SIDE) / SIDE
    return np.broadcast_to(x[None], (SIDE, SIDE)), np.broadcast_to(x[:, None], (SIDE, SIDE))


def _houndstooth(rng: np.random.Generator, colours: Colours) -> Image.Image:
    x, y = _axes()
    i, j = (x * 32).astype(int) % 8, (y * 32).astype(int) % 8
    warp, weft = i < 4, j < 4
    over = (i + j) % 4 < 2
    return _blended(np.where(over, warp, weft).astype(float), colours[0], colours[1])


def _herringbone(rng: np.random.Generator, colours: Colours) -> Image.Image:
    x, y = _axes()
    zigzag = np.abs((x * 6) % 1 - 0.5) * 2
    return _blended(0.5 + 0.5 * np.sign(np.sin(2 * np.pi * (y * 18 + zigzag * 2))), colours[0], colours[1])


def _windowpane(rng: np.random.Generator, colours: Colours) -> Image.Image:
    x, y = _axes()
    lines = (np.abs(x * 3 % 1 - 0.5) < 0.03) | (np.abs(y * 3 % 1 - 0.5) < 0.03)
    fine = (np.abs((x * 3 + 0.5) % 1 - 0.5) < 0.012) | (np.abs((y * 3 + 0.5) % 1 - 0.5) < 0.012)
    return _blended(np.maximum(lines * 1.0, fine * 0.6), colours[0], colours[1])


def _pinstripe(rng: np.random.Generator, colours: Colours) -> Image.Image:
    x, _ = _axes()
    return _blended((np.abs(x * 8 % 1 - 0.5) < 0.06) * 0.7, colours[0], colours[1])


def _uneven_stripes(rng: np.random.Generator, colours: Colours) -> Image.Image:
    image = np.empty((SIDE, SIDE, 3), np.uint8)
    image[:] = colours[0]
    edges = np.sort(rng.uniform(0, SIDE, 2 * int(rng.integers(2, 5)))).astype(int)
    for k in range(0, len(edges), 2):
        image[edges[k] : edges[k + 1] + 6] = colours[1 + (k // 2) % 2]
    return Image.fromarray(image)


def _fair_isle(rng: np.random.Generator, colours: Colours) -> Image.Image:
    """Knitted rows of little mirrored figures."""
    rows, columns = 48, 12
    grid = np.zeros((rows, columns), int)
    row = 0
    while row < rows - 3:
        height = int(rng.choice([1, 3, 5, 7]))
        band = rng.random((height, columns // 2)) < 0.45
        band = np.concatenate([band, band[:, ::-1]], 1)
        band = np.maximum(band, band[::-1])
        grid[row : row + height] = band[: rows - row] * int(rng.integers(1, 3))
        row += height + int(rng.integers(1, 4))
    picture = np.array(colours, np.uint8)[np.tile(grid, (1, 4))]
    return Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def _melted(pattern: Pattern, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Tie-dye: rings around one point, distorted by noise and blended into each other; (h, w, 3)."""
    du, dv = u - 0.02, v - pattern.span[0] - 0.4 * (pattern.span[1] - pattern.span[0])
    bent = noise(pattern.seed, u, v, 0.09) * 0.13 + noise(pattern.seed + 9, u, v, 0.025) * 0.05
    swirl = np.arctan2(dv, du) * (1 / (2 * np.pi)) * (pattern.seed % 3)
    phase = (np.hypot(du, dv) / pattern.period + bent + swirl) % 1.0 * 3
    colours = np.array(pattern.colours, np.float32)
    first = phase.astype(int) % 3
    t = np.clip((phase - np.floor(phase)) * 1.8 - 0.4, 0, 1)[..., None].astype(np.float32)
    return colours[first] * (1 - t) + colours[(first + 1) % 3] * t


TILES: dict[str, Callable[[np.random.Generator, Colours], Image.Image]] = {
    "large_floral": _florals(9, 0.12, 4, 14),
    "ditsy_floral": _florals(34, 0.036, 2, 20),
    "meadow": _florals(18, 0.065, 4, 24),
    "tropical": _tropical,
    "leopard": _leopard,
    "zebra": _zebra,
    "paisley": _paisley,
    "geometric": _geometric,
    "strokes": _strokes,
    "terrazzo": _terrazzo,
    "argyle": _argyle,
    "houndstooth": _houndstooth,
    "herringbone": _herringbone,
    "windowpane": _windowpane,
    "pinstripe": _pinstripe,
    "uneven_stripes": _uneven_stripes,
    "fair_isle": _fair_isle,
}
PRINTS = (*TILES, "tie_dye")
"""Patterns defined here; textures.PATTERNS lists the others."""

SIZES: dict[str, tuple[float, float]] = {
    "large_floral": (0.24, 0.4),
    "ditsy_floral": (0.16, 0.26),
    "meadow": (0.2, 0.36),
    "tropical": (0.28, 0.45),
    "leopard": (0.18, 0.32),
    "zebra": (0.3, 0.5),
    "paisley": (0.16, 0.32),
    "geometric": (0.12, 0.3),
    "strokes": (0.2, 0.4),
    "terrazzo": (0.2, 0.4),
    "argyle": (0.12, 0.2),
    "houndstooth": (0.05, 0.16),
    "herringbone": (0.08, 0.14),
    "windowpane": (0.15, 0.3),
    "pinstripe": (0.1, 0.2),
    "uneven_stripes": (0.1, 0.4),
    "fair_isle": (0.2, 0.3),
    "tie_dye": (0.2, 0.4),
}
"""Shortest and longest repeat in metres."""


@lru_cache(maxsize=8)
def _tile(pattern: Pattern) -> Image.Image:
    return TILES[pattern.kind](np.random.default_rng([pattern.seed, 512]), pattern.colours)


def paint(pattern: Pattern, u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    """Paint one of PRINTS at positions u (1, w) and v (h, 1), in metres and `pixel` apart; returns colours in 0..255,
    (h, w, 3) float32."""
    if pattern.kind == "tie_dye":
        return _melted(pattern, u, v)
    side = max(4, round(pattern.period / pixel))
    method = Image.Resampling.BOX if side < SIDE else Image.Resampling.BICUBIC
    tile = np.asarray(_tile(pattern).resize((side, side), method), np.float32)
    rows, low, high = _wrapped(v[:, 0], pattern.period, side)
    tile = tile[rows] * low[:, None, None] + tile[(rows + 1) % side] * high[:, None, None]
    columns, low, high = _wrapped(u[0], pattern.period, side)
    return tile[:, columns] * low[:, None] + tile[:, (columns + 1) % side] * high[:, None]


def _wrapped(position: np.ndarray, period: float, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the pixel before each position, its weight, and the weight of the next pixel."""
    at = (position / period * side - 0.5) % side
    first = np.minimum(at.astype(np.int64), side - 1)
    share = (at - first).astype(np.float32)
    return first, 1 - share, share
