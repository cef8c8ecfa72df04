"""Photo augmentation (zoom, stretch, bars, colours), for more variety than a data set from a single studio has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from igr_core.errors import IGRError


@dataclass(frozen=True)
class AugmentConfig:
    """Augmentation of the photos in some pairs, drawn separately for each photo; flat garments are never changed."""

    share: float = 0.0
    """Fraction of the pairs whose photo is augmented; 0 as in the paper."""
    zoom: float = 0.4
    """Maximum fraction (0..1) of the photo's width and height that is cropped away around the garment."""
    aspect: float = 0.12
    """Maximum stretch of the width, as a fraction."""
    bars: float = 0.25
    """Maximum size of letterbox bars, as a fraction of the photo's side; half of the augmented photos have bars."""
    colour: float = 0.15
    """Maximum change in brightness, contrast, saturation and white balance, as a fraction."""

    def __post_init__(self) -> None:
        limits = {"share": 1.0, "zoom": 0.9, "aspect": 0.5, "bars": 1.0, "colour": 0.5}
        for name, most in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise IGRError(f"augment.{name} is {value}: use 0 to {most:g}.")


_ROUNDING = 0.01
"""Tolerance in pixels for points on the edge of the photo."""


@dataclass(frozen=True)
class Augmented:
    """An augmented photo, its mask, and the mapping of its points."""

    person: Image.Image
    """RGB."""
    mask: Image.Image
    """L, same size."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Scale factors of x and y."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Pixels added to x and y after scaling."""

    def places(self, places: np.ndarray) -> np.ndarray:
        """Map points (h, w, 2) in the original photo to the augmented one; NaN for points that are no longer inside."""
        moved = places * np.float32(self.scale) + np.float32(self.shift)
        inside = ((moved >= -_ROUNDING) & (moved <= np.float32(self.person.size) + _ROUNDING)).all(-1)
        return np.where(inside[..., None], moved, np.float32(np.nan)).astype(np.float32)


def augmented(person: Image.Image, mask: Image.Image, seed: int, config: AugmentConfig) -> Augmented:
    """The photo and its mask, augmented at random from `seed`; unchanged outside `share` or if the mask is empty.

    The mask is never cropped, so the whole garment stays visible.
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
    """A random part of the photo that contains the box; its sides are at least 1 - `most` times the photo's sides."""
    edges = []
    for low, high, side in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        room = int(rng.uniform(0, most) * side)
        before = int(min(low, rng.uniform(0, 1) * room))
        after = int(min(side - high, room - before))
        edges.append((before, side - after))
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def _bars(size: tuple[int, int], most: float, rng: np.random.Generator) -> tuple[int, int]:
    """Size in pixels of the bars on the left and right, and of those at the top and bottom.

    At least one of the two is 0; in half of the cases, both are.
    """
    kind, width = rng.integers(4), rng.uniform(0, most)
    return (round(size[0] * width) if kind == 0 else 0, round(size[1] * width) if kind == 1 else 0)


def _coloured(image: Image.Image, most: float, rng: np.random.Generator) -> Image.Image:
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhancer(image).enhance(1 + float(rng.uniform(-most, most)))
    gains = 1 + rng.uniform(-most, most, 3) / 2  # white balance
    pixels = np.asarray(image, np.float32) * gains.astype(np.float32)
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))
