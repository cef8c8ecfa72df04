"""Photos of other shapes, cuts and light: what a data set of one studio never shows (zoom, stretch, bars, colours)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from igr_core.errors import IGRError


@dataclass(frozen=True)
class AugmentConfig:
    """How the photos of some pairs are changed, each in its own way; the flat garment never is."""

    share: float = 0.0
    """Share of the pairs whose photo is changed; 0 is the paper's recipe."""
    zoom: float = 0.4
    """Largest part of the photo's width and height that is cut away around the garment (0..1)."""
    aspect: float = 0.12
    """Largest stretch of the width, as a share."""
    bars: float = 0.25
    """Largest letterbox bars, as a share of the photo's side; half of the changed photos have some."""
    colour: float = 0.15
    """Largest change of brightness, contrast, saturation and white balance, as a share."""

    def __post_init__(self) -> None:
        limits = {"share": 1.0, "zoom": 0.9, "aspect": 0.5, "bars": 1.0, "colour": 0.5}
        for name, most in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise IGRError(f"augment.{name} is {value}: give 0 to {most:g}.")


_ROUNDING = 0.01
"""Pixels that a place at the very edge may be off."""


@dataclass(frozen=True)
class Augmented:
    """A photo, its mask, and where its points went."""

    person: Image.Image
    """RGB."""
    mask: Image.Image
    """L, of the same size."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Factors of x and y."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Pixels added to x and y afterwards."""

    def places(self, places: np.ndarray) -> np.ndarray:
        """A map of points (h, w, 2) of the photo in the changed one; NaN where it no longer shows them."""
        moved = places * np.float32(self.scale) + np.float32(self.shift)
        inside = ((moved >= -_ROUNDING) & (moved <= np.float32(self.person.size) + _ROUNDING)).all(-1)
        return np.where(inside[..., None], moved, np.float32(np.nan)).astype(np.float32)


def augmented(person: Image.Image, mask: Image.Image, seed: int, config: AugmentConfig) -> Augmented:
    """The photo and its mask, changed as `seed` draws it; as they were for pairs outside the share or an empty mask.

    The garment stays whole: nothing of the mask is cut away.
    """
    rng = np.random.default_rng([seed, 1907])
    box = mask.getbbox()
    if rng.random() >= config.share or box is None:
        return Augmented(person, mask)
    left, top, right, bottom = _cut(box, person.size, config.zoom, rng)
    person, mask = (image.crop((left, top, right, bottom)) for image in (person, mask))
    width = max(1, round(person.width * float(np.exp(rng.uniform(-1, 1) * np.log1p(config.aspect)))))
    scale = width / person.width
    person = person.resize((width, person.height), Image.Resampling.LANCZOS)
    mask = mask.resize(person.size, Image.Resampling.NEAREST)
    across, down = _bars(person.size, config.bars, rng)
    shade = tuple(int(x) for x in (rng.choice([0, 255, rng.integers(256)]),) * 3)
    person = ImageOps.expand(_coloured(person, config.colour, rng), (across, down, across, down), shade)
    mask = ImageOps.expand(mask, (across, down, across, down), 0)
    return Augmented(person, mask, (scale, 1.0), (across - left * scale, float(down - top)))


def _cut(
    box: tuple[int, int, int, int], size: tuple[int, int], most: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """A part of the photo that holds the box, and at least 1 - `most` of each side."""
    edges = []
    for low, high, side in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        room = int(rng.uniform(0, most) * side)
        before = int(min(low, rng.uniform(0, 1) * room))
        after = int(min(side - high, room - before))
        edges.append((before, side - after))
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def _bars(size: tuple[int, int], most: float, rng: np.random.Generator) -> tuple[int, int]:
    """Pixels at the left and right, or above and below; half of the time neither."""
    kind, width = rng.integers(4), rng.uniform(0, most)
    return (round(size[0] * width) if kind == 0 else 0, round(size[1] * width) if kind == 1 else 0)


def _coloured(image: Image.Image, most: float, rng: np.random.Generator) -> Image.Image:
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhancer(image).enhance(1 + float(rng.uniform(-most, most)))
    gains = 1 + rng.uniform(-most, most, 3) / 2  # white balance
    pixels = np.asarray(image, np.float32) * gains.astype(np.float32)
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))
