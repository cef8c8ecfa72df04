"""Convert photos with a colour profile, such as Display P3, Adobe RGB or a printer's, or with a gamma, to sRGB."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, features

_GAMMA, _LEAST_GAMMA = 1 / 2.2, 0.02
"""Gamma of sRGB in PNG files, and the smallest difference from it that counts."""
_ADOBE_GAMMA = 563 / 256
_ADOBE_TO_SRGB = ((1.39836, -0.39836, 0.0), (0.0, 1.0, 0.0), (0.0, -0.04293, 1.04293))
"""Gamma of Adobe RGB (1998), and the matrix that converts its linear colours to those of sRGB."""
_UNCALIBRATED = 0xFFFF
"""Value of EXIF's ColorSpace for colours other than sRGB."""
_LEAST_CHANGE = 2
"""Profiles that change no colour by more than this many of 255 levels are sRGB under another name and are ignored."""


def to_srgb(image: Image.Image) -> Image.Image:
    """The image with its embedded ICC profile applied; unchanged if the profile is missing, damaged, or sRGB itself.

    Without a profile, a PNG's gamma is applied, and a camera's JPEG whose EXIF data say Adobe RGB is converted.
    Converted images are RGB, or RGBA if they have transparency.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return _from_adobe_rgb(image) if _is_adobe_rgb(image) else _with_gamma(image)
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


def deep_to_srgb(values: np.ndarray, image: Image.Image) -> np.ndarray:
    """Values (H, W) in 0..1 of a grey image with more than 8 bits, converted as to_srgb converts 8-bit images."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    ramp.info = {name: image.info[name] for name in ("icc_profile", "gamma", "srgb") if name in image.info}
    converted = to_srgb(ramp)
    if converted is ramp:
        return values
    curve = np.asarray(converted.convert("L"))[0] / 255
    return np.interp(values, np.arange(256) / 255, curve).astype(np.float32)


def _with_gamma(image: Image.Image) -> Image.Image:
    gamma = image.info.get("gamma")
    if not gamma or not 0.1 < gamma < 10 or "srgb" in image.info or abs(gamma - _GAMMA) < _LEAST_GAMMA:
        return image
    encoded = _encoded((np.arange(256) / 255) ** (1 / gamma))
    levels = [int(level) for level in (encoded * 255).round()]
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image.convert(mode).point(levels * 3 + list(range(256)) * (len(mode) - 3))


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether a camera has marked the image as Adobe RGB (DCF 2.0): not sRGB, with the interoperability index R03."""
    if image.mode != "RGB" or "exif" not in image.info:
        return False
    try:
        exif = image.getexif()
        colour_space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        return colour_space == _UNCALIBRATED and exif.get_ifd(ExifTags.IFD.Interop).get(1) == "R03"
    except Exception:  # damaged EXIF data, for which Pillow raises almost any exception
        return False


def _from_adobe_rgb(image: Image.Image) -> Image.Image:
    linear = (np.asarray(image, dtype=np.float32) / 255) ** _ADOBE_GAMMA  # (H, W, 3)
    linear = (linear @ np.asarray(_ADOBE_TO_SRGB, dtype=np.float32).T).clip(0, 1)
    return Image.fromarray((_encoded(linear) * 255).round().astype(np.uint8))


def _encoded(linear: np.ndarray) -> np.ndarray:
    """Linear values in 0..1, encoded with the transfer function of sRGB."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@cache
def _srgb() -> Any:
    return ImageCms.createProfile("sRGB")


def _changes_little(transform: Any) -> bool:
    """Whether an RGB transform leaves a grid of 216 colours almost unchanged."""
    levels = np.linspace(0, 255, 6).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(6, 36, 3)  # (6, 36, 3)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(grid), transform))
    return int(np.abs(converted.astype(int) - grid).max()) <= _LEAST_CHANGE
