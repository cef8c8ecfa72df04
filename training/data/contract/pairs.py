"""One interface for every data set: person, mask and flat garment of each pair, and what else is known of it."""

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
"""`agnostic`: the try-on mask of the data set, larger than the garment (paper); `garment`: from the parsing, what is
seen of the garment alone; `file`: a folder of masks."""


@dataclass(frozen=True)
class PairEntry:
    """What is known of a pair without reading a picture."""

    name: str
    """Unique in its data set, and the same wherever the data set lies: `train/00001_00`."""
    category: str
    """upper, lower or full."""
    garment: str | None = None
    """What the garment is called, where several pairs may show it in photos of their own; None for one pair's alone."""


class PairSource(ABC):
    """A data set of person / garment pairs; pictures are read when they are asked for.

    Every method that reads raises IGRError naming the file that is missing, unreadable or does not match.
    """

    layout: str
    """Name of the layout on disk: `viton_hd`, `dresscode`, ..."""
    left_out: tuple[str, ...] = ()
    """Names of the pairs that were dropped as known duplicates or leaks."""
    unlisted: tuple[str, ...] = ()
    """A sentence for each file that belongs to no pair."""
    tells_correspondence: bool = False
    """Whether `correspondence` tells anything."""

    def __init__(self, title: str, entries: Sequence[PairEntry]) -> None:
        """`title`: what the data set is called in messages."""
        self.title = title
        self.entries = tuple(entries)
        names = [entry.name for entry in self.entries]
        if len(set(names)) != len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise IGRError(f"{title} lists {twice} twice: remove one of its lines.")

    def __len__(self) -> int:
        return len(self.entries)

    @abstractmethod
    def person(self, index: int) -> Image.Image:
        """The photo, RGB."""

    @abstractmethod
    def mask(self, index: int) -> Image.Image:
        """The mask that the model is given, L, 255 inside, as large as the photo."""

    def garment(self, index: int) -> Image.Image:
        """The flat garment on white, RGB; IGRError where the data set has none (has_garments is False)."""
        raise IGRError(f"{self.title} has no flat garments: it can be restored from, not trained on.")

    @property
    def has_garments(self) -> bool:
        """Whether there are flat garments to learn from or to score against."""
        return True

    def parsing(self, index: int) -> Parsing | None:
        """Which pixel of the photo is what, as large as the photo; None where the data set does not say."""
        return None

    def keypoints(self, index: int) -> Keypoints | None:
        """Joints of the person in pixels of the photo; None where the data set does not say."""
        return None

    def garment_cover(self, index: int) -> Image.Image | None:
        """Which pixels of the flat picture are garment, L; None where the data set does not say."""
        return None

    def correspondence(self, index: int) -> np.ndarray | None:
        """Where each pixel of the flat picture lies in the photo: (h, w, 2) float32 on the flat picture's pixels.

        x and y in pixels of the photo from its left and top edge; NaN where it is not visible or where there is no
        garment. None where the data set does not say.
        """
        return None

    def photo_name(self, index: int) -> str:
        """What the photo's file is called, without suffix; pairs of one photo share it."""
        return self.entries[index].name.rsplit("/", 1)[-1]

    def labels(self, index: int) -> dict[str, str]:
        """More attributes of a pair, such as its pattern, to group scores by; empty if there are none."""
        return {}

    def missing(self, index: int) -> list[str]:
        """The pair's files that are needed and not there, found without reading any."""
        return []


class PairSubset(PairSource):
    """Some pairs of another data set, in any order."""

    def __init__(self, source: PairSource, rows: Sequence[int]) -> None:
        """`rows`: indices into `source`, each once."""
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

    def missing(self, index: int) -> list[str]:
        return self.source.missing(self.rows[index])
