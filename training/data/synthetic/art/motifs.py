"""Small shapes: signed distance fields for tilings, outlines for logos."""

import numpy as np

from .arrays import Array
from .curves import ellipse

LOGOS = ("circle", "ring", "star", "heart", "bolt", "smiley", "triangle", "diamond", "number", "split")


def star(x: Array, y: Array, radius: float) -> Array:
    """Signed field of a five-pointed star pointing up (positive inside)."""
    angle = np.abs((np.arctan2(x, -y) / (2 * np.pi / 5) + 0.5) % 1.0 - 0.5) * 2  # 0 at a tip, 1 between tips
    return radius / (1 + 1.3 * angle) - np.hypot(x, y)


def heart(x: Array, y: Array, radius: float) -> Array:
    """Signed field of a heart (positive inside)."""
    x, y = np.abs(x) / radius, -y / radius
    return (1.0 - np.sqrt(x * x + (y * 1.15 - 0.75 * np.sqrt(x) + 0.1) ** 2)) * radius * 0.7


def flower(x: Array, y: Array, radius: float) -> tuple[Array, Array]:
    """Signed fields of a flower's five petals and of its eye."""
    r = np.hypot(x, y)
    petals = radius * (0.72 + 0.28 * np.cos(5 * np.arctan2(y, x) + 0.6)) - r
    return petals, radius * 0.3 - r


def logo_outline(kind: str) -> Array:
    """Outline of a filled logo in a unit square centred at 0, y down; (N, 2)."""
    if kind == "star":
        t = np.arange(10) * np.pi / 5
        r = np.where(np.arange(10) % 2 == 0, 0.5, 0.21)
        return np.stack([r * np.sin(t), -r * np.cos(t)], 1).astype(np.float32)
    if kind == "heart":
        t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        x = 16 * np.sin(t) ** 3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
        return np.stack([x / 34, (y - 2) / 34], 1).astype(np.float32)
    if kind == "bolt":
        points = [(0.12, -0.5), (-0.3, 0.08), (-0.02, 0.08), (-0.14, 0.5), (0.3, -0.12), (0.04, -0.12)]
        return np.array(points, np.float32)
    if kind == "triangle":
        return np.array([(0, -0.46), (0.5, 0.4), (-0.5, 0.4)], np.float32)
    if kind == "diamond":
        return np.array([(0, -0.5), (0.38, 0), (0, 0.5), (-0.38, 0)], np.float32)
    return ellipse(0, 0, 0.5, 0.5, 40)
