"""Rasters of garment parts in local coordinates: colour of the cloth, coverage, and two reliefs of folds."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ..art.arrays import Array, enlarge, polygon_mask, smooth_noise
from ..art.lettering import render
from ..art.textures import paint
from ..garments.parts import Mark, Part

FOLD_WORN, FOLD_FLAT = 4, 5  # channels of the raster: r, g, b, coverage, folds of worn cloth, folds of flat cloth


@dataclass(frozen=True)
class Layer:
    """A part's raster (6, h, w) float32; local point (x, y) is at pixel ((x - left) * ppu, (y - top) * ppu)."""

    part: Part
    raster: Array
    left: float
    top: float
    ppu: float


def rasterise(part: Part, ppu: float, rng: np.random.Generator, folds: float) -> Layer:
    """Draw a part at `ppu` pixels per unit; `folds` scales the strength of creases (about 0.5 to 1.3)."""
    low, high = part.outline.min(0), part.outline.max(0)
    margin = 3.0 / ppu
    left, top = float(low[0] - margin), float(low[1] - margin)
    width = int(np.ceil((high[0] - left + margin) * ppu)) + 1
    height = int(np.ceil((high[1] - top + margin) * ppu)) + 1
    u = (left + part.shift + np.arange(width, dtype=np.float32) / ppu)[None, :]
    v = (top + np.arange(height, dtype=np.float32) / ppu)[:, None]
    colour = paint(part.pattern, u, v, 1.2 / ppu)
    if part.shade != 1.0:
        colour *= part.shade
    raster = np.empty((6, height, width), np.float32)
    raster[:3] = _marked(part, colour, left, top, ppu).transpose(2, 0, 1)
    at = (part.outline - np.array([left, top], np.float32)) * ppu
    raster[3] = polygon_mask(at, height, width) * np.float32(1 / 255)
    raster[FOLD_WORN], raster[FOLD_FLAT] = _folds(part, (left, top), (height, width), rng, folds)
    return Layer(part, raster, left, top, ppu)


def _marked(part: Part, colour: Array, left: float, top: float, ppu: float) -> Array:
    if not part.marks and not part.prints:
        return colour
    image = Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    origin = np.array([left, top], np.float32)
    for item in part.prints:
        picture = render(item, ppu)
        x, y = (np.array(item.centre, np.float32) - origin) * ppu
        image.paste(picture, (round(float(x) - picture.width / 2), round(float(y) - picture.height / 2)), picture)
    for mark in part.marks:
        _draw_mark(draw, mark, (mark.points - origin) * ppu, ppu)
    return np.asarray(image, np.float32)


def _draw_mark(draw: ImageDraw.ImageDraw, mark: Mark, at: Array, ppu: float) -> None:
    points = [(float(x), float(y)) for x, y in at]
    if mark.kind == "fill":
        draw.polygon(points, fill=mark.colour)
    elif mark.kind == "dot":
        (x, y), r = points[0], mark.width * ppu / 2
        ring = tuple(int(c * 0.6) for c in mark.colour)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=mark.colour, outline=ring)
    else:
        draw.line(points, fill=mark.colour, width=max(1, round(mark.width * ppu)), joint="curve")


def _folds(
    part: Part, corner: tuple[float, float], shape: tuple[int, int], rng: np.random.Generator, strength: float
) -> tuple[Array, Array]:
    """Shading of creases: an embossed relief of noise stretched along the limb, plus drag lines."""
    left, top = corner
    # rounded, so that the grids below do not depend on the raster's density
    tall, wide = (round(float(e), 2) for e in part.outline.max(0)[::-1] - part.outline.min(0)[::-1])
    height, width = shape
    ppu = 200.0  # a fixed density, so that every image size has the same creases
    h, w = max(4, int(tall * ppu)), max(4, int(wide * ppu))
    relief = enlarge(smooth_noise(rng, int(tall / 0.09) + 2, int(wide / 0.035) + 2), h, w) * 0.9
    relief += enlarge(smooth_noise(rng, int(tall / 0.035) + 2, int(wide / 0.05) + 2), h, w) * 0.3
    if part.drag:
        lines = Image.new("L", (w, h), 0)
        draw = ImageDraw.Draw(lines)
        for x0, y0, x1, y1 in part.drag:
            j = rng.normal(0, 0.006, 4)
            ends = (
                (x0 + j[0] - left) * ppu,
                (y0 + j[1] - top) * ppu,
                (x1 + j[2] - left) * ppu,
                (y1 + j[3] - top) * ppu,
            )
            draw.line([float(e) for e in ends], fill=int(rng.integers(120, 256)), width=2)
        blur = np.asarray(lines.filter(ImageFilter.GaussianBlur(1.7)), np.float32)
        relief += blur * (2.2 / 90)
    dy, dx = np.gradient(relief)
    worn = 1 + np.clip((dx * 0.8 + dy * 0.6) * strength * 0.5, -0.24, 0.2)
    calm = enlarge(smooth_noise(rng, int(tall / 0.12) + 2, int(wide / 0.07) + 2), h, w)
    flat = 1 + np.clip(np.gradient(calm, axis=1) * 0.25 + np.gradient(calm, axis=0) * 0.15, -0.07, 0.06)
    return enlarge(worn.astype(np.float32), height, width), enlarge(flat.astype(np.float32), height, width)
