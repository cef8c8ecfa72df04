"""What a camera makes of the light: exposure, white balance, tone curve, blur, sharpening, noise, JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from .colours import srgb_curve
from .kernels import expose


@dataclass(frozen=True)
class Lens:
    """One camera and its settings."""

    exposure: float = 1.0
    """Factor on the light."""
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factors on red, green, blue."""
    shoulder: float = 0.8
    """Linear light from which highlights are compressed, 0.5..1."""
    toe: float = 0.0
    """How much darker the shadows are than in linear light, 0..0.5."""
    saturation: float = 1.0
    """Factor on the distance from grey."""
    vignette: float = 0.0
    """Share of the light that is missing in the corners."""
    blur: float = 0.0
    """Radius of the defocus, pixels at a height of 512."""
    motion: tuple[float, float] = (0.0, 0.0)
    """Camera shake across and down, pixels at a height of 512."""
    sharpen: float = 0.0
    """Strength of the unsharp mask, 0..1."""
    noise: float = 0.0
    """Deviation of mid-grey, in sRGB steps of 255."""
    shrunk: float = 1.0
    """Size at which the picture was once stored, as a share of its size."""
    quality: int = 0
    """JPEG quality; 0 for none."""


def draw_lens(rng: np.random.Generator, product: bool = False) -> Lens:
    """Draw a camera: any for photos, a clean one for product shots."""
    if product:
        return Lens(
            exposure=float(rng.uniform(0.94, 1.06)),
            shoulder=float(rng.uniform(0.75, 0.9)),
            toe=float(rng.uniform(0.0, 0.12)),
            saturation=float(rng.uniform(0.97, 1.05)),
            sharpen=max(0.0, float(rng.uniform(-0.3, 0.35))),
            quality=int(rng.integers(88, 98)),
        )
    warmth, tint = rng.normal(0, 0.045), rng.normal(0, 0.015)
    soft, shaken = rng.random() < 0.3, rng.random() < 0.08
    angle = rng.uniform(0, np.pi)
    length = float(rng.uniform(0.8, 2.2)) if shaken else 0.0
    return Lens(
        exposure=float(np.exp(rng.normal(0, 0.13))),
        balance=(float(np.exp(warmth)), float(np.exp(tint)), float(np.exp(-warmth))),
        shoulder=float(rng.uniform(0.55, 0.9)),
        toe=float(rng.uniform(0.0, 0.35)),
        saturation=float(rng.uniform(0.85, 1.12)),
        vignette=float(rng.uniform(0.05, 0.25)) if rng.random() < 0.4 else 0.0,
        blur=float(rng.uniform(0.3, 0.9)) if soft else 0.0,
        motion=(float(length * np.cos(angle)), float(length * np.sin(angle))),
        sharpen=max(0.0, float(rng.uniform(-0.3, 0.7))),
        noise=float(np.exp(rng.uniform(np.log(0.4), np.log(3.2)))),
        shrunk=float(rng.uniform(0.6, 0.95)) if rng.random() < 0.2 else 1.0,
        quality=int(rng.integers(60, 96)),
    )


def develop(linear: np.ndarray, lens: Lens, seed: int = 0, white: np.ndarray | None = None) -> np.ndarray:
    """The picture a camera stores of linear light (h, w, 3); (h, w, 3) uint8 sRGB.

    seed: of the noise. white: (h, w) bool where the picture is exactly 255 in the end, as around product shots.
    """
    light = np.ascontiguousarray(linear, np.float32)
    if any(lens.motion):
        light = _shaken(light, lens.motion[0] * len(light) / 512, lens.motion[1] * len(light) / 512)
    gains = np.array(lens.balance, np.float32) * np.float32(lens.exposure)
    numbers = (np.float32(n) for n in (lens.vignette, lens.shoulder, lens.toe))
    pixels = np.empty(light.shape, np.uint8)
    start = np.uint64(np.random.default_rng([seed, 4711]).integers(1 << 62))
    expose(
        light, gains, *numbers, srgb_curve(), np.float32(lens.saturation), np.float32(lens.noise), start, pixels
    )  # fmt: skip
    image = Image.fromarray(pixels)
    image = _stored(image, lens)
    out = np.array(image)
    if white is not None:
        out[white] = 255
    return out


def _shaken(light: np.ndarray, across: float, down: float) -> np.ndarray:
    """The mean of a few copies moved along a line."""
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


def _stored(image: Image.Image, lens: Lens) -> Image.Image:
    """Defocus, resizing, sharpening and JPEG."""
    size = image.size
    if lens.blur > 0:
        image = image.filter(ImageFilter.GaussianBlur(lens.blur * size[1] / 512))
    if lens.shrunk < 1:
        small = max(8, round(size[0] * lens.shrunk)), max(8, round(size[1] * lens.shrunk))
        image = image.resize(small, Image.Resampling.BICUBIC).resize(size, Image.Resampling.BICUBIC)
    if lens.sharpen > 0:
        image = image.filter(ImageFilter.UnsharpMask(radius=1, percent=int(lens.sharpen * 100), threshold=0))
    if lens.quality:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=lens.quality, subsampling=0 if lens.quality > 85 else 2)
        image = Image.open(stream).convert("RGB")
    return image
