"""Find the parts of a white or pale garment that a threshold mistakes for the white background."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

REACH = 0.012
"""Half the width of the widest gap in a garment's outline that is closed, as a fraction of the image's longer side.
Rims with another colour that are narrower than this (the shade around a dark garment) stay background."""
FAINT = 0.014
"""Minimum difference from the background's colour (0..1) that counts as garment, in an image without noise; a soft
shadow on the ground is about this dark."""
_NOISE = 6.0
_BAND = 0.015
_PALE = 0.25
"""An enclosed white piece is a hole if the garment around it differs from white by more than this."""
_WINDOW = 3
"""Side of the median filter, which removes noise but keeps slits."""


def pale_pieces(image: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Garment pixels (H, W) among `white`, the near-white pixels that are connected to the border of `image` (H, W, 3).

    Two kinds of pixels belong to the garment: those that differ from the colour along the border by more than that
    colour's noise and form more than a rim, and those that look like the background but are connected to it only by a
    narrow gap in a pale outline.
    """
    differs = difference(image, white)
    if differs is None:
        return np.zeros_like(white)
    reach = max(3, round(REACH * max(white.shape)))
    ground = white & ~differs
    shaded = white & differs
    found = _grown(shaded & (_depth(~ground, "edge", reach) > reach), shaded, reach)
    return found | _enclosed(image, ground, reach)


def difference(image: np.ndarray, white: np.ndarray) -> np.ndarray | None:
    """Pixels of an image (H, W, 3) that differ from the background along the border by more than the background's
    noise; None if no pixel of the border is in `white`.
    """
    width = max(2, round(_BAND * max(white.shape)))
    band = white.copy()
    band[width:-width, width:-width] = False
    if not band.any():
        return None
    colour = np.median(image[band], 0)
    away = ndimage.median_filter(np.abs(image - colour).max(-1), _WINDOW)
    level = np.median(away[band])
    noise = 1.4826 * np.median(np.abs(away[band] - level))
    return away > max(FAINT, float(level + _NOISE * noise))


def _enclosed(image: np.ndarray, ground: np.ndarray, reach: int) -> np.ndarray:
    """Pieces of the background that a disc of radius `reach` fits into but cannot enter from the border."""
    deep = _depth(ground, "constant", reach, True) > reach
    entered = _reached(np.pad(deep, 1, constant_values=True))[1:-1, 1:-1]
    closed = ground & ~(_distance(entered) <= reach + 1.5)
    closed = _grown(_depth(closed, "constant", 1) > reach, closed, reach)
    numbers = np.empty(closed.shape, np.int32)
    ndimage.label(closed, output=numbers)
    for number, place in enumerate(ndimage.find_objects(numbers), 1):
        around = tuple(slice(max(0, side.start - _WINDOW), side.stop + _WINDOW) for side in place)
        piece = numbers[around] == number
        edge = ndimage.binary_dilation(piece, iterations=_WINDOW) & ~ground[around]
        if edge.any() and float(np.median(1 - image[around].min(-1)[edge])) > _PALE:
            closed[around] &= ~piece
    return closed


def _reached(region: np.ndarray) -> np.ndarray:
    """Pixels of a region that are connected to the upper left pixel, which must be in the region."""
    numbers = np.empty(region.shape, np.int32)
    ndimage.label(region, output=numbers)
    return numbers == numbers[0, 0]


def _grown(core: np.ndarray, within: np.ndarray, reach: int) -> np.ndarray:
    return within & (_distance(core) <= reach + 1.5) if core.any() else core


def _distance(to: np.ndarray) -> np.ndarray:
    """Distance from every pixel to the nearest pixel of `to`; infinite if `to` is empty."""
    return np.asarray(ndimage.distance_transform_edt(~to)) if to.any() else np.full(to.shape, np.inf)


def _depth(region: np.ndarray, mode: str, padding: int, beyond: bool = False) -> np.ndarray:
    """Distance from every pixel of a region to the outside; pixels beyond the image are `beyond` or repeat the edge."""
    options = {"constant_values": beyond} if mode == "constant" else {}
    padded = np.pad(region, padding + 1, mode=mode, **options)  # pyright: ignore[reportCallIssue, reportArgumentType]
    inner = slice(padding + 1, -padding - 1)
    return np.asarray(ndimage.distance_transform_edt(padded))[inner, inner]
