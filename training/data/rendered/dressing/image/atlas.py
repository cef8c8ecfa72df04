"""Textures of cloth panels, walls and floors, painted only where visible and at the resolution that an image needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ...base.panels import Panel
from ..cloth.fabrics import Fabric, paint_fabric, worn
from ..cloth.noise import noise
from ..cloth.prints import Placed, render_print
from ..cloth.relief import Tile
from ..grounds import paint_ground
from ..materials import Cloth, Dress, Ground
from ..pixels.colours import linear_curve
from ..pixels.kernels import halve, linearise
from .sewing import sew

FINEST = 700.0
"""Maximum texels per metre of cloth."""
FINENESS = 1.15
"""Number of cloth texels per image pixel."""
TILE_FINENESS = 3.0
"""Minimum number of texels per pixel at a tile's finest level; higher than for cloth because some cloth is closer to
the camera than the garment's centre."""
MARGIN = 0.012
"""Margin in metres painted around the visible part, for pixels at the rim."""
BEYOND = 0.05
"""Margin in metres painted beyond a panel's box; cloth whose uv is further out uses the colours of the rim."""
LEVELS = 4
"""Mip levels of a panel's texture."""
MOST_TEXELS = 600_000
"""Maximum number of texels in a texture; larger textures are painted at a lower resolution."""

SKIRTING = Ground("plain", ((226, 224, 220),) * 3, 1.0, 0.1, 0)
"""Material of skirting boards."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Texture:
    """Colours of a piece of a panel, with mip levels."""

    left: float
    """u of the left edge, metres."""
    top: float
    """v of the upper edge, metres."""
    scale: float
    """Texels per metre at the finest level."""
    texels: np.ndarray
    """(N, 3) float32 linear, all levels one after the other."""
    levels: np.ndarray
    """(L, 3) int64: first texel, height, width of each level."""


def pyramid(left: float, top: float, scale: float, pixels: np.ndarray, count: int, *, linear: bool = False) -> Texture:
    """A texture with `count` mip levels; h and w must be multiples of 2 ** (count - 1).

    `pixels` is (h, w, 3) float32: sRGB in 0..255, or linear light if `linear` is set.
    """
    height, width = pixels.shape[:2]
    levels = np.empty((count, 3), np.int64)
    start = 0
    for level in range(count):
        levels[level] = start, height >> level, width >> level
        start += (height >> level) * (width >> level)
    texels = np.empty((start, 3), np.float32)
    if linear:
        texels[: height * width] = pixels.reshape(-1, 3)
    else:
        linearise(pixels, linear_curve(), texels)
    for level in range(1, count):
        first, rows, columns = levels[level - 1]
        halve(texels, first, rows, columns, levels[level, 0])
    return Texture(left, top, scale, texels, levels)


@lru_cache(maxsize=64)
def tile_texture(tile: Tile) -> Texture:
    """A repeating tile with mip levels down to a single texel."""
    side = tile.pixels.shape[0]
    return pyramid(0.0, 0.0, side / tile.size, tile.pixels, side.bit_length(), linear=True)


def seen_tile(tile: Tile, pixels_per_metre: float) -> Texture:
    """The texture of a tile, without mip levels that are too fine for the image's resolution."""
    whole = tile_texture(tile)
    drop = max(0, int(np.log2(whole.scale / (TILE_FINENESS * pixels_per_metre))))
    return _coarser(whole, min(drop, len(whole.levels) - 1))


@lru_cache(maxsize=256)
def _coarser(texture: Texture, drop: int) -> Texture:
    """A texture without its `drop` finest levels."""
    start = texture.levels[drop, 0]
    levels = texture.levels[drop:] - (start, 0, 0)
    return Texture(texture.left, texture.top, texture.scale / 2**drop, texture.texels[start:], levels)


def _lattice(box: Box, scale: float) -> tuple[int, int, int, int]:
    """The whole blocks of texels that cover a box: first column, first row, number of columns and of rows.

    Blocks are aligned to a fixed lattice, so that texels are the same whichever box of a panel is painted.
    """
    block = 1 << (LEVELS - 1)
    left, top = (int(np.floor(b * scale / block)) * block for b in box[:2])
    right, low = (int(np.ceil(b * scale / block)) * block for b in box[2:])
    return left, top, max(right - left, block), max(low - top, block)


def _grid(box: Box, scale: float) -> tuple[int, int, np.ndarray, np.ndarray]:
    left, top, columns, rows = _lattice(box, scale)
    u = ((left + np.arange(columns) + 0.5) / scale).astype(np.float32)[None]
    v = ((top + np.arange(rows) + 0.5) / scale).astype(np.float32)[:, None]
    return left, top, u, v


def used_box(panel: Panel, seen: Box) -> Box:
    """The visible part of a panel, with a margin."""
    left, top, right, low = seen
    if panel.kind in ("wall", "floor"):
        return left - MARGIN, top - MARGIN, right + MARGIN, low + MARGIN
    room = panel.box
    return (
        max(left, room[0] - BEYOND) - MARGIN,
        max(top, room[1] - BEYOND) - MARGIN,
        min(right, room[2] + BEYOND) + MARGIN,
        min(low, room[3] + BEYOND) + MARGIN,
    )


def _affordable(box: Box, scale: float, most: int) -> float:
    area = (box[2] - box[0]) * (box[3] - box[1])
    return min(scale, float(np.sqrt(most / max(area, 1e-9))))


def fabric_of(panel: Panel, cloth: Cloth) -> Fabric:
    """The fabric that a panel is cut from."""
    by_role = {"sleeve": cloth.sleeve, "trim": cloth.trim, "rib": cloth.rib}
    return by_role.get(panel.role, cloth.fabric)


def cloth_texture(panel: Panel, cloth: Cloth, seen: Box, pixels_per_metre: float) -> Texture:
    """Paint the visible part of a panel of cloth: pattern, wear, prints, stitches, buttons."""
    box = used_box(panel, seen)
    scale = _affordable(box, min(FINEST, FINENESS * pixels_per_metre), MOST_TEXELS)
    left, top, u, v = _grid(box, scale)
    fabric = fabric_of(panel, cloth)
    colours = paint_fabric(fabric, u, v, 1 / scale)
    if fabric.fade > 0 and panel.role in ("body", "leg", "skirt", "sleeve"):
        first = panel.span[0] if panel.span else panel.box[1]
        worn(colours, fabric, u, v, 1 / scale, _middles(panel), first)
    for placed in cloth.prints:
        if placed.panel == panel.name:
            _stamp(colours, placed, left, top, scale)
    sew(colours, panel, cloth, left, top, scale)
    return pyramid(left / scale, top / scale, scale, colours, LEVELS)


def _middles(panel: Panel) -> tuple[float, ...]:
    """u of the centre of a panel, or of each leg's centre if the panel spans both legs."""
    left, _, right, _ = panel.box
    if panel.role == "leg" and left < -0.5 * right:
        return 0.45 * left, 0.45 * right
    return (0.5 * (left + right),)


def _stamp(colours: np.ndarray, placed: Placed, left: int, top: int, scale: float) -> None:
    """Blend a print onto the colours (h, w, 3) of a texture whose first texel is (left, top)."""
    picture = render_print(placed, scale)
    height, width = picture.shape[:2]
    x = round(placed.centre[0] * scale - width / 2) - left
    y = round(placed.centre[1] * scale - height / 2) - top
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, colours.shape[1]), min(y + height, colours.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = picture[y0 - y : y1 - y, x0 - x : x1 - x]
    cover = part[..., 3:] * np.float32(1 - 0.03)
    if placed.wear > 0:
        u = ((np.arange(x0, x1) + left + 0.5) / scale)[None]
        v = ((np.arange(y0, y1) + top + 0.5) / scale)[:, None]
        cracks = np.abs(noise(placed.art.seed, u, v, 0.006)) * (1.2 + noise(placed.art.seed + 1, u, v, 0.03))
        cover = cover * np.clip(cracks / (placed.wear * 0.5) * 0.5 + 0.3, 0, 1)[..., None]
    target = colours[y0:y1, x0:x1]
    target += cover * (part[..., :3] - target)


def ground_of(panel: Panel, dress: Dress) -> Ground:
    """Material of a wall or floor panel; SKIRTING for skirting boards, and a street for backdrops."""
    if panel.kind == "floor":
        return dress.floor
    if panel.name == "skirting" and dress.wall.colours != dress.floor.colours:
        return SKIRTING
    if panel.name == "backdrop":
        return replace(dress.wall, material="street")
    return dress.wall


def ground_texture(panel: Panel, ground: Ground, seen: Box, pixels_per_metre: float) -> Texture:
    """Paint the visible part of a wall or floor, without its tile."""
    box = used_box(panel, seen)
    smooth = ground.material in ("plain", "gradient", "paper", "street", "carpet")
    scale = _affordable(box, min(100.0, (0.12 if smooth else 0.3) * pixels_per_metre), 40_000)
    left, top, u, v = _grid(box, scale)
    height = panel.box[3] - panel.box[1]
    colours = paint_ground(ground.material, ground.colours, ground.seed, u, v, height)
    return pyramid(left / scale, top / scale, scale, colours, LEVELS)
