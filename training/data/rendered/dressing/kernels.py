"""Loops over pixels that numpy is too slow for, compiled by numba (extra `render`)."""

from __future__ import annotations

import numpy as np
from numba import njit

CLOTH, SKIN, HAIR, EYE, PAINTED, NOTHING = range(6)
"""How a label is coloured: by a texture; by paint over skin, over hair, over eyes, over shoes and bags; not at all."""

REACH = 2
"""Pixels around one in which a label's nearest pixel is looked for."""


@njit(cache=True)
def used_boxes(labels: np.ndarray, uv: np.ndarray, count: int) -> np.ndarray:
    """left, top, right, low of the uv (h, w, 2) seen under each label (h, w) below count; (count, 4) float32.

    right < left where a label is not seen.
    """
    out = np.empty((count, 4), np.float32)
    out[:, :2] = 1e9
    out[:, 2:] = -1e9
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            k = labels[y, x]
            u, v = uv[y, x, 0], uv[y, x, 1]
            if k < count and u == u and v == v:
                out[k, 0], out[k, 1] = min(out[k, 0], u), min(out[k, 1], v)
                out[k, 2], out[k, 3] = max(out[k, 2], u), max(out[k, 3], v)
    return out


@njit(cache=True)
def halve(pool: np.ndarray, start: int, height: int, width: int, target: int) -> None:
    """Average 2 x 2 texels of an even-sized level at `start` of the pool (N, 3) into the level at `target`."""
    for y in range(height // 2):
        for x in range(width // 2):
            a = start + 2 * y * width + 2 * x
            b = target + y * (width // 2) + x
            for c in range(3):
                total = pool[a, c] + pool[a + 1, c] + pool[a + width, c] + pool[a + width + 1, c]
                pool[b, c] = np.float32(0.25) * total


@njit(cache=True)
def stroke(cover: np.ndarray, points: np.ndarray, half: float, dash: float, gap: float) -> None:
    """Raise cover (h, w) to the coverage 0..1 of a line along points (N, 2), all in texels; gap 0 draws it whole."""
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
                if value > cover[y, x]:
                    cover[y, x] = value
        along += length


@njit(cache=True, inline="always")
def _fetch(pool, levels, level, x, y, wrap):
    """Bilinear colour of one mip level at texel position x, y of the finest level."""
    start, height, width = levels[level, 0], levels[level, 1], levels[level, 2]
    scale = 1.0 / (1 << level)
    fx, fy = x * scale - 0.5, y * scale - 0.5
    x0, y0 = int(np.floor(fx)), int(np.floor(fy))
    fx, fy = np.float32(fx - x0), np.float32(fy - y0)
    x1, y1 = x0 + 1, y0 + 1
    if wrap:
        x0, x1, y0, y1 = x0 % width, x1 % width, y0 % height, y1 % height
    else:
        x0, x1 = min(max(x0, 0), width - 1), min(max(x1, 0), width - 1)
        y0, y1 = min(max(y0, 0), height - 1), min(max(y1, 0), height - 1)
    a, b = start + y0 * width + x0, start + y0 * width + x1
    c, d = start + y1 * width + x0, start + y1 * width + x1
    one = np.float32(1)
    wa, wb, wc, wd = (one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy
    red = pool[a, 0] * wa + pool[b, 0] * wb + pool[c, 0] * wc + pool[d, 0] * wd
    green = pool[a, 1] * wa + pool[b, 1] * wb + pool[c, 1] * wc + pool[d, 1] * wd
    blue = pool[a, 2] * wa + pool[b, 2] * wb + pool[c, 2] * wc + pool[d, 2] * wd
    return red, green, blue


@njit(cache=True, inline="always")
def _filtered(pool, levels, top, lod, x, y, wrap):
    """Colour between the two mip levels nearest to lod."""
    lod = min(max(lod, 0.0), float(top))
    level = int(lod)
    share = np.float32(lod - level)
    r, g, b = _fetch(pool, levels, level, x, y, wrap)
    if share > 0.02 and level < top:
        r2, g2, b2 = _fetch(pool, levels, level + 1, x, y, wrap)
        r, g, b = r + share * (r2 - r), g + share * (g2 - g), b + share * (b2 - b)
    return r, g, b


@njit(cache=True, inline="always")
def _step(labels, uv, y, x, k, down, along):
    """Change of one uv coordinate from a pixel to its neighbour (below or right) of the same label; 1e9 if none."""
    ny, nx = y + down, x + 1 - down
    if ny < labels.shape[0] and nx < labels.shape[1] and labels[ny, nx] == k:
        return uv[ny, nx, along] - uv[y, x, along]
    ny, nx = y - down, x - 1 + down
    if ny >= 0 and nx >= 0 and labels[ny, nx] == k:
        return uv[y, x, along] - uv[ny, nx, along]
    return np.float32(1e9)


@njit(cache=True)
def _textured(pool, textures, levels, table, k, u, v, metres):
    """Colour of a cloth's label at u, v; metres is the width of a pixel on it."""
    red, green, blue = np.float32(1), np.float32(1), np.float32(1)
    t = int(table[k, 1])
    if t >= 0:
        scale = textures[t, 2]
        lod = np.log2(max(metres * scale, 1e-6)) - 0.35
        x, y = (u - textures[t, 0]) * scale, (v - textures[t, 1]) * scale
        red, green, blue = _filtered(pool, levels[t], int(textures[t, 3]), lod, x, y, False)
    t = int(table[k, 2])
    if t >= 0:
        scale = textures[t, 2]
        lod = np.log2(max(metres * scale, 1e-6)) - 0.25
        r, g, b = _filtered(pool, levels[t], int(textures[t, 3]), lod, u * scale, v * scale, True)
        amount = np.float32(table[k, 3])
        red, green, blue = red * (1 + amount * (r - 1)), green * (1 + amount * (g - 1)), blue * (1 + amount * (b - 1))
    back = np.float32(table[k, 4])
    if back > 0:
        red += back * (np.float32(table[k, 5]) - red)
        green += back * (np.float32(table[k, 6]) - green)
        blue += back * (np.float32(table[k, 7]) - blue)
    return red, green, blue


@njit(cache=True)
def _painted(table, colours, k, paint):
    """Colour of skin, hair, eyes, shoes and bags from the paint on their vertices."""
    kind, first = int(table[k, 0]), int(table[k, 8])
    a, b, c = paint[0], paint[1], paint[2]
    base = colours[first]
    if kind == HAIR:
        bright = np.float32(0.3) + np.float32(1.1) * a
        return base[0] * bright, base[1] * bright, base[2] * bright
    if kind == SKIN:
        red, green, blue = base[0], base[1], base[2]
        for i, share in ((1, a), (2, b), (3, c)):
            red += share * (colours[first + i, 0] - red)
            green += share * (colours[first + i, 1] - green)
            blue += share * (colours[first + i, 2] - blue)
        return red, green, blue
    total = max(a + b + c, np.float32(1e-4))
    if a + b + c < 1e-3:
        return base[0], base[1], base[2]
    one, two = colours[first + 1], colours[first + 2]
    return (
        (a * base[0] + b * one[0] + c * two[0]) / total,
        (a * base[1] + b * one[1] + c * two[1]) / total,
        (a * base[2] + b * one[2] + c * two[2]) / total,
    )


@njit(cache=True)
def _shaded(y, x, oy, ox, centres, uv, light, gloss, paint, scale, pool, textures, levels, table, colours):
    """Linear colour a pixel's label sends to the camera, oy / ox pixels beside the pixel's centre."""
    k = centres[y, x]
    kind = int(table[k, 0])
    lr, lg, lb = light[y, x, 0], light[y, x, 1], light[y, x, 2]
    bright = np.float32(0.2126) * lr + np.float32(0.7152) * lg + np.float32(0.0722) * lb
    if kind == CLOTH:
        ux, vx = _step(centres, uv, y, x, k, 0, 0), _step(centres, uv, y, x, k, 0, 1)
        uy, vy = _step(centres, uv, y, x, k, 1, 0), _step(centres, uv, y, x, k, 1, 1)
        across, down = ux * ux + vx * vx, uy * uy + vy * vy
        if across > 1e8:
            ux, vx, across = np.float32(0), np.float32(0), down
        if down > 1e8:
            uy, vy, down = np.float32(0), np.float32(0), min(across, np.float32(1e8))
        metres = np.sqrt(max(min(across, down), np.float32(0.25) * max(across, down)))
        u, v = uv[y, x, 0] + ox * ux + oy * uy, uv[y, x, 1] + ox * vx + oy * vy
        red, green, blue = _textured(pool, textures, levels, table, k, u, v, metres)
    else:
        red, green, blue = _painted(table, colours, k, paint[y, x])
        if kind == SKIN:
            t = int(table[k, 2])
            s = textures[t, 2] / scale
            r, g, b = _filtered(pool, levels[t], int(textures[t, 3]), np.log2(s), x * s, y * s, True)
            red, green, blue = red * r, green * g, blue * b
            shade = min(max(np.float32(1) - bright, np.float32(0)), np.float32(1))
            red, green, blue = red * (1 + 0.2 * shade), green * (1 - 0.02 * shade), blue * (1 - 0.09 * shade)
    contrast = np.float32(table[k, 9])
    if contrast != 0.0:
        gain = np.float32((max(bright, 0.02) / 0.8) ** contrast)
        lr, lg, lb = lr * gain, lg * gain, lb * gain
    g = gloss[y, x]
    return (
        red * lr + g * np.float32(table[k, 10]),
        green * lg + g * np.float32(table[k, 11]),
        blue * lb + g * np.float32(table[k, 12]),
    )


@njit(cache=True)
def _nearest(centres, y, x, k):
    """Pixel of label k nearest to a pixel; -1, -1 if none is in reach."""
    by, bx, best = -1, -1, 1 << 20
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            ny, nx = y + dy, x + dx
            far = dy * dy + dx * dx
            if far < best and 0 <= ny < centres.shape[0] and 0 <= nx < centres.shape[1] and centres[ny, nx] == k:
                by, bx, best = ny, nx, far
    return by, bx


@njit(cache=True)
def shade(out, labels, centres, uv, light, gloss, paint, scale, pool, textures, levels, table, colours):
    """Fill out (h, w, 3) with the picture; where a label is NOTHING, out is kept as the background.

    labels (3h, 3w) and centres (h, w) uint8; scale is pixels a metre; pool (N, 3) has the texels of all textures;
    textures (T, 4): left, top, texels a metre, last level; levels (T, L, 3): first texel, height, width;
    table (256, 13): kind, texture, tile, tile's strength, share and colour of the back (4), first colour, contrast,
    gloss (3); colours (C, 3) of painted kinds.
    """
    height, width = centres.shape
    seen, counts = np.empty(9, np.uint8), np.empty(9, np.int64)
    for y in range(height):
        for x in range(width):
            kinds = 0
            for i in range(3):
                for j in range(3):
                    k = labels[3 * y + i, 3 * x + j]
                    at = 0
                    while at < kinds and seen[at] != k:
                        at += 1
                    if at == kinds:
                        seen[at], counts[at] = k, 0
                        kinds += 1
                    counts[at] += 1
            red, green, blue, weight = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for at in range(kinds):
                k = seen[at]
                if int(table[k, 0]) == NOTHING:
                    r, g, b = out[y, x, 0], out[y, x, 1], out[y, x, 2]
                else:
                    ny, nx = (y, x) if centres[y, x] == k else _nearest(centres, y, x, k)
                    if ny < 0:
                        continue
                    r, g, b = _shaded(
                        ny, nx, y - ny, x - nx, centres, uv, light, gloss, paint, scale,
                        pool, textures, levels, table, colours,
                    )  # fmt: skip
                share = np.float32(counts[at])
                red, green, blue, weight = red + share * r, green + share * g, blue + share * b, weight + share
            if weight > 0:
                out[y, x, 0], out[y, x, 1], out[y, x, 2] = red / weight, green / weight, blue / weight
