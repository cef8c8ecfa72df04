"""Agnostic masks and corrupted masks."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from ..painting.pose import Pose
from ..painting.view import View
from .body import limb_outline


def dilated(mask: Image.Image, pixels: int) -> Image.Image:
    """Grow an L mask quickly by about `pixels` in every direction."""
    if pixels < 1:
        return mask
    grown = mask.filter(ImageFilter.BoxBlur(pixels)).point(lambda v: 255 if v > 0 else 0)
    return ImageChops.lighter(grown, mask)


def eroded(mask: Image.Image, pixels: int) -> Image.Image:
    """Shrink an L mask by about `pixels`."""
    return ImageChops.invert(dilated(ImageChops.invert(mask), pixels))


def agnostic_mask(garment: Image.Image, pose: Pose, view: View, category: str) -> Image.Image:
    """The dilated garment mask, plus the arms (upper, full) and the legs (lower, full)."""
    width, height = garment.size
    factor = height / view.height
    mask = dilated(garment, max(2, round(0.022 * height)))
    draw = ImageDraw.Draw(mask)
    shapes: list[tuple[str, list[tuple[float, float]]]] = []
    if category in ("upper", "full"):
        shapes += [(f"arm_{s}", [(-0.03, 0.03), (0.0, 0.045), (0.15, 0.04), (0.3, 0.034)]) for s in ("l", "r")]
    if category in ("lower", "full"):
        shapes += [(f"leg_{s}", [(0.3, 0.058), (0.4, 0.06), (0.58, 0.046), (0.78, 0.036)]) for s in ("l", "r")]
    for name, knots in shapes:
        points = view.pixels(pose.bones[name].forward(limb_outline(knots, 1.0))) * factor
        draw.polygon([(float(x), float(y)) for x, y in points], fill=255)
    return mask


def corrupt_mask(mask: Image.Image, seed: int, strength: float) -> Image.Image:
    """Corrupt an L mask with typical errors of people and segmenters; strength 0 returns a copy, 1 is severe."""
    if mask.mode != "L":
        mask = mask.convert("L")
    if strength <= 0:
        return mask.copy()
    rng = np.random.default_rng([seed, 77])
    unit = max(mask.size) * strength
    shift = rng.uniform(-0.02, 0.02, 2) * unit
    out = mask.transform(
        mask.size, Image.Transform.AFFINE, (1, 0, -float(shift[0]), 0, 1, -float(shift[1])), Image.Resampling.NEAREST
    )
    amount = max(1, round(float(rng.uniform(0.006, 0.02)) * unit))
    out = eroded(out, amount) if rng.random() < 0.5 else dilated(out, amount)
    out = _rough(out, rng, strength)
    return _holed(out, rng, unit, strength)


def _rough(mask: Image.Image, rng: np.random.Generator, strength: float) -> Image.Image:
    """Replace smooth edges with coarse polygonal ones, by thresholding a small noisy copy."""
    width, height = mask.size
    cells = max(10, round(90 - 70 * min(strength, 1.0)))
    small = mask.resize((cells, max(2, cells * height // width)), Image.Resampling.BOX)
    noise = rng.normal(0, 40 * min(strength, 1.5), (small.height, small.width))
    jagged = np.clip(np.asarray(small, np.float32) + noise * (np.asarray(small) > 8), 0, 255)
    large = Image.fromarray(jagged.astype(np.uint8)).resize(mask.size, Image.Resampling.BILINEAR)
    return large.point(lambda v: 255 if v > 110 else 0)


def _holed(mask: Image.Image, rng: np.random.Generator, unit: float, strength: float) -> Image.Image:
    """Punch holes and add stray specks."""
    draw = ImageDraw.Draw(mask)
    ys, xs = np.nonzero(np.asarray(mask))
    if len(ys) == 0:
        return mask
    for k in range(int(rng.integers(0, 3)) + round(2 * strength)):
        at = int(rng.integers(len(ys)))
        rx, ry = rng.uniform(0.008, 0.03, 2) * unit
        x, y = float(xs[at]), float(ys[at])
        fill = 255 if k % 4 == 3 else 0
        if fill:
            x += float(rng.normal(0, 0.05)) * unit
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill)
    return mask
