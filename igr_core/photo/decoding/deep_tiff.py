"""Interpret the pixels of grey TIFF files with more than 8 bits, which Pillow returns as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import ExifTags, Image

_WHITE_IS_ZERO, _SIGNED = 0, 2


def deep_tiff(image: Image.Image, tags: Mapping[int, Any]) -> Image.Image:
    """A decoded TIFF with 0 for black and the full 16-bit range; images other than deep grey ones are unchanged.

    `tags` are the file's TIFF tags. Images that are stored inverted (WhiteIsZero), in fewer than 16 bits, or as signed
    numbers are converted. 32-bit values keep their range, because it is unknown.
    """
    bits, kind = _first(tags, ExifTags.Base.BitsPerSample, 16), _first(tags, ExifTags.Base.SampleFormat, 1)
    inverted = _first(tags, ExifTags.Base.PhotometricInterpretation, 1) == _WHITE_IS_ZERO
    if image.mode == "F":
        return Image.fromarray(1 - np.asarray(image)) if inverted else image
    if not image.mode.startswith("I") or bits > 16:
        return image
    top = 2 ** (bits - (kind == _SIGNED)) - 1
    if top == 65535 and not inverted:
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > top:  # reported when the values are used
        return image
    values = (top - values if inverted else values) * 65535 // top
    return Image.fromarray(values.astype(np.uint16))


def _first(tags: Mapping[int, Any], tag: int, default: int) -> int:
    value = tags.get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)
