"""Lay out a restored garment: trim it and centre it with a margin on a chosen background."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from ..ranges import Range, Ranged
from .background_removal import to_rgba

ASPECTS: dict[str, float | None] = {"3:4": 3 / 4, "1:1": 1.0, "as it is": None}
"""Ratio of the canvas's width to its height, by name; None keeps the image's aspect ratio."""
VISIBLE = 0.5
"""Pixels of at least this opacity count as garment when the image is trimmed."""


@dataclass(frozen=True)
class Finish(Ranged):
    """Layout of the finished garment."""

    aspect: str = "3:4"
    """A key of ASPECTS."""
    margin: Annotated[float, Range(0.0, 0.4)] = 0.05
    """Free space on each side, as a fraction of the canvas's width or height, 0 to 0.4."""
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Colour around the garment, RGB in 0..1."""
    trim: bool = True
    """Crop the image to the garment first."""


def finish_garment(image: Tensor, finish: Finish, opacity: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Lay out garments (B, 3, H, W) with a near-white background: images (B, 3, h, w) and opacity (B, 1, h, w) in 0..1.

    `opacity` (B, 1, H, W) in 0..1 is the garments' own, if it is known. All images of a batch get the same size, with
    the height of `image`. Raises IGRError for an unknown aspect.
    """
    if finish.aspect not in ASPECTS:
        raise IGRError(f"Unknown aspect {finish.aspect!r}: choose {', '.join(ASPECTS)}.")
    height, width = image.shape[-2:]
    aspect = ASPECTS[finish.aspect]
    size = (width if aspect is None else max(1, round(height * aspect)), height)
    laid = torch.cat([_lay_out(one, size, finish) for one in to_rgba(image, opacity).split(1)])  # (B, 4, h, w)
    colour, alpha = laid[:, :3], laid[:, 3:]
    background = colour.new_tensor(finish.background).view(1, 3, 1, 1)
    return (colour * alpha + background * (1 - alpha)).clamp(0, 1), alpha


def parse_colour(text: str) -> tuple[float, float, float]:
    """Read #rrggbb or #rgb; raises IGRError for anything else."""
    digits = text.strip().lstrip("#")
    if re.fullmatch(r"[0-9a-fA-F]{3}", digits):
        digits = "".join(2 * digit for digit in digits)
    if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
        raise IGRError(f"Colour {text!r} is not valid: write it as #rrggbb, such as #ffffff for white.")
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return (red, green, blue)


def _lay_out(image: Tensor, size: tuple[int, int], finish: Finish) -> Tensor:
    """Place one RGBA image (1, 4, H, W) on a transparent canvas of `size` (width, height)."""
    if finish.trim:
        image = _trimmed(image)
    width, height = size
    free = 1 - 2 * min(max(finish.margin, 0.0), 0.4)
    scale = min(width * free / image.shape[-1], height * free / image.shape[-2])
    inner = (max(1, math.floor(image.shape[-2] * scale)), max(1, math.floor(image.shape[-1] * scale)))
    premultiplied = torch.cat([image[:, :3] * image[:, 3:], image[:, 3:]], 1)
    resized = _resize(premultiplied, inner)
    alpha = resized[:, 3:]
    resized = torch.cat([(resized[:, :3] / alpha.clamp_min(1e-3)).clamp(0, 1), alpha], 1)
    y, x = (height - inner[0]) // 2, (width - inner[1]) // 2
    canvas = image.new_zeros(1, 4, height, width)
    canvas[..., y : y + inner[0], x : x + inner[1]] = resized
    return canvas


def _trimmed(image: Tensor) -> Tensor:
    """Crop an image (1, 4, H, W) to its visible part; an invisible image is returned unchanged."""
    visible = image[0, 3] >= VISIBLE
    if not bool(visible.any()):
        return image
    rows, columns = visible.any(1).nonzero(), visible.any(0).nonzero()
    return image[..., int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]


def _resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    if image.shape[-2:] == size:
        return image
    return F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
