"""Small array helpers: smooth noise, soft edges, blurs, polygon masks, bilinear sampling."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Array = np.ndarray


def smooth_noise(rng: np.random.Generator, rows: int, cols: int) -> Array:
    """A small grid of normal random numbers; enlarge it with `enlarge` to get the same scene at every size."""
    return rng.standard_normal((max(rows, 2), max(cols, 2))).astype(np.float32)


def enlarge(grid: Array, height: int, width: int) -> Array:
    """Bicubic enlargement of a small float grid to (height, width)."""
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC), np.float32)


def soft(distance: Array, pixel: float) -> Array:
    """Coverage 0..1 of a shape, from its signed distance (positive inside), with an edge one pixel wide."""
    return np.clip(distance / pixel + 0.5, 0.0, 1.0)


def blurred(mask: Array, radius: float) -> Array:
    """Blur a float mask 0..1 with three box filters, which approximate a Gaussian; padded with zeros."""
    pad = int(radius * 2) + 2
    image = Image.fromarray((np.pad(mask, pad) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(image, np.float32)[pad:-pad, pad:-pad] / 255


def polygon_mask(points: Array, height: int, width: int, grow: int = 0) -> Array:
    """Filled polygon in pixel coordinates as uint8 0/255 (height, width), grown by `grow` pixels."""
    image = Image.new("L", (width, height), 0)
    flat = [(float(x), float(y)) for x, y in points]
    draw = ImageDraw.Draw(image)
    draw.polygon(flat, fill=255)
    if grow:
        draw.line([*flat, flat[0]], fill=255, width=2 * grow + 1)
    return np.asarray(image)


def sample(planes: Array, x: Array, y: Array, channels: tuple[int, ...]) -> Array:
    """Sample some channels of (C, h, w) bilinearly at pixel positions (N,), clamped at the border; (channels, N)."""
    height, width = planes.shape[1:]
    x = np.clip(x, 0, width - 1.001).astype(np.float32)
    y = np.clip(y, 0, height - 1.001).astype(np.float32)
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    fx, fy = x - x0, y - y0
    at = (y0 * width + x0).astype(np.intp)
    out = np.empty((len(channels), len(x)), np.float32)
    for k, channel in enumerate(channels):
        plane = planes[channel].reshape(-1)
        top, low = plane[at], plane[at + width]
        top += (plane[at + 1] - top) * fx
        low += (plane[at + width + 1] - low) * fx
        out[k] = top + (low - top) * fy
    return out


def doubled(grid: Array) -> Array:
    """Upsample (h, w, C) linearly to (2h - 1, 2w - 1, C)."""
    height, width, channels = grid.shape
    out = np.empty((2 * height - 1, 2 * width - 1, channels), np.float32)
    out[::2, ::2] = grid
    out[::2, 1::2] = (grid[:, :-1] + grid[:, 1:]) / 2
    out[1::2] = (out[:-2:2] + out[2::2]) / 2
    return out
