"""From labels and textures to the pixels of a view, compiled by numba (`render` extra)."""

from __future__ import annotations

import numpy as np
from numba import njit

CLOTH, SKIN, HAIR, EYE, PAINTED, NOTHING = range(6)
"""How a label is coloured: with a texture (CLOTH); with paint (SKIN, HAIR, EYE; PAINTED for shoes and bags); or not at
all."""

REACH = 2
"""Radius in pixels of the search for the nearest pixel of a label."""


@njit(cache=True, error_model="numpy")
def used_boxes(labels: np.ndarray, uv: np.ndarray, count: int) -> np.ndarray:
    """Bounding box of the visible uv (h, w, 2) of each label (h, w) below `count`. Returns (count, 4) float32: left,
    top, right, bottom; right < left if a label is not visible.
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


@njit(cache=True, error_model="numpy")
def gather(labels: np.ndarray, sources: np.ndarray, targets: np.ndarray, shares: np.ndarray) -> int:
    """List the samples of each pixel, one for each label among its subsamples; returns their number.

    `labels` is (3h, 3w) uint8. The function fills `targets` (N,) int32 with the pixel to colour, `sources` (N,) int32
    with the pixel that has the label at its centre (the target itself, or the nearest within REACH), both counted row
    by row, and `shares` (N,) float32 with the fraction of the target's subsamples that have the label. The first h * w
    samples are those of each pixel's own centre. A label without a source pixel is skipped.
    """
    height, width = labels.shape[0] // 3, labels.shape[1] // 3
    count = height * width
    for y in range(height):
        for x in range(width):
            at = y * width + x
            own = labels[3 * y + 1, 3 * x + 1]
            sources[at], targets[at], shares[at] = at, at, 9
            mixed = False
            for i in range(3):
                a, b, c = labels[3 * y + i, 3 * x], labels[3 * y + i, 3 * x + 1], labels[3 * y + i, 3 * x + 2]
                mixed |= (a != own) | (b != own) | (c != own)
            if not mixed:
                continue
            shares[at], first = 0, count
            for i in range(9):
                k = labels[3 * y + i // 3, 3 * x + i % 3]
                if k == own:
                    shares[at] += 1
                    continue
                known = first
                while (
                    known < count and labels[3 * (sources[known] // width) + 1, 3 * (sources[known] % width) + 1] != k
                ):
                    known += 1
                if known < count:
                    shares[known] += 1
                    continue
                best = 1 << 20
                for dy in range(max(-REACH, -y), min(REACH, height - 1 - y) + 1):
                    for dx in range(max(-REACH, -x), min(REACH, width - 1 - x) + 1):
                        far = dy * dy + dx * dx
                        if far < best and labels[3 * (y + dy) + 1, 3 * (x + dx) + 1] == k:
                            best, sources[count] = far, (y + dy) * width + x + dx
                if best < 1 << 20:
                    targets[count], shares[count] = at, 1
                    count += 1
    return count


@njit(cache=True, error_model="numpy")
def locate(centres, uv, kinds, sources, targets, scale, out):
    """Locate samples on their textures: out (N, 3) float32 receives u, v and the width of a pixel there, in metres.

    `centres` is (h, w) uint8, and `uv` is (h, w, 2); `kinds` is as in shade. Samples whose target is not their source
    pixel are extrapolated from the source's neighbours, by a few pixels at most. The texture of skin lies in the image
    plane, at `scale` pixels per metre.
    """
    height, width = centres.shape
    longest = np.float32(4) / scale
    for at in range(len(sources)):
        y, x = sources[at] // width, sources[at] % width
        k = centres[y, x]
        if kinds[k, 0] == SKIN:
            out[at, 0], out[at, 1], out[at, 2] = x / scale, y / scale, 1 / scale
        if kinds[k, 0] != CLOTH:
            continue
        u, v = uv[y, x, 0], uv[y, x, 1]
        x0, x1 = x, x + 1
        if x1 >= width or centres[y, x1] != k:
            x0, x1 = x - 1, x
        y0, y1 = y, y + 1
        if y1 >= height or centres[y1, x] != k:
            y0, y1 = y - 1, y
        ux, vx, uy, vy = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        if x0 >= 0 and centres[y, x0] == k and centres[y, x1] == k:
            ux, vx = uv[y, x1, 0] - uv[y, x0, 0], uv[y, x1, 1] - uv[y, x0, 1]
        if y0 >= 0 and centres[y0, x] == k and centres[y1, x] == k:
            uy, vy = uv[y1, x, 0] - uv[y0, x, 0], uv[y1, x, 1] - uv[y0, x, 1]
        across, down = ux * ux + vx * vx, uy * uy + vy * vy
        out[at, 2] = np.sqrt(max(np.sqrt(across * down), np.float32(0.25) * max(across, down)))
        if targets[at] != sources[at]:
            dy, dx = targets[at] // width - y, targets[at] % width - x
            du, dv = dx * ux + dy * uy, dx * vx + dy * vy
            calm = min(np.float32(1), longest / max(np.sqrt(du * du + dv * dv), np.float32(1e-9)))
            u, v = u + calm * du, v + calm * dv
        out[at, 0], out[at, 1] = u, v


@njit(cache=True, error_model="numpy", forceinline=True)
def _texel(px, py, size, blur, last, rows, wrap, pool):
    """Read a texture's colour at texel (px, py) for a pixel `size` texels wide, from the mip levels `rows` (L, 3).

    `blur` is added to the level. Two levels are read only if the level is about halfway between them. With `wrap`, the
    texture repeats; its sides must then be powers of two.
    """
    one, half, narrow = np.float32(1), np.float32(0.5), np.float32(0.3)
    lod = np.log2(max(size, np.float32(1e-6))) + blur
    lod = min(max(lod, np.float32(0)), last)
    first = np.int32(lod)
    share = (lod - np.float32(first) - half) / narrow + half
    if share >= one:
        first, share = first + 1, np.float32(0)
    red, green, blue = np.float32(0), np.float32(0), np.float32(0)
    share = max(share, np.float32(0))
    for level in range(first, first + 1 + (share > 0)):
        weight = one - share if level == first else share
        start, h, w = rows[level, 0], rows[level, 1], rows[level, 2]
        shrink = one / np.float32(1 << level)
        fx, fy = px * shrink - half, py * shrink - half
        x0, y0 = np.int32(np.floor(fx)), np.int32(np.floor(fy))
        fx, fy = fx - np.float32(x0), fy - np.float32(y0)
        x1, y1 = x0 + 1, y0 + 1
        if wrap:
            x0, x1, y0, y1 = x0 & (w - 1), x1 & (w - 1), y0 & (h - 1), y1 & (h - 1)
        else:
            x0, x1 = min(max(x0, 0), w - 1), min(max(x1, 0), w - 1)
            y0, y1 = min(max(y0, 0), h - 1), min(max(y1, 0), h - 1)
        a, b = np.uint32(start + y0 * w + x0), np.uint32(start + y0 * w + x1)
        c, d = np.uint32(start + y1 * w + x0), np.uint32(start + y1 * w + x1)
        wa, wb = weight * (one - fx) * (one - fy), weight * fx * (one - fy)
        wc, wd = weight * (one - fx) * fy, weight * fx * fy
        red += pool[a, 0] * wa + pool[b, 0] * wb + pool[c, 0] * wc + pool[d, 0] * wd
        green += pool[a, 1] * wa + pool[b, 1] * wb + pool[c, 1] * wc + pool[d, 1] * wd
        blue += pool[a, 2] * wa + pool[b, 2] * wb + pool[c, 2] * wc + pool[d, 2] * wd
    return red, green, blue


@njit(cache=True, error_model="numpy")
def look_up(centres, sources, places, kinds, table, pool, textures, levels, albedo):
    """Fill albedo (N, 3) with texture times tile at `places` (N, 3) from locate; 1 where a label has neither.

    `centres` is (h * w,) uint8, and `pool` (M, 3) contains the texels of all textures. `textures` (T, 4) float32
    contains left, top, texels per metre and last level of each texture; `levels` (T, L, 3) int32 contains first texel,
    height and width of each level. Tiles repeat. `kinds` and `table` are as in shade.
    """
    one = np.float32(1)
    for at in range(len(sources)):
        k = centres[sources[at]]
        t, tile = kinds[k, 1], kinds[k, 2]
        red, green, blue = one, one, one
        u, v, wide, blur = places[at, 0], places[at, 1], places[at, 2], table[k, 8]
        if t >= 0:
            size, left, top, last = textures[t, 2], textures[t, 0], textures[t, 1], textures[t, 3]
            red, green, blue = _texel(
                (u - left) * size, (v - top) * size, wide * size, blur, last, levels[t], False, pool
            )
        if tile >= 0:
            size, left, top, last = textures[tile, 2], textures[tile, 0], textures[tile, 1], textures[tile, 3]
            r, g, b = _texel((u - left) * size, (v - top) * size, wide * size, blur, last, levels[tile], True, pool)
            red, green, blue = red * r, green * g, blue * b
        albedo[at, 0], albedo[at, 1], albedo[at, 2] = red, green, blue


@njit(cache=True, error_model="numpy")
def paint_over(centres, sources, paint, kinds, table, colours, albedo):
    """Multiply albedo (N, 3) by the colours of skin, hair, eyes, shoes and bags, and blend in the inside of cloth.

    `centres` is (h * w,) uint8, `paint` (h * w, 3) float32 and `colours` (C, 3) float32; `kinds` and `table` are as in
    shade.
    """
    for at in range(len(sources)):
        pixel = sources[at]
        k = centres[pixel]
        kind, first, back = kinds[k, 0], kinds[k, 3], table[k, 0]
        if kind == CLOTH and back > 0:
            for channel in range(3):
                albedo[at, channel] += back * (table[k, 1 + channel] - albedo[at, channel])
        if kind == CLOTH or kind == NOTHING:
            continue
        a, b, c = paint[pixel, 0], paint[pixel, 1], paint[pixel, 2]
        total = a + b + c
        for channel in range(3):
            base = colours[first, channel]
            if kind == HAIR:
                base *= np.float32(0.3) + np.float32(1.1) * a
            elif kind == SKIN:
                base += a * (colours[first + 1, channel] - base)
                base += b * (colours[first + 2, channel] - base)
                base += c * (colours[first + 3, channel] - base)
            elif total > 1e-3:
                base = (a * base + b * colours[first + 1, channel] + c * colours[first + 2, channel]) / total
            albedo[at, channel] *= base


@njit(cache=True, error_model="numpy")
def shade(out, background, centres, sources, targets, shares, light, gloss, kinds, table, albedo):
    """Fill out (h * w, 3) with the image: the lit albedo (N, 3) of the samples, and the background elsewhere.

    `centres` is (h * w,) uint8; `light` (h * w, 3), `background` (h * w or 1, 3) and `gloss` (h * w,) are float32.
    `kinds` (256, 4) int32 contains for each label: kind, texture, tile, first colour. `table` (256, 10) float32
    contains: share and colour of the inside (4), contrast, gloss (3), bias of mip levels, and the brightness factor to
    use where the contrast is not 0.
    """
    one, zero = np.float32(1), np.float32(0)
    total = np.empty(len(out), np.float32)
    for at in range(len(sources)):
        pixel, to, share = sources[at], targets[at], shares[at]
        k = centres[pixel]
        kind = kinds[k, 0]
        lr, lg, lb = light[pixel, 0], light[pixel, 1], light[pixel, 2]
        red, green, blue = albedo[at, 0], albedo[at, 1], albedo[at, 2]
        bright = np.float32(0.2126) * lr + np.float32(0.7152) * lg + np.float32(0.0722) * lb
        if kind == SKIN:
            shadow = min(max(one - bright, zero), one)
            red *= one + np.float32(0.2) * shadow
            green *= one - np.float32(0.02) * shadow
            blue *= one - np.float32(0.09) * shadow
        contrast = table[k, 4]
        if contrast != 0.0:
            gain = (max(bright, np.float32(0.02)) / np.float32(0.8)) ** contrast * table[k, 9]
            red, green, blue = red * gain, green * gain, blue * gain
        g = gloss[pixel]
        red, green, blue = red * lr + g * table[k, 5], green * lg + g * table[k, 6], blue * lb + g * table[k, 7]
        if kind == NOTHING:
            behind = min(to, len(background) - 1)
            red, green, blue = background[behind, 0], background[behind, 1], background[behind, 2]
        if at < len(out):
            total[to] = share
            out[to, 0], out[to, 1], out[to, 2] = red, green, blue
        else:  # average the previous colour and the new one
            total[to] += share
            part = share / total[to]
            out[to, 0] += part * (red - out[to, 0])
            out[to, 1] += part * (green - out[to, 1])
            out[to, 2] += part * (blue - out[to, 2])
