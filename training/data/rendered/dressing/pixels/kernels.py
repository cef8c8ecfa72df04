"""Loops over texels that are too slow in numpy, compiled by numba (`render` extra)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def halve(pool: np.ndarray, start: int, height: int, width: int, target: int) -> None:
    """Average 2 x 2 texels of an even-sized level at `start` of the pool (N, 3) into the level at `target`."""
    for y in range(height // 2):
        for x in range(width // 2):
            a = start + 2 * y * width + 2 * x
            b = target + y * (width // 2) + x
            for c in range(3):
                total = pool[a, c] + pool[a + 1, c] + pool[a + width, c] + pool[a + width + 1, c]
                pool[b, c] = np.float32(0.25) * total


@njit(cache=True, error_model="numpy")
def stroke(cover: np.ndarray, points: np.ndarray, half: float, share: float, dash: float, gap: float) -> None:
    """Raise cover (h, w) to `share` (0..1) along a line through points (N, 2); a `gap` of 0 draws a solid line.
    Positions and lengths are in texels, and `half` is half the line's width."""
    height, width = cover.shape
    along = 0.0
    for k in range(len(points) - 1):
        ax, ay = points[k, 0], points[k, 1]
        dx, dy = points[k + 1, 0] - ax, points[k + 1, 1] - ay
        length = np.sqrt(dx * dx + dy * dy)
        if length < 1e-6:
            continue
        reach = half + 1.0
        x0, x1 = max(0, int(min(ax, ax + dx) - reach)), min(width - 1, int(max(ax, ax + dx) + reach) + 1)
        y0, y1 = max(0, int(min(ay, ay + dy) - reach)), min(height - 1, int(max(ay, ay + dy) + reach) + 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                px, py = x + 0.5 - ax, y + 0.5 - ay
                t = min(max((px * dx + py * dy) / length, 0.0), length)
                ox, oy = px - t * dx / length, py - t * dy / length
                value = min(half + 0.5 - np.sqrt(ox * ox + oy * oy), min(1.0, 2 * half))
                if gap > 0.0:
                    phase = (along + t) % (dash + gap)
                    value *= min(max(min(phase, dash - phase) + 0.5, 0.0), 1.0)
                value *= share
                if value > cover[y, x]:
                    cover[y, x] = value
        along += length


@njit(cache=True, error_model="numpy")
def stitch(colours, crease, light, thread, ink, strength):
    """Darken colours (h, w, 3), in 0..255, by crease (h, w), lighten them by light (h, w), and blend in ink (3,) with
    the coverage in thread (h, w)."""
    for y in range(colours.shape[0]):
        for x in range(colours.shape[1]):
            dark, bright, cover = crease[y, x], light[y, x], thread[y, x] * strength
            if dark + bright + cover > 0:
                for c in range(3):
                    value = colours[y, x, c] * (1 - dark)
                    value += bright * (np.float32(255) - value)
                    colours[y, x, c] = value + cover * (ink[c] - value)


@njit(cache=True, error_model="numpy")
def blend(colours, field, step, target, scaling):
    """Mix colours (h, w, 3) with target (3,) by a field that is given at every step-th texel and interpolated linearly.

    With `scaling`, colours are multiplied by one plus the field instead. `field` is (h // step + 2, w // step + 2)
    float32.
    """
    one = np.float32(1)
    for y in range(colours.shape[0]):
        row, fy = y // step, np.float32(y % step) / np.float32(step)
        for x in range(colours.shape[1]):
            column, fx = x // step, np.float32(x % step) / np.float32(step)
            low = field[row, column] * (one - fx) + field[row, column + 1] * fx
            high = field[row + 1, column] * (one - fx) + field[row + 1, column + 1] * fx
            amount = low * (one - fy) + high * fy
            for c in range(3):
                value = colours[y, x, c]
                colours[y, x, c] = value * (one + amount) if scaling else value + amount * (target[c] - value)


@njit(cache=True, error_model="numpy")
def linearise(colours, table, texels):
    """Fill texels (h * w, 3) with the linear light of colours (h, w, 3) in 0..255, looked up in `table`."""
    width, last = colours.shape[1], np.float32(len(table) - 1)
    for y in range(colours.shape[0]):
        for x in range(width):
            for c in range(3):
                place = colours[y, x, c] * (last / np.float32(255)) + np.float32(0.5)
                texels[y * width + x, c] = table[np.uint32(min(max(place, np.float32(0)), last))]


@njit(cache=True, error_model="numpy")
def taps(positions, side, cells, weights):
    """Fill cells (4, N) int32 and weights (4, N) float32 of a periodic cubic B-spline at positions (N,), in cells."""
    for k in range(len(positions)):
        start = np.floor(positions[k])
        t, one = np.float32(positions[k] - start), np.float32(1)
        for tap in range(4):
            cells[tap, k] = (np.int64(start) + tap - 1) % side
        weights[0, k] = (one - t) * (one - t) * (one - t) / np.float32(6)
        weights[1, k] = (np.float32(3) * t * t * t - np.float32(6) * t * t + np.float32(4)) / np.float32(6)
        weights[3, k] = t * t * t / np.float32(6)
        weights[2, k] = one - weights[0, k] - weights[1, k] - weights[3, k]


@njit(cache=True, error_model="numpy")
def smooth_noise(grid, down, across):
    """Values (h, w) of a periodic spline over a grid (n, n), at positions down (h,) and across (w,), in cells."""
    height, width, side = len(down), len(across), grid.shape[1]
    rows, row_weights = np.empty((4, height), np.int32), np.empty((4, height), np.float32)
    columns, column_weights = np.empty((4, width), np.int32), np.empty((4, width), np.float32)
    taps(down, side, rows, row_weights)
    taps(across, side, columns, column_weights)
    out, line = np.empty((height, width), np.float32), np.empty(side, np.float32)
    for y in range(height):
        for x in range(side):
            line[x] = grid[rows[0, y], x] * row_weights[0, y] + grid[rows[1, y], x] * row_weights[1, y]
            line[x] += grid[rows[2, y], x] * row_weights[2, y] + grid[rows[3, y], x] * row_weights[3, y]
        for x in range(width):
            value = line[columns[0, x]] * column_weights[0, x] + line[columns[1, x]] * column_weights[1, x]
            out[y, x] = value + line[columns[2, x]] * column_weights[2, x] + line[columns[3, x]] * column_weights[3, x]
    return out
