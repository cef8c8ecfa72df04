"""Conversion between sRGB and linear light with tables, and mixing of colours."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

STEPS = 4096
"""Entries of the table from linear light to sRGB."""


@lru_cache(maxsize=1)
def linear_curve() -> np.ndarray:
    """Linear light for sRGB values in 0..255, in steps of 1 / 16; (4096,) float32."""
    value = np.arange(STEPS, dtype=np.float64) / (STEPS - 1)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


@lru_cache(maxsize=1)
def srgb_curve() -> np.ndarray:
    """sRGB values in 0..255, indexed by the square root of linear light, over which they are nearly linear; (4096,)
    float32."""
    linear = (np.arange(STEPS, dtype=np.float64) / (STEPS - 1)) ** 2
    curve = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (curve * 255).astype(np.float32)


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """Linear light 0..1 of sRGB values 0..255 (clipped); any shape, float32."""
    index = np.clip(srgb * np.float32((STEPS - 1) / 255) + np.float32(0.5), 0, STEPS - 1).astype(np.int16)
    return linear_curve().take(index)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """sRGB values 0..255 of linear light (clipped to 0..1); any shape, float32."""
    root = np.sqrt(np.clip(linear, 0, 1), dtype=np.float32)
    return srgb_curve().take((root * np.float32(STEPS - 1) + np.float32(0.5)).astype(np.int16))


def linear_rgb(colour: tuple[float, float, float]) -> np.ndarray:
    """Linear light of one sRGB colour 0..255; (3,) float32."""
    return to_linear(np.array(colour, np.float32))


def luminance(linear: np.ndarray) -> np.ndarray:
    """Brightness of linear light (..., 3); (...)."""
    return linear @ np.array([0.2126, 0.7152, 0.0722], np.float32)
