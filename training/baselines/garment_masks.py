"""Garment masks for TryOffAnyone: from a folder, such as the published masks.zip, or from a human parser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from igr_core.errors import IGRError
from igr_core.photo.image_files import name_key
from igr_core.photo.images import load_mask
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.labels import ATR

from ..evaluation.images.folders import RATIO_SLACK, images_in
from .method import Item
from .weights import SEGFORMER, Published, model_folder

PARSER = tuple(
    Published(f"{model_folder(SEGFORMER)}/{name}", SEGFORMER)
    for name in ("config.json", "model.safetensors", "preprocessor_config.json")
)
"""Files of the parser that the authors use."""
TOPS, BOTTOMS = ("upper-clothes", "dress"), ("skirt", "pants")
"""The parser's labels that make up a garment, for upper and full-body garments, and for lower garments."""


class Masks(Protocol):
    """A source of masks."""

    def of(self, item: Item, photo: Image.Image) -> Image.Image:
        """Mask (L) of an item at the size of `photo`, its resized photo; raises IGRError if there is none."""
        ...


class MaskFolder:
    """Masks from a folder, named like the photos or the pairs."""

    def __init__(self, folder: Path) -> None:
        """Raises IGRError for a folder that does not exist or has no images, or with names that differ only by case."""
        self.folder = folder
        """The folder."""
        self._files: dict[str, Path] = {}
        for name, path in images_in(folder).items():
            other = self._files.setdefault(name_key(name), path)
            if other != path:
                raise IGRError(f"{folder} has {other.name} and {path.name}: remove one of them.")

    def of(self, item: Item, photo: Image.Image) -> Image.Image:
        """The mask named like the pair or, failing that, like its photo, resized (bicubic) to the size of `photo`."""
        path = next((self._files[key] for key in map(name_key, _names(item)) if key in self._files), None)
        if path is None:
            raise IGRError(f"{self.folder} has no mask named {item.photo_name}: add it, or omit --masks.")
        mask = Image.fromarray(load_mask(path)[0, 0].mul(255).round().byte().numpy())
        width, height = item.photo.size
        if abs(mask.width * height / (mask.height * width) - 1) > RATIO_SLACK:
            raise IGRError(
                f"The mask {path} is {mask.width}×{mask.height}, but its photo is {width}×{height}: use a mask of the "
                "same shape."
            )
        return mask.resize(photo.size, Image.Resampling.BICUBIC)


class ParsedMasks:
    """Masks from a human parser."""

    def __init__(self, parser: HumanParser) -> None:
        """Raises IGRError for a parser whose labels are not those of segformer_b3_clothes."""
        if parser.names != ATR:
            raise IGRError(f"The parser has the labels of {parser.names.name}: use segformer_b3_clothes ({ATR.name}).")
        self.parser = parser
        """The parser."""

    def of(self, item: Item, photo: Image.Image) -> Image.Image:
        """Mask of everything that the parser labels as a garment of the item's category; empty if it finds none."""
        pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
        labels = self.parser.parse(pixels)[0]
        wanted = ATR.numbers(BOTTOMS if item.category == "lower" else TOPS)
        inside = torch.isin(labels, torch.tensor(wanted))
        return Image.fromarray(inside.byte().mul(255).numpy())


def _names(item: Item) -> Sequence[str]:
    return (item.pair_name, item.photo_name)
