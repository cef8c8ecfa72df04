"""Undoing what other methods' own code does to the canvas, so that their pictures lie on the reference's.

What their code does, read in their repositories (2026-11):

TryOffDiff (rizavelioglu/tryoffdiff, modeling/predict.py, dataset.py, modeling/eval.py) pads garments to a square, the
picture in the middle, by repeating its outermost pixels (white, for VITON-HD), learns them at 512×512 and writes such
squares; a padding of an odd width has its larger half at the right or bottom. Its own evaluation enlarges to 1024×1024
and keeps the middle 768×1024.

TryOffAnyone (ixarchakos/try-off-anyone, src/test_vton.py, src/preprocessing.py) pads nothing: it stretches photos to
384×512 whatever their shape, draws the garment at that size, and pastes what a background remover keeps on white. The
files have an alpha channel that is left over from that pasting, no transparency, and its own evaluation drops it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.photo.images import over_white

from .folders import RATIO_SLACK, load_picture

Size = tuple[int, int]
_STRETCHED = (384, 512)
_LEAST_LEFT_OVER = 128
"""Pasting by its own alpha a leaves a² + (1 - a) of 255, 191 at least; below this a file is a cut-out of other make."""


def without_padding(picture: Image.Image, size: Size) -> Image.Image:
    """The middle of a padded square that has the shape of `size` (width, height), resized to it.

    Raises IGRError for a picture that is not square.
    """
    width, height = picture.size
    if width != height:
        raise IGRError(
            f"is {width}x{height}, but TryOffDiff writes squares: score it as it is if its padding was cropped before."
        )
    side = max(size)
    scale = width / side
    left, top = ((side - length) // 2 * scale for length in size)
    right, bottom = left + size[0] * scale, top + size[1] * scale
    # Cropped first, as the filter of resize would reach out of its box into the padding.
    x, y = math.floor(left), math.floor(top)
    inside = over_white(picture).crop((x, y, math.ceil(right), math.ceil(bottom)))
    return inside.resize(size, Image.Resampling.LANCZOS, (left - x, top - y, right - x, bottom - y))


def unstretched(picture: Image.Image, size: Size) -> Image.Image:
    """A picture that was stretched to 384×512 (or larger, in that shape), resized to `size` (width, height).

    Raises IGRError for a picture of another shape.
    """
    width, height = picture.size
    if abs(width * _STRETCHED[1] / (height * _STRETCHED[0]) - 1) > RATIO_SLACK:
        raise IGRError(f"is {width}x{height}, but TryOffAnyone writes 384x512: check that it is TryOffAnyone's own.")
    left_over = picture.mode == "RGBA" and np.asarray(picture)[..., 3].min() >= _LEAST_LEFT_OVER
    flat = picture.convert("RGB") if left_over else over_white(picture)
    return flat.resize(size, Image.Resampling.LANCZOS)


METHODS: dict[str, Callable[[Image.Image, Size], Image.Image]] = {
    "tryoffdiff": without_padding,
    "tryoffanyone": unstretched,
}
"""How each method's pictures come to the reference's canvas."""


def adapted(path: Path, method: str, reference: Path) -> Image.Image:
    """A method's picture in colour, on the canvas of its reference.

    Raises IGRError naming the file that cannot be read, or a picture whose shape the method's code does not write.
    """
    picture, size = load_picture(path), load_picture(reference).size
    try:
        return METHODS[method](picture, size)
    except IGRError as error:
        raise IGRError(f"{path} {error}") from error
