"""Gloss of a smooth clear coat: reflections of the lamps, computed from the normals alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..scene.cameras import Camera
from ..scene.lights import Lamp

ROUGHNESS = 0.35
"""Roughness of the coat; dressing scales the result by fabric and skin."""
FACING = 0.04
"""Reflectance at normal incidence (Fresnel)."""


def gloss(normals: np.ndarray, camera: Camera, lamps: Sequence[Lamp], light: np.ndarray) -> np.ndarray:
    """Reflection of the `lamps` in a clear coat with `normals` (h, w, 3); (h, w) float32, linear, 0 in empty areas.

    Reflections are dimmed at pixels that the lamps do not reach, according to `light` (h, w, 3), the light that arrives
    at each pixel.
    """
    height, width = normals.shape[:2]
    y, x = np.mgrid[:height, :width] + 0.5
    towards = -camera.directions(x.ravel(), y.ravel()).reshape(height, width, 3)
    facing = np.clip((normals * towards).sum(axis=-1), 0, 1)
    power = 2 / ROUGHNESS**4 - 2
    total = np.zeros((height, width))
    expected = np.full((height, width), 1e-3)
    for lamp in lamps:
        half = towards + lamp.direction
        half /= np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-9)
        aligned = np.clip((normals * half).sum(axis=-1), 0, 1)
        # a wide lamp blurs its reflection: a lower exponent, and less brightness at the centre
        wide = 1 / (1 / power + lamp.spread**2 / 4)
        incident = np.clip(normals @ lamp.direction, 0, 1)
        total += lamp.strength * aligned**wide * (wide + 2) / 8 * incident
        expected += lamp.strength * incident
    shade = np.clip(light.mean(axis=-1) / np.maximum(expected, 0.15 * expected.max()), 0, 1)
    fresnel = FACING + (1 - FACING) * (1 - facing) ** 5
    rim = 0.15 * light.mean(axis=-1)
    seen = normals.any(axis=-1)
    return np.where(seen, fresnel * (total * shade + rim), 0).astype(np.float32)
