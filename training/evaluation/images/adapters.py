"""Undo other methods' changes to the canvas, so that their images match the references.

These are the changes in the methods' repositories (as of 2026-11):

TryOffDiff (rizavelioglu/tryoffdiff, modeling/predict.py, dataset.py, modeling/eval.py) centres garments in a square,
padded by repeating the outermost pixels (white, for VITON-HD). It is trained on such squares at 512×512, and writes
them. Odd padding has its larger half on the right or at the bottom. TryOffDiff's own evaluation enlarges the squares to
1024×1024 and crops the central 768×1024.

TryOffAnyone (ixarchakos/try-off-anyone, src/test_vton.py, src/preprocessing.py) does not pad. It stretches photos of
any shape to 384×512, generates the garment at that size, and pastes what a background remover keeps onto white. The
files have an alpha channel left over from pasting, which is not transparency; TryOffAnyone's own evaluation drops it.
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
"""Minimum alpha of TryOffAnyone's files; lower values mean a real cut-out. Pasting an image with its own alpha a leaves
a² + (1 - a), which is at least 191 of 255."""


def without_padding(picture: Image.Image, size: Size) -> Image.Image:
    """The central part of a padded square with the aspect ratio of `size` (width, height), resized to this size.

    Raises IGRError for an image that is not square.
    """
    width, height = picture.size
    if width != height:
        raise IGRError(
            f"is {width}x{height}, but TryOffDiff writes squares: score the file unchanged if its padding has already "
            "been cropped."
        )
    side = max(size)
    scale = width / side
    left, top = ((side - length) // 2 * scale for length in size)
    right, bottom = left + size[0] * scale, top + size[1] * scale
    # crop first, because the resize filter would extend from its box into the padding
    x, y = math.floor(left), math.floor(top)
    inside = over_white(picture).crop((x, y, math.ceil(right), math.ceil(bottom)))
    return inside.resize(size, Image.Resampling.LANCZOS, (left - x, top - y, right - x, bottom - y))


def unstretched(picture: Image.Image, size: Size) -> Image.Image:
    """An image that was stretched to 384×512 (or to a larger size of that shape), resized to `size` (width, height).

    Raises IGRError for an image of another shape.
    """
    width, height = picture.size
    if abs(width * _STRETCHED[1] / (height * _STRETCHED[0]) - 1) > RATIO_SLACK:
        raise IGRError(f"is {width}x{height}, but TryOffAnyone writes 384x512: check that TryOffAnyone wrote it.")
    left_over = picture.mode == "RGBA" and np.asarray(picture)[..., 3].min() >= _LEAST_LEFT_OVER
    flat = picture.convert("RGB") if left_over else over_white(picture)
    return flat.resize(size, Image.Resampling.LANCZOS)


METHODS: dict[str, Callable[[Image.Image, Size], Image.Image]] = {
    "tryoffdiff": without_padding,
    "tryoffanyone": unstretched,
}
"""Functions that convert each method's images to the reference's canvas."""


def adapted(path: Path, method: str, reference: Path) -> Image.Image:
    """A method's image in colour, on the canvas of its reference.

    Raises IGRError if the file cannot be read, or if the method's code does not write images of this shape.
    """
    picture, size = load_picture(path), load_picture(reference).size
    try:
        return METHODS[method](picture, size)
    except IGRError as error:
        raise IGRError(f"{path} {error}") from error
