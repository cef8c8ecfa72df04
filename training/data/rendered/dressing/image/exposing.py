"""Per-pixel effects of a camera, compiled by numba (`render` extra): tone curve, grain, blur and sharpening."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, forceinline=True)
def _scrambled(number):
    """Hash a counter to 64 uniformly distributed bits (splitmix64)."""
    number = np.uint64(number) * np.uint64(0x9E3779B97F4A7C15)
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))


@njit(cache=True, error_model="numpy")
def expose(light, gains, vignette, curves, saturation, noise, grain, specks, seed, out):
    """Fill out (h, w, 3) uint8 with a sensor's response to light (h, w, 3) float32.

    `gains` (3,) are factors on the light, which is then clipped to 1. `curves` (3, S) float32 are values in 0..255,
    indexed by the square root of the light. `noise` is the standard deviation of the noise at mid-grey, in levels
    0..255. `grain` (N,) and `specks` (M, 3) contain noise with standard deviation 1: grain is common to all channels of
    a pixel, specks are per channel for blocks of 2 x 2 pixels. N and M are powers of two. `seed` (uint64) determines
    where each row starts in these arrays.
    """
    height, width = light.shape[:2]
    one, half, last = np.float32(1), np.float32(0.5), np.float32(curves.shape[1] - 1)
    for y in range(height):
        dy = np.float32(2 * y) / np.float32(height - 1) - one
        start = np.int64(_scrambled(seed + np.uint64(2 * y)) & np.uint64(len(grain) - 1))
        first = np.int64(_scrambled(seed + np.uint64(2 * (y // 2) + 1)) & np.uint64(len(specks) - 1))
        for x in range(width):
            fall = one
            if vignette > 0:
                dx = np.float32(2 * x) / np.float32(width - 1) - one
                fall -= vignette * half * (dx * dx + dy * dy)
            r = curves[0, np.int32(np.sqrt(min(max(light[y, x, 0] * gains[0] * fall, 0), one)) * last + half)]
            g = curves[1, np.int32(np.sqrt(min(max(light[y, x, 1] * gains[1] * fall, 0), one)) * last + half)]
            b = curves[2, np.int32(np.sqrt(min(max(light[y, x, 2] * gains[2] * fall, 0), one)) * last + half)]
            grey = np.float32(0.299) * r + np.float32(0.587) * g + np.float32(0.114) * b
            r, g, b = grey + saturation * (r - grey), grey + saturation * (g - grey), grey + saturation * (b - grey)
            if noise > 0:
                level = noise * (np.float32(1.15) - grey * np.float32(1 / 400))
                shared = np.float32(0.9) * grain[(start + x) & (len(grain) - 1)]
                speck, colour = (first + x // 2) & (len(specks) - 1), np.float32(0.45)
                r += level * (shared + colour * specks[speck, 0])
                g += level * (shared + colour * specks[speck, 1])
                b += level * (shared + colour * specks[speck, 2])
            out[y, x, 0] = np.uint8(min(max(r + half, 0), np.float32(255)))
            out[y, x, 1] = np.uint8(min(max(g + half, 0), np.float32(255)))
            out[y, x, 2] = np.uint8(min(max(b + half, 0), np.float32(255)))


@njit(cache=True, error_model="numpy")
def mix_with_blurred(pixels, weights, own, blurred, out):
    """Fill out (h, 3 w) uint8 with own * pixels + blurred * blur(pixels), where pixels is (h, 3 w) uint8.

    `weights` (2 r + 1,) float32 is the kernel of the blur in both directions. Edge pixels are repeated.
    """
    height, count = pixels.shape
    reach = len(weights) // 2
    line, row = np.empty(count + 6 * reach, np.float32), np.empty(count, np.float32)
    for y in range(height):
        middle = line[3 * reach : 3 * reach + count]
        middle[:] = 0
        for k in range(len(weights)):
            source, weight = pixels[min(max(y + k - reach, 0), height - 1)], weights[k]
            for x in range(count):
                middle[x] += weight * np.float32(source[x])
        for x in range(3 * reach):
            line[x], line[len(line) - 1 - x] = middle[x % 3], middle[count - 1 - x % 3]
        row[:] = 0
        for k in range(len(weights)):
            shifted, weight = line[3 * k : 3 * k + count], weights[k]
            for x in range(count):
                row[x] += weight * shifted[x]
        for x in range(count):
            value = own * np.float32(pixels[y, x]) + blurred * row[x] + np.float32(0.5)
            out[y, x] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
