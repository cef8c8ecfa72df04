"""Human parsing maps: the label tables of the published data sets, for indexed and colour images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.segmentation.labels import ATR as ATR_NAMES
from igr_core.segmentation.labels import CIHP, LabelNames

Kind = Literal[
    "background", "hair", "face", "arms", "legs", "skin", "upper", "lower", "full", "coat", "shoes", "bag", "other"
]
"""Meaning of a label; `skin` is the neck and torso, `other` is hats, scarves, belts and the like."""


@dataclass(frozen=True)
class LabelTable:
    """The meaning of a data set's label numbers."""

    name: str
    """Name of the table: `LIP`, `ATR-18`."""
    kinds: tuple[Kind, ...]
    """Meaning of each label number."""
    garment: Mapping[str, tuple[int, ...]]
    """Label numbers of each category's garment."""
    colours: tuple[tuple[int, int, int], ...] = ()
    """RGB of each label number in the data set's colour images; () if it has none."""


_KINDS: Mapping[str, Kind] = {
    "background": "background", "hair": "hair", "face": "face", "torso-skin": "skin", "bag": "bag",
    "left-arm": "arms", "right-arm": "arms", "left-leg": "legs", "right-leg": "legs", "left-shoe": "shoes",
    "right-shoe": "shoes", "upper-clothes": "upper", "coat": "coat", "pants": "lower", "skirt": "lower",
    "dress": "full",
}  # fmt: skip
"""Meaning of each published label; all others are `other`."""


def _published(
    name: str,
    names: LabelNames,
    garment: Mapping[str, tuple[str, ...]],
    colours: tuple[tuple[int, int, int], ...] = (),
) -> LabelTable:
    """The table of a data set whose labels are in the order of `names`; `garment` lists label names by category."""
    kinds = tuple(_KINDS.get(label, "other") for label in names.labels)
    return LabelTable(name, kinds, {category: names.numbers(own) for category, own in garment.items()}, colours)


LIP = _published(
    "LIP",
    CIHP,
    {
        "upper": ("upper-clothes", "dress", "coat"),
        "lower": ("pants", "skirt"),
        "full": ("upper-clothes", "dress", "coat", "pants", "skirt"),
    },
    (
        (0, 0, 0), (128, 0, 0), (254, 0, 0), (0, 85, 0), (169, 0, 51), (254, 85, 0), (0, 0, 85), (0, 119, 220),
        (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 254), (51, 169, 220), (0, 254, 254),
        (85, 254, 169), (169, 254, 85), (254, 254, 0), (254, 169, 0),
    ),
)  # fmt: skip
"""VITON-HD's image-parse-v3; all of its garments are `upper`, including dresses."""

ATR = _published("ATR-18", ATR_NAMES, {"upper": ("upper-clothes",), "lower": ("skirt", "pants"), "full": ("dress",)})
"""DressCode's label_maps and StreetTryOn's segm_atr_labels; their colours are those of `voc_colours`."""

SYNTHETIC = LabelTable(
    "synthetic",
    (
        "background", "hair", "face", "skin", "arms", "arms", "legs", "legs", "shoes", "shoes",
        "upper", "lower", "full", "coat", "bag", "other",
    ),
    {"upper": (10, 13), "lower": (11,), "full": (12,)},
)  # fmt: skip
"""LABELS of data/synthetic/painting/canvas.py; a coat is either the garment or worn over it."""

TABLES = {table.name: table for table in (LIP, ATR, SYNTHETIC)}
"""All label tables by name."""

_TOLERANCE = 2
"""Maximum difference per channel from a colour of the table.

Copies of the LIP colours differ by 1 (254 or 255, 169 or 170).
"""


@dataclass(frozen=True)
class Parsing:
    """One parsing map."""

    labels: np.ndarray
    """(H, W) uint8 label numbers."""
    table: LabelTable
    """Meaning of the label numbers."""

    def garment(self, category: str) -> np.ndarray:
        """(H, W) bool: the visible garment of a category."""
        return np.isin(self.labels, self.table.garment[category])

    def of(self, *kinds: Kind) -> np.ndarray:
        """(H, W) bool: all pixels whose label has one of these meanings."""
        numbers = [number for number, kind in enumerate(self.table.kinds) if kind in kinds]
        return np.isin(self.labels, numbers)


def voc_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """The first `count` colours of the PASCAL VOC palette, which parsers write by default.

    Bits 0, 1 and 2 of the number are the highest bits of red, green and blue, bits 3, 4 and 5 the next, and so on.
    """
    colours = []
    for number in range(count):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
        colours.append((channels[0], channels[1], channels[2]))
    return tuple(colours)


def palette_bytes(table: LabelTable) -> bytes:
    """The table's colours (VOC's if it has none) as the palette of a P-mode image."""
    return bytes(value for colour in table.colours or voc_colours(len(table.kinds)) for value in colour)


def read_labels(image: Image.Image, table: LabelTable, name: str) -> np.ndarray:
    """Label numbers (H, W) uint8 of a parsing map: numbers in a P or grey image, colours in an RGB image.

    A grey RGB image contains the label numbers in every channel. If a P-mode image has the table's colours at other
    numbers, an image tool has re-indexed it, and its colours are used instead of its numbers. Raises IGRError with the
    file's name for unknown colours and for numbers that are not in the table.
    """
    if image.mode == "P":
        numbers = np.array(image)
        if not _was_reindexed(image, numbers, table):
            return _checked(numbers, table, name)
    elif image.mode in ("1", "L", "I", "I;16"):
        return _checked(np.array(image.convert("I") if image.mode != "L" else image), table, name)
    pixels = np.array(image.convert("RGB"))
    if pixels.max() < len(table.kinds) and (pixels == pixels[..., :1]).all():
        return pixels[..., 0]
    return _from_colours(pixels, table, name)


def _palettes(table: LabelTable) -> list[np.ndarray]:
    count = len(table.kinds)
    return [np.array(colours, np.int16) for colours in (table.colours, voc_colours(count)) if colours]


def _was_reindexed(image: Image.Image, numbers: np.ndarray, table: LabelTable) -> bool:
    used = np.unique(numbers)
    colours = np.array(image.getpalette("RGB"), np.int16).reshape(-1, 3)
    if used[-1] >= len(colours):
        return False
    colours = colours[used]
    for palette in _palettes(table):
        if used[-1] < len(palette) and np.abs(colours - palette[used]).max() <= _TOLERANCE:
            return False
    return any(_nearest(colours, palette) is not None for palette in _palettes(table))


def _nearest(colours: np.ndarray, palette: np.ndarray) -> np.ndarray | None:
    """The palette index of each colour (N, 3), or None if a colour is not in the palette."""
    distance = np.abs(colours[:, None] - palette[None]).max(-1)
    return distance.argmin(1) if (distance.min(1) <= _TOLERANCE).all() else None


def _from_colours(pixels: np.ndarray, table: LabelTable, name: str) -> np.ndarray:
    packed = (pixels.astype(np.int32) * (65536, 256, 1)).sum(-1)
    found, places = np.unique(packed, return_inverse=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], -1).astype(np.int16)
    if len(found) <= len(table.kinds):
        for palette in _palettes(table):
            numbers = _nearest(colours, palette)
            if numbers is not None:
                return numbers.astype(np.uint8)[places].reshape(packed.shape)
    raise IGRError(
        f"{name} has {len(found)} colours, some of which are not in the palette of {table.name}: use the published "
        "parsing map as an indexed PNG."
    )


def _checked(numbers: np.ndarray, table: LabelTable, name: str) -> np.ndarray:
    highest = int(numbers.max())
    if highest >= len(table.kinds):
        raise IGRError(
            f"{name} contains label {highest}, but {table.name} only has labels 0 to {len(table.kinds) - 1}: use "
            "a parsing map with these labels, whose pixels are label numbers rather than colours."
        )
    return numbers.astype(np.uint8)
