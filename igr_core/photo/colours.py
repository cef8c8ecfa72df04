"""Convert photos with a colour profile, such as Display P3, Adobe RGB or a printer's, or with a gamma, to sRGB."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms, features

_GAMMA, _LEAST_GAMMA = 1 / 2.2, 0.02
"""Gamma of sRGB in PNG files, and the smallest difference from it that counts."""
_LEAST_CHANGE = 2
"""Profiles that change no colour by more than this many of 255 levels are sRGB under another name and are ignored."""


def to_srgb(image: Image.Image) -> Image.Image:
    """The image with its embedded ICC profile applied; unchanged if the profile is missing, damaged, or sRGB itself.

    Without a profile, a PNG's gamma is applied. Converted images are RGB, or RGBA if they have transparency.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return _with_gamma(image)
    if not features.check("littlecms2"):
        return image
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    colours = image.convert("RGB") if image.mode in ("P", "PA", "RGBA", "RGBX", "RGBa") else image
    colours = image.convert("L") if image.mode in ("LA", "La", "1") else colours
    try:
        with io.BytesIO(profile) as data:
            given = ImageCms.ImageCmsProfile(data)
        transform = ImageCms.buildTransform(given, _srgb(), colours.mode, "RGB")
        if colours.mode == "RGB" and _changes_little(transform):
            return image
        converted = ImageCms.applyTransform(colours, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a damaged profile, or one for another mode
        return image
    if converted is None:
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _with_gamma(image: Image.Image) -> Image.Image:
    gamma = image.info.get("gamma")
    if not gamma or not 0.1 < gamma < 10 or "srgb" in image.info or abs(gamma - _GAMMA) < _LEAST_GAMMA:
        return image
    light = (np.arange(256) / 255) ** (1 / gamma)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    levels = [int(level) for level in (encoded * 255).round()]
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image.convert(mode).point(levels * 3 + list(range(256)) * (len(mode) - 3))


@cache
def _srgb() -> Any:
    return ImageCms.createProfile("sRGB")


def _changes_little(transform: Any) -> bool:
    """Whether an RGB transform leaves a grid of 216 colours almost unchanged."""
    levels = np.linspace(0, 255, 6).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(6, 36, 3)  # (6, 36, 3)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(grid), transform))
    return int(np.abs(converted.astype(int) - grid).max()) <= _LEAST_CHANGE
