"""Options of Garment Mask/Crop for a photo without a mask: stop, find the garment, or use the whole photo."""

from __future__ import annotations

from torch import Tensor

from ...igr_core.errors import IGRError
from ..host.folders import PARSERS
from ..host.ui import progress
from .parse import describe_all, parse, take_parser

STOP, WHOLE, FIND = "stop", "whole photo", "find: "
"""Options; the last one is followed by the name of a human parser."""


def options() -> list[str]:
    """Every option, with the human parsers that are installed."""
    return [STOP, WHOLE, *(FIND + name for name in PARSERS.names())]


def masks_without_input(choice: str, photos: Tensor, category: str) -> tuple[Tensor, str]:
    """Masks (B, 1, H, W), or (1, 1, H, W) for all, for photos (B, 3, H, W) without a mask, and a note about them.

    Raises IGRError with option `stop`, or if the parser cannot be loaded or finds no garment of the category.
    """
    if choice == WHOLE:
        return photos.new_ones(1, 1, *photos.shape[-2:]), "The whole photo is treated as the garment."
    if not choice.startswith(FIND):
        raise IGRError(
            "The photo has no mask: paint or connect one, or set without_mask to find the garment with a human parser "
            "or to use the whole photo."
        )
    name = choice.removeprefix(FIND)
    masks, found, certainty = parse(take_parser(name), photos, category, progress(len(photos)))
    return masks, f"Mask found by {name}. {describe_all(masks, found, certainty)}"
