"""Human parsing maps: the label tables of the published data sets, read from index and colour pictures alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal[
    "background", "hair", "face", "arms", "legs", "skin", "upper", "lower", "full", "coat", "shoes", "bag", "other"
]
"""What a label means here; `skin` is that of neck and torso, `other` hats, scarves, belts and the like."""


@dataclass(frozen=True)
class LabelTable:
    """Meaning of a data set's label numbers."""

    name: str
    """What the table is called: `LIP`, `ATR-18`."""
    kinds: tuple[Kind, ...]
    """Kind of each label number."""
    garment: Mapping[str, tuple[int, ...]]
    """Label numbers that are the garment of each category."""


LIP = LabelTable(
    "LIP",
    (
        "background", "other", "hair", "other", "other", "upper", "full", "coat", "other", "lower",
        "skin", "other", "lower", "face", "arms", "arms", "legs", "legs", "shoes", "shoes",
    ),
    {"upper": (5, 6, 7), "lower": (9, 12), "full": (5, 6, 7, 9, 12)},
)  # fmt: skip
"""VITON-HD's image-parse-v3: 0 background, 1 hat, 2 hair, 3 glove, 4 glasses, 5 top, 6 dress, 7 coat, 8 socks, 9 pants,
10 torso skin, 11 scarf, 12 skirt, 13 face, 14 / 15 arms, 16 / 17 legs, 18 / 19 shoes."""

ATR = LabelTable(
    "ATR-18",
    (
        "background", "other", "hair", "other", "upper", "lower", "lower", "full", "other", "shoes",
        "shoes", "face", "legs", "legs", "arms", "arms", "bag", "other",
    ),
    {"upper": (4,), "lower": (5, 6), "full": (7,)},
)  # fmt: skip
"""DressCode's label_maps and StreetTryOn's segm_atr_labels: 0 background, 1 hat, 2 hair, 3 sunglasses, 4 upper,
5 skirt, 6 pants, 7 dress, 8 belt, 9 / 10 shoes, 11 face, 12 / 13 legs, 14 / 15 arms, 16 bag, 17 scarf."""


@dataclass(frozen=True)
class Parsing:
    """One parsing map."""

    labels: np.ndarray
    """(H, W) uint8 label numbers."""
    table: LabelTable
    """What they mean."""

    def garment(self, category: str) -> np.ndarray:
        """(H, W) bool: the visible garment of a category."""
        return np.isin(self.labels, self.table.garment[category])

    def of(self, *kinds: Kind) -> np.ndarray:
        """(H, W) bool: everything of these kinds."""
        numbers = [number for number, kind in enumerate(self.table.kinds) if kind in kinds]
        return np.isin(self.labels, numbers)
