"""Several data sets combined into one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from .keypoints import Keypoints
from .pairs import PairSource
from .parsing import Parsing


class JoinedPairs(PairSource):
    """The pairs of several data sets, in order; the names of the pairs must be unique."""

    layout = "mixed"

    def __init__(self, sources: Sequence[PairSource]) -> None:
        """Raises IGRError if a name occurs in two data sets."""
        self.sources = tuple(sources)
        """The data sets."""
        self._places = [(source, row) for source in sources for row in range(len(source))]
        self.left_out = tuple(name for source in sources for name in source.left_out)
        self.unlisted = tuple(sentence for source in sources for sentence in source.unlisted)
        self.tells_correspondence = all(source.tells_correspondence for source in sources)
        title = " and ".join(source.title for source in sources)
        super().__init__(title, [entry for source in sources for entry in source.entries])

    def person(self, index: int) -> Image.Image:
        source, row = self._places[index]
        return source.person(row)

    def mask(self, index: int) -> Image.Image:
        source, row = self._places[index]
        return source.mask(row)

    def exact_mask(self, index: int) -> Image.Image:
        source, row = self._places[index]
        return source.exact_mask(row)

    def garment(self, index: int) -> Image.Image:
        source, row = self._places[index]
        return source.garment(row)

    @property
    def has_garments(self) -> bool:
        return all(source.has_garments for source in self.sources)

    def parsing(self, index: int) -> Parsing | None:
        source, row = self._places[index]
        return source.parsing(row)

    def keypoints(self, index: int) -> Keypoints | None:
        source, row = self._places[index]
        return source.keypoints(row)

    def garment_cover(self, index: int) -> Image.Image | None:
        source, row = self._places[index]
        return source.garment_cover(row)

    def correspondence(self, index: int) -> np.ndarray | None:
        source, row = self._places[index]
        return source.correspondence(row)

    def photo_name(self, index: int) -> str:
        source, row = self._places[index]
        return source.photo_name(row)

    def labels(self, index: int) -> dict[str, str]:
        source, row = self._places[index]
        return source.labels(row)

    def printed_words(self, index: int) -> tuple[str, ...]:
        source, row = self._places[index]
        return source.printed_words(row)

    def missing(self, index: int) -> list[str]:
        source, row = self._places[index]
        return source.missing(row)

    def content(self, index: int) -> str:
        source, row = self._places[index]
        return source.content(row)
