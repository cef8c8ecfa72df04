"""Simulated camera: exposure, white balance, tone curve, blur, sharpening, noise, JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image

from ..pixels.colours import STEPS, srgb_curve
from .exposing import expose, mix_with_blurred

SHADOWED = 0.25
"""Probability of a faint shadow below the product in product shots."""
SHADOW_SHARE = 80
"""Height of an image divided by the length of a product's shadow."""
BRIGHTEST = 4.0
"""Light above which the tone curve is flat."""


@dataclass(frozen=True)
class Lens:
    """One camera and its settings."""

    exposure: float = 1.0
    """Factor on the light."""
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factors on red, green, blue."""
    shoulder: float = 0.8
    """Linear light above which highlights are compressed, 0.5..1."""
    toe: float = 0.0
    """Darkening of shadows compared with linear light, 0..0.5."""
    saturation: float = 1.0
    """Saturation: factor on the distance from grey."""
    vignette: float = 0.0
    """Vignetting: fraction of the light lost in the corners."""
    blur: float = 0.0
    """Radius of the defocus, in pixels at a height of 512."""
    motion: tuple[float, float] = (0.0, 0.0)
    """Camera shake, horizontal and vertical, in pixels at a height of 512."""
    sharpen: float = 0.0
    """Strength of the unsharp mask, 0..1."""
    noise: float = 0.0
    """Standard deviation of noise at mid-grey, in sRGB levels (0..255)."""
    shrunk: float = 1.0
    """Size at which the image is stored before it is resized to its final size, as a fraction of the final size."""
    quality: int = 0
    """JPEG quality; 0 for no JPEG compression."""
    shadow: float = 0.0
    """Maximum darkening of the white below a product, 0..1."""


def draw_lens(rng: np.random.Generator, product: bool = False) -> Lens:
    """Draw random camera settings: of any quality for photos, with few defects for product shots."""
    if product:
        return Lens(
            exposure=float(rng.uniform(0.94, 1.06)),
            shoulder=float(rng.uniform(0.75, 0.9)),
            toe=float(rng.uniform(0.0, 0.12)),
            saturation=float(rng.uniform(0.97, 1.05)),
            sharpen=max(0.0, float(rng.uniform(-0.3, 0.35))),
            quality=int(rng.integers(88, 98)),
            shadow=float(rng.uniform(0.03, 0.12)) if rng.random() < SHADOWED else 0.0,
        )
    warmth, tint = np.clip(rng.normal(0, 0.02, 2) * (1, 0.3), -0.05, 0.05)
    soft, shaken = rng.random() < 0.3, rng.random() < 0.08
    angle = rng.uniform(0, np.pi)
    length = float(rng.uniform(0.8, 2.2)) if shaken else 0.0
    return Lens(
        exposure=float(np.exp(rng.normal(0, 0.13))),
        balance=(float(np.exp(warmth)), float(np.exp(tint)), float(np.exp(-warmth))),
        shoulder=float(rng.uniform(0.55, 0.9)),
        toe=float(rng.uniform(0.0, 0.35)),
        saturation=float(rng.uniform(0.93, 1.1)),
        vignette=float(rng.uniform(0.05, 0.25)) if rng.random() < 0.4 else 0.0,
        blur=float(rng.uniform(0.3, 0.9)) if soft else 0.0,
        motion=(float(length * np.cos(angle)), float(length * np.sin(angle))),
        sharpen=max(0.0, float(rng.uniform(-0.3, 0.7))),
        noise=float(np.exp(rng.uniform(np.log(0.4), np.log(3.2)))),
        shrunk=float(rng.uniform(0.6, 0.95)) if rng.random() < 0.2 else 1.0,
        quality=int(rng.integers(60, 96)),
    )


def balanced(lens: Lens, light: np.ndarray, share: float) -> Lens:
    """The lens with a white balance that removes `share` (0..1) of the colour cast in a view's light (h, w, 3)."""
    cast = np.maximum(light[::8, ::8].mean(axis=(0, 1)), 1e-3)
    red, green, blue = (float(factor) for factor in np.array(lens.balance) * (cast.mean() / cast) ** share)
    return replace(lens, balance=(red, green, blue))


def develop(linear: np.ndarray, lens: Lens, seed: int = 0, white: np.ndarray | None = None) -> np.ndarray:
    """The image that a camera stores for linear light (h, w, 3); (h, w, 3) uint8 sRGB.

    `seed` is the seed of the noise. `white` (h, w) bool marks pixels that must be exactly 255 except for the lens's
    shadow, such as those around a product shot.
    """
    light = np.ascontiguousarray(linear, np.float32)
    if any(lens.motion):
        light = _shaken(light, lens.motion[0] * len(light) / 512, lens.motion[1] * len(light) / 512)
    gains = np.array(lens.balance, np.float32) * np.float32(lens.exposure / BRIGHTEST)
    pixels = np.empty(light.shape, np.uint8)
    start = np.uint64(np.random.default_rng([seed, 4711]).integers(1 << 62))
    tone = np.broadcast_to(_tone_curve(lens.shoulder, lens.toe), (3, STEPS))
    numbers = np.float32(lens.saturation), np.float32(lens.noise)
    expose(light, gains, np.float32(lens.vignette), tone, *numbers, *_grain(), start, pixels)
    out = _stored(pixels, lens)
    if white is not None:
        out[white] = 255
        if lens.shadow > 0:
            rows, columns = np.nonzero(white)
            out[rows, columns] -= np.round(255 * lens.shadow * _below(~white)[rows, columns, None]).astype(np.uint8)
    return out


def _below(covered: np.ndarray) -> np.ndarray:
    """Strength of a soft shadow, 0..1, at each pixel (h, w) below the covered pixels (h, w)."""
    reach = max(1, len(covered) // SHADOW_SHARE)
    shifted = np.zeros_like(covered)
    shifted[reach:] = covered[:-reach]
    soft = _filtered(np.repeat(np.uint8(255) * shifted[..., None], 3, -1), reach / 2, 0.0, 1.0)[..., 0]
    return soft * np.float32(1 / 255)


def _tone_curve(shoulder: float, toe: float) -> np.ndarray:
    """Values 0..255 by the square root of light up to BRIGHTEST; (STEPS,) float32."""
    value = (np.arange(STEPS, dtype=np.float32) / np.float32(STEPS - 1)) ** 2 * np.float32(BRIGHTEST)
    room, above = max(1 - shoulder, 1e-6), np.maximum(value - shoulder, 0)
    value = np.minimum(value, shoulder) + room * above / (room + above)
    value *= 1 - 0.5 * toe / (1 + 8 * value)
    place = np.sqrt(np.clip(value, 0, 1)) * (STEPS - 1) + 0.5
    return srgb_curve()[place.astype(np.int16)]


@lru_cache(maxsize=1)
def _grain() -> tuple[np.ndarray, np.ndarray]:
    """Noise with standard deviation 1 for exposing.expose: one array common to all channels, one per channel."""
    rng = np.random.default_rng(4712)
    return rng.standard_normal(1 << 17, np.float32), rng.standard_normal((1 << 15, 3), np.float32)


def _shaken(light: np.ndarray, across: float, down: float) -> np.ndarray:
    """Motion blur: the mean of several copies of the image, shifted along a line."""
    total = np.zeros_like(light)
    for t in (-0.5, 0.0, 0.5):
        total += _moved(light, t * across, t * down)
    return total / 3


def _moved(light: np.ndarray, across: float, down: float) -> np.ndarray:
    for axis, distance in ((1, across), (0, down)):
        whole = int(np.floor(distance))
        share = np.float32(distance - whole)
        last = light.shape[axis] - 1
        at = np.arange(last + 1) - whole
        near, far = np.clip(at, 0, last), np.clip(at - 1, 0, last)
        light = light.take(near, axis) * (1 - share) + light.take(far, axis) * share
    return light


def _stored(pixels: np.ndarray, lens: Lens) -> np.ndarray:
    """Apply defocus, resizing, sharpening and JPEG compression to pixels (h, w, 3) uint8."""
    if lens.blur > 0:
        pixels = _filtered(pixels, lens.blur * len(pixels) / 512, 0.0, 1.0)
    if lens.shrunk < 1:
        size = pixels.shape[1::-1]
        small = max(8, round(size[0] * lens.shrunk)), max(8, round(size[1] * lens.shrunk))
        image = Image.fromarray(pixels).resize(small, Image.Resampling.BICUBIC)
        pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    if lens.sharpen > 0:
        pixels = _filtered(pixels, 1.0, 1 + lens.sharpen, -lens.sharpen)
    if lens.quality:
        stream = io.BytesIO()
        subsampling = 0 if lens.quality > 85 else 2
        Image.fromarray(pixels).save(stream, "JPEG", quality=lens.quality, subsampling=subsampling)
        pixels = np.array(Image.open(stream).convert("RGB"))
    return pixels


def _filtered(pixels: np.ndarray, radius: float, own: float, blurred: float) -> np.ndarray:
    """own * pixels (h, w, 3) + blurred * their Gaussian blur."""
    reach = max(1, int(np.ceil(2.5 * radius)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / radius) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    flat = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    out = np.empty_like(flat)
    mix_with_blurred(flat, weights, np.float32(own), np.float32(blurred), out)
    return out.reshape(pixels.shape)
