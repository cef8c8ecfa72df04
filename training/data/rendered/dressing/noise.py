"""Smooth noise as a function of cloth coordinates: the same blotches at every resolution and in every box."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .kernels import smooth_noise

SIDE = 64
"""Cells after which the noise repeats."""


@lru_cache(maxsize=32)
def _grid(seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 64]).standard_normal((SIDE, SIDE)).astype(np.float32) * np.float32(2.2)


def _taps(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells (4, N) and cubic B-spline weights (4, N) at positions (N,) in cells."""
    start = np.floor(positions)
    t = (positions - start).astype(np.float32)
    cells = (start.astype(np.int32) + np.arange(-1, 3, dtype=np.int32)[:, None]) % SIDE
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    return cells.astype(np.uint32), weights.astype(np.float32)


def noise(seed: int, u: np.ndarray, v: np.ndarray, cell: float | tuple[float, float]) -> np.ndarray:
    """Smooth noise, deviation about 1, at u (1, w) and v (h, 1) in metres.

    cell: size of a blotch in metres, or (across, along) for streaks. Returns (h, w) float32.
    """
    across, along = cell if isinstance(cell, tuple) else (cell, cell)
    rows, row_weights = _taps(v[:, 0] / along)
    columns, column_weights = _taps(u[0] / across)
    return smooth_noise(_grid(seed), rows, row_weights, columns, column_weights)
