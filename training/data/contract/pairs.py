"""The common interface of data sets: person, mask and flat garment of each pair, and optional annotations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from igr_core.errors import IGRError

from .keypoints import Keypoints
from .parsing import Parsing

MaskKind = Literal["agnostic", "garment", "file"]
"""`agnostic`: the data set's try-on mask, larger than the garment (paper); `garment`: the visible garment alone, from
the parsing map; `file`: a folder of masks."""


@dataclass(frozen=True)
class PairEntry:
    """Information about a pair that is available without reading an image."""

    name: str
    """Unique in its data set and independent of the data set's location: `train/00001_00`."""
    category: str
    """upper, lower or full."""
    garment: str | None = None
    """Name of the garment if several pairs may show it in different photos; None if only this pair shows it."""


class PairSource(ABC):
    """A data set of person and garment images in pairs; images are read on demand.

    Every method that reads a file raises IGRError naming the file if it is missing, unreadable or mismatched.
    """

    layout: str
    """Name of the layout on disk: `viton_hd`, `dresscode`, ..."""
    left_out: tuple[str, ...] = ()
    """Names of pairs skipped as known duplicates or leaks."""
    unlisted: tuple[str, ...] = ()
    """Sentences about files that do not belong to any pair, with the reason."""
    tells_correspondence: bool = False
    """Whether `correspondence` is available."""

    def __init__(self, title: str, entries: Sequence[PairEntry]) -> None:
        """`title` is the name of the data set in messages."""
        self.title = title
        self.entries = tuple(entries)
        names = [entry.name for entry in self.entries]
        if len(set(names)) != len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise IGRError(f"{title} lists {twice} twice: remove one of the two entries.")

    def __len__(self) -> int:
        return len(self.entries)

    @abstractmethod
    def person(self, index: int) -> Image.Image:
        """The photo, RGB."""

    @abstractmethod
    def mask(self, index: int) -> Image.Image:
        """The mask for the model at the photo's size, L: 255 inside, 0 outside."""

    def exact_mask(self, index: int) -> Image.Image:
        """The mask of the visible garment alone, L; raises IGRError if the data set has none."""
        raise IGRError(f"{self.title} has no parsing maps from which to derive exact masks: set exact_share to 0.")

    def garment(self, index: int) -> Image.Image:
        """The flat garment on white, RGB; raises IGRError if the data set has none (has_garments is False)."""
        raise IGRError(f"{self.title} has no flat garments: it can be used to restore garments, but not for training.")

    @property
    def has_garments(self) -> bool:
        """Whether there are flat garments for training or scoring."""
        return True

    def parsing(self, index: int) -> Parsing | None:
        """Parsing map at the photo's size; None if the data set has none."""
        return None

    def keypoints(self, index: int) -> Keypoints | None:
        """Joints of the person in photo pixels; None if the data set has none."""
        return None

    def garment_cover(self, index: int) -> Image.Image | None:
        """Mask of the garment in its flat image, L; None if the data set has none."""
        return None

    def correspondence(self, index: int) -> np.ndarray | None:
        """Position in the photo of each pixel of the garment image, (h, w, 2) float32.

        x and y are in photo pixels from the left and top edges; NaN where the pixel is not visible or not part of the
        garment. None if the data set has no correspondence.
        """
        return None

    def photo_name(self, index: int) -> str:
        """The photo's file name without suffix; pairs with the same photo share it."""
        return self.entries[index].name.rsplit("/", 1)[-1]

    def labels(self, index: int) -> dict[str, str]:
        """Further attributes of a pair, such as its pattern, to group scores by; may be empty."""
        return {}

    def printed_words(self, index: int) -> tuple[str, ...]:
        """Words printed on the garment, in capitals; empty if it has none or the data set does not record them."""
        return ()

    def missing(self, index: int) -> list[str]:
        """Required files of the pair that do not exist; no file is read."""
        return []

    def content(self, index: int) -> str:
        """Text that changes whenever the pair does, obtained without creating its images; empty if unavailable."""
        return ""


class PairSubset(PairSource):
    """Some pairs of another data set, in any order."""

    def __init__(self, source: PairSource, rows: Sequence[int]) -> None:
        """`rows` contains distinct indices into `source`."""
        self.source = source
        """The whole data set."""
        self.rows = tuple(rows)
        """Index in `source` of each pair."""
        self.layout = source.layout
        self.left_out, self.unlisted = source.left_out, source.unlisted
        self.tells_correspondence = source.tells_correspondence
        super().__init__(source.title, [source.entries[row] for row in self.rows])

    def person(self, index: int) -> Image.Image:
        return self.source.person(self.rows[index])

    def mask(self, index: int) -> Image.Image:
        return self.source.mask(self.rows[index])

    def exact_mask(self, index: int) -> Image.Image:
        return self.source.exact_mask(self.rows[index])

    def garment(self, index: int) -> Image.Image:
        return self.source.garment(self.rows[index])

    @property
    def has_garments(self) -> bool:
        return self.source.has_garments

    def parsing(self, index: int) -> Parsing | None:
        return self.source.parsing(self.rows[index])

    def keypoints(self, index: int) -> Keypoints | None:
        return self.source.keypoints(self.rows[index])

    def garment_cover(self, index: int) -> Image.Image | None:
        return self.source.garment_cover(self.rows[index])

    def correspondence(self, index: int) -> np.ndarray | None:
        return self.source.correspondence(self.rows[index])

    def photo_name(self, index: int) -> str:
        return self.source.photo_name(self.rows[index])

    def labels(self, index: int) -> dict[str, str]:
        return self.source.labels(self.rows[index])

    def printed_words(self, index: int) -> tuple[str, ...]:
        return self.source.printed_words(self.rows[index])

    def missing(self, index: int) -> list[str]:
        return self.source.missing(self.rows[index])

    def content(self, index: int) -> str:
        return self.source.content(self.rows[index])
