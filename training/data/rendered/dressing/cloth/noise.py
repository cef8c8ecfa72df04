"""Smooth noise as a function of cloth coordinates, identical at every resolution and in every box."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..pixels.kernels import smooth_noise

SIDE = 64
"""Period of the noise in cells."""


@lru_cache(maxsize=32)
def _grid(seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 64]).standard_normal((SIDE, SIDE)).astype(np.float32) * np.float32(2.2)


def noise(seed: int, u: np.ndarray, v: np.ndarray, cell: float | tuple[float, float]) -> np.ndarray:
    """Smooth noise, standard deviation about 1, at u (1, w) and v (h, 1) in metres.

    `cell` is the size of a blotch in metres, or (across, along) for streaks. Returns (h, w) float32.
    """
    across, along = cell if isinstance(cell, tuple) else (cell, cell)
    return smooth_noise(_grid(seed), v[:, 0] / np.float32(along), u[0] / np.float32(across))
