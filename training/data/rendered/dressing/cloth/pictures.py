"""Procedural images for prints: landscapes, sunsets, skylines, shapes, photo-like blurs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ....synthetic.art.palette import DARK, LIGHT, VIVID, Rgb, mixed, pick, scaled

SIDE = 320
"""Side of an image in pixels."""


def _sky(top: Rgb, low: Rgb) -> Image.Image:
    t = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    colours = np.array(top) + t * (np.array(low) - np.array(top))
    return Image.fromarray(np.broadcast_to(colours, (SIDE, SIDE, 3)).astype(np.uint8))


def _ridge(rng: np.random.Generator, base: float, height: float, rough: float) -> list[tuple[float, float]]:
    """Outline of hills from edge to edge, filled down to the lower edge."""
    x = np.linspace(0, 1, 65)
    waves = sum(rng.uniform(-1, 1) * np.sin(2 * np.pi * (k * x + rng.random())) / k**rough for k in range(1, 14))
    top = base - height * (0.5 + 0.5 * waves)
    line = [(float(a) * SIDE, float(b) * SIDE) for a, b in zip(x, top, strict=True)]
    return [(0.0, float(SIDE)), *line, (float(SIDE), float(SIDE))]


def _landscape(rng: np.random.Generator, ink: Rgb) -> Image.Image:
    far, near = pick(rng, VIVID), pick(rng, DARK)
    image = _sky(pick(rng, VIVID), pick(rng, LIGHT))
    pen = ImageDraw.Draw(image)
    if rng.random() < 0.7:
        x, y, r = rng.uniform(0.2, 0.8) * SIDE, rng.uniform(0.15, 0.45) * SIDE, rng.uniform(0.05, 0.14) * SIDE
        pen.ellipse((x - r, y - r, x + r, y + r), fill=(255, 240, 200))
    layers = int(rng.integers(3, 6))
    rough = float(rng.uniform(0.8, 1.6))
    for k in range(layers):
        share = k / (layers - 1)
        outline = _ridge(rng, 0.5 + 0.4 * share, 0.3 * (1 - 0.6 * share), rough)
        pen.polygon(outline, fill=mixed(mixed(far, (230, 230, 235), 0.5), near, share))
    return image


def _sunset(rng: np.random.Generator, ink: Rgb) -> Image.Image:
    """A striped sun, often above water."""
    warm, cool = pick(rng, ((240, 140, 50), (235, 90, 70), (245, 190, 70))), pick(rng, VIVID + DARK)
    image = Image.new("RGBA", (SIDE, SIDE), (*cool, 0))
    sun = _sky((250, 210, 90), warm).convert("RGBA")
    mask = Image.new("L", (SIDE, SIDE), 0)
    pen = ImageDraw.Draw(mask)
    pen.ellipse((8, 8, SIDE - 8, SIDE - 8), fill=255)
    for k in range(int(rng.integers(4, 9))):
        y = SIDE * (0.5 + 0.07 * k)
        pen.rectangle((0, y, SIDE, y + 2 + 1.8 * k), fill=0)
    image.paste(sun, (0, 0), mask)
    if rng.random() < 0.6:
        pen = ImageDraw.Draw(image)
        for k in range(int(rng.integers(1, 4))):
            _palm(
                pen, rng, float(rng.uniform(0.2, 0.8)) * SIDE, SIDE * 0.98, SIDE * float(rng.uniform(0.4, 0.75)), cool
            )
    return image


def _palm(pen: ImageDraw.ImageDraw, rng: np.random.Generator, x: float, y: float, height: float, ink: Rgb) -> None:
    lean = float(rng.uniform(-0.2, 0.2)) * height
    pen.line([(x, y), (x + lean * 0.3, y - height * 0.5), (x + lean, y - height)], fill=(*ink, 255), width=7)
    for angle in np.linspace(0.1, np.pi - 0.1, 8):
        for t in np.linspace(0, 1, 12):
            px = x + lean + np.cos(angle) * t * height * 0.34
            py = y - height - np.sin(angle) * t * height * 0.16 + t * t * height * 0.14
            r = 5.5 * (1 - 0.7 * t)
            pen.ellipse((px - r, py - r, px + r, py + r), fill=(*ink, 255))


def _skyline(rng: np.random.Generator, ink: Rgb) -> Image.Image:
    image = _sky(pick(rng, DARK + VIVID), pick(rng, LIGHT + VIVID))
    pen = ImageDraw.Draw(image)
    for layer in range(2):
        x = -10.0
        colour = mixed(pick(rng, DARK), (128, 128, 150), 0.45 * (1 - layer))
        while x < SIDE:
            width, top = float(rng.uniform(14, 42)), SIDE * float(rng.uniform(0.3, 0.75) + 0.1 * layer)
            pen.rectangle((x, top, x + width, SIDE), fill=colour)
            if layer:
                for wx in np.arange(x + 4, x + width - 5, 8):
                    for wy in np.arange(top + 6, SIDE, 11):
                        if rng.random() < 0.4:
                            pen.rectangle((wx, wy, wx + 3, wy + 5), fill=(250, 220, 140))
            x += width + float(rng.uniform(-4, 6))
    return image


def _bauhaus(rng: np.random.Generator, ink: Rgb) -> Image.Image:
    cells = int(rng.integers(2, 5))
    size = SIDE // cells
    colours = [pick(rng, VIVID), pick(rng, DARK), pick(rng, LIGHT), pick(rng, VIVID)]
    image = Image.new("RGB", (size * cells, size * cells), colours[2])
    pen = ImageDraw.Draw(image)
    for row in range(cells):
        for column in range(cells):
            x, y = column * size, row * size
            back, front = (colours[int(i)] for i in rng.permutation(4)[:2])
            pen.rectangle((x, y, x + size, y + size), fill=back)
            shape, start = int(rng.integers(4)), 90 * int(rng.integers(4))
            if shape == 0:
                pen.ellipse((x + size * 0.1, y + size * 0.1, x + size * 0.9, y + size * 0.9), fill=front)
            elif shape == 1:
                dx, dy = (start // 90 % 2) * size, (start // 180) * size
                pen.pieslice(
                    (x - dx, y - dy, x - dx + 2 * size, y - dy + 2 * size), start - 360, start - 270, fill=front
                )
            elif shape == 2:
                pen.polygon([(x, y), (x + size, y), (x, y + size)], fill=front)
    return image.resize((SIDE, SIDE))


def _photo(rng: np.random.Generator, ink: Rgb) -> Image.Image:
    """Soft light and dark patches with grain, like a photo printed on cloth."""
    image = Image.new("RGB", (SIDE, SIDE), pick(rng, DARK))
    pen = ImageDraw.Draw(image)
    for _ in range(26):
        x, y = rng.uniform(0, SIDE, 2)
        rx, ry = rng.uniform(15, 80, 2)
        colour = scaled(pick(rng, DARK + LIGHT + VIVID), float(rng.uniform(0.6, 1.1)))
        pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=colour)
    image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(3, 9))))
    grain = rng.normal(0, 9, (SIDE, SIDE, 1))
    pixels = np.asarray(image, np.float32) + grain
    if rng.random() < 0.45:
        grey = pixels.mean(-1, keepdims=True)
        pixels = (grey - grey.mean()) * 1.5 + 128 + np.zeros(3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _animal(rng: np.random.Generator, ink: Rgb) -> Image.Image:
    """The head of a cat, bear or rabbit."""
    kind, second = int(rng.integers(3)), pick(rng, LIGHT + VIVID)
    image = Image.new("RGBA", (SIDE, SIDE), (*ink, 0))
    pen = ImageDraw.Draw(image)
    main = (*ink, 255)
    for side in (-1, 1):
        x = SIDE / 2 + side * SIDE * 0.24
        if kind == 0:
            pen.polygon([(x - 50, 130), (x + 50, 130), (x + side * 34, 18)], fill=main)
        elif kind == 1:
            pen.ellipse((x - 48, 32, x + 48, 128), fill=main)
        else:
            pen.ellipse((x - side * 20 - 26, 0, x - side * 20 + 26, 170), fill=main)
    pen.ellipse((SIDE * 0.12, SIDE * 0.26, SIDE * 0.88, SIDE * 0.95), fill=main)
    for side in (-1, 1):
        x, y = SIDE / 2 + side * SIDE * 0.16, SIDE * 0.52
        pen.ellipse((x - 20, y - 24, x + 20, y + 24), fill=(*second, 255))
        pen.ellipse((x - 8, y - 14, x + 8, y + 14), fill=main)
        for k in range(3 if kind == 0 else 0):
            pen.line((SIDE / 2 + side * 40, 215 + 8 * k, SIDE / 2 + side * 110, 205 + 16 * k), (*second, 255), 3)
    pen.ellipse((SIDE * 0.4, SIDE * 0.62, SIDE * 0.6, SIDE * 0.72), fill=(*second, 255))
    pen.arc((SIDE * 0.38, SIDE * 0.64, SIDE * 0.62, SIDE * 0.82), 20, 160, fill=(*second, 255), width=6)
    return image


def _planet(rng: np.random.Generator, ink: Rgb) -> Image.Image:
    image = Image.new("RGBA", (SIDE, SIDE), (*ink, 0))
    pen = ImageDraw.Draw(image)
    colour, ring = pick(rng, VIVID), pick(rng, LIGHT + VIVID)
    for x, y in rng.uniform(10, SIDE - 10, (18, 2)):
        r = float(rng.uniform(1.5, 4))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=(*ink, 255))
    ball = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(ball).ellipse((80, 80, 240, 240), fill=255)
    t = np.linspace(0, 1, SIDE)[:, None]
    bands = 0.85 + 0.15 * np.sin(t * float(rng.uniform(20, 50))) - 0.35 * np.linspace(0, 1, SIDE)[None]
    pixels = np.clip(bands[..., None] * np.array(colour), 0, 255).astype(np.uint8)
    image.paste(Image.fromarray(pixels), (0, 0), ball)
    pen.arc((30, 130, 290, 190), -20, 200, fill=(*ring, 255), width=10)
    return image


def _wave(rng: np.random.Generator, ink: Rgb) -> Image.Image:
    """A graphic in one ink: concentric arcs or wavy lines."""
    image = Image.new("RGBA", (SIDE, SIDE), (*ink, 0))
    pen = ImageDraw.Draw(image)
    x = np.linspace(0, SIDE, 120)
    count, bend = int(rng.integers(6, 16)), rng.uniform(0.2, 1.2, 3)
    centre = float(rng.uniform(0.3, 0.7)) * SIDE
    for k in range(count):
        y = (k + 0.5) / count * SIDE * 0.8 + SIDE * 0.1
        lift = np.exp(-(((x - centre) / (SIDE * 0.2)) ** 2)) * SIDE * 0.12 * bend[0]
        sway = np.sin(x / SIDE * 6 * bend[1] + k * bend[2]) * 9
        line = [(float(a), float(b)) for a, b in zip(x, y - lift * np.sin(k * 1.3) + sway, strict=True)]
        pen.line(line, fill=(*ink, 255), width=max(3, int(60 / count)))
    return image


PICTURES: dict[str, Callable[[np.random.Generator, Rgb], Image.Image]] = {
    "landscape": _landscape,
    "sunset": _sunset,
    "skyline": _skyline,
    "bauhaus": _bauhaus,
    "photo": _photo,
    "animal": _animal,
    "planet": _planet,
    "wave": _wave,
}
"""Painters of SIDE x SIDE images from a random generator and an ink that stands out on the cloth."""


def draw_picture(kind: str, seed: int, ink: Rgb, frame: str) -> Image.Image:
    """Draw one of PICTURES as RGBA; opaque images are cut to the shape of `frame`: "none", "round", "arch" or
    "soft"."""
    image = PICTURES[kind](np.random.default_rng([seed, 88]), ink)
    if image.mode == "RGBA":
        return image
    mask = Image.new("L", (SIDE, SIDE), 255 if frame == "none" else 0)
    pen = ImageDraw.Draw(mask)
    if frame == "round":
        pen.ellipse((0, 0, SIDE - 1, SIDE - 1), fill=255)
    elif frame == "arch":
        pen.ellipse((0, 0, SIDE - 1, SIDE - 1), fill=255)
        pen.rectangle((0, SIDE // 2, SIDE, SIDE), fill=255)
    elif frame == "soft":
        pen.rectangle((30, 30, SIDE - 30, SIDE - 30), fill=255)
        mask = mask.filter(ImageFilter.GaussianBlur(12))
    image = image.convert("RGBA")
    image.putalpha(mask)
    return image
