"""Interpret mask files, whether they are white on black or in another form that people and tools use.

docs/data.md has a table of these forms.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import IGRError
from .masks import full_strength

COLOURFUL, COLOURFUL_SHARE = 40, 0.001
"""An image is coloured if, in more than the second fraction of its pixels, the channels differ by more than the first
value (of 255)."""
DARK, BRIGHT = 25, 230
"""Levels (of 255) up to which a pixel counts as black, and from which it counts as white."""
BACKGROUND_SHARE = 0.005
"""Minimum fraction of black pixels in a coloured mask."""
ONE_COLOUR, ONE_COLOUR_SHARE = 0.25, 0.95
"""Pixels count as one colour if no channel, relative to the brightest one, differs by more than the first value. The
second value is the fraction of a coloured mask's pixels that must have one colour."""
FRAMED = 0.9
"""An image whose border is opaque over more than this fraction is a photo with a hole, not a cut-out."""
_SAMPLES = 1000


def mask_of_image(image: Image.Image, name: str) -> Tensor:
    """A decoded mask as (1, 1, H, W) float32 in 0..1, 1 on the garment.

    Raises IGRError with `name` for label maps, photos, and photos with a transparent hole.
    """
    if image.mode in DEEP_MODES:
        values = deep_values(image, name)
    else:
        transparent = image.has_transparency_data
        pixels = np.asarray(image.convert("RGBA" if transparent else "RGB"))  # (H, W, 3 or 4)
        bright, chroma = pixels[..., :3].max(-1), np.ptp(pixels[..., :3], -1)
        coloured = float((chroma > COLOURFUL).mean()) > COLOURFUL_SHARE
        alpha = pixels[..., 3] if transparent else np.full_like(bright, 255)
        if np.ptp(alpha) > 5:
            values = _with_alpha(bright, alpha, coloured, name)
        else:
            if coloured:
                _check_one_colour(pixels[..., :3], bright, name)
            values = bright.astype(np.float32) / 255 * (alpha > 0)
    mask = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None]
    try:
        return full_strength(mask)
    except IGRError as error:
        raise IGRError(f"{name}: {error}") from error


DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's modes of grey images with more than 8 bits."""


def deep_values(image: Image.Image, name: str) -> np.ndarray:
    """Grey images of 16 or more bits, or floats, as (H, W) float32 in 0..1; raises IGRError for values out of range.

    Whole numbers that all fit into 8 bits count as 8-bit values.
    """
    values = np.array(image).astype(np.float32)
    if image.mode != "F":
        values /= 255 if values.max() <= 255 else 65535
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise IGRError(f"{name} has pixel values out of range: save it as an 8-bit PNG.")
    return values


def _with_alpha(bright: np.ndarray, alpha: np.ndarray, coloured: bool, name: str) -> np.ndarray:
    """A cut-out's opacity, or a black-and-white mask multiplied by its opacity: (H, W) in 0..1."""
    inside = bright[alpha > 127]
    black, white = (inside <= DARK).mean() if inside.size else 0.0, (inside >= BRIGHT).mean() if inside.size else 0.0
    if not coloured and min(black, white) > BACKGROUND_SHARE and black + white > 0.98:
        return bright.astype(np.float32) * alpha / 255**2
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    if (border > 127).mean() > FRAMED and black + white < 0.98:
        raise IGRError(
            f"{name} is a photo with a transparent hole, as ComfyUI's MaskEditor saves it: in ComfyUI, use the MASK of "
            "Load Image; elsewhere, save the mask as a PNG, white on the garment and black around it."
        )
    return alpha.astype(np.float32) / 255


def _check_one_colour(colours: np.ndarray, bright: np.ndarray, name: str) -> None:
    """Raise IGRError unless an opaque coloured image is drawn in one colour on black."""
    step = max(1, max(bright.shape) // _SAMPLES)
    colours, bright = colours[::step, ::step], bright[::step, ::step]
    drawn = bright > max(int(bright.max()) // 2, DARK)
    hues = colours[drawn] / bright[drawn][:, None]  # (N, 3), 1 in the brightest channel
    alike = np.abs(hues - np.median(hues, 0)).max(1) <= ONE_COLOUR if len(hues) else np.ones(1)
    if (bright <= DARK).mean() < BACKGROUND_SHARE or alike.mean() < ONE_COLOUR_SHARE:
        raise IGRError(
            f"{name} has several colours, like a photo or a label map: save the mask as a PNG, white on the garment "
            "and black around it."
        )
