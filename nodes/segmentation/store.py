"""Segmenters and what they made of photos, kept between clicks: one store for the nodes and the click route."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from torch import Tensor

from ...igr_core.photo.images import load_photo
from ...igr_core.segmentation.segmenter import Embedding
from ..host.folders import SEGMENTERS
from ..host.segmentation import LoadedSegmenter, load_segmenter
from ..host.turns import TURN
from .kept import Kept, digest, state

KEPT_EMBEDDINGS, KEPT_FILES = 8, 64
"""The embedding of a photo takes 16 MB of main memory."""
MAX_PIXELS = 50_000_000
"""Photos with more are not read for a click."""


class Store:
    """The last segmenter and embeddings by photo; one thread works with it at a time."""

    def __init__(self) -> None:
        self.turn = TURN
        """Held while a segmenter works."""
        self._last: LoadedSegmenter | None = None
        self._there: WeakValueDictionary[str, LoadedSegmenter] = WeakValueDictionary()  # the last, and graphs'
        self._embeddings: Kept[tuple[str, str], Embedding] = Kept(KEPT_EMBEDDINGS)
        self._files: Kept[str, str] = Kept(KEPT_FILES)

    def segmenter(self, name: str) -> LoadedSegmenter:
        """Load a segmenter of the list; raises IGRError when it is not there or cannot be loaded."""
        path = SEGMENTERS.path(name)
        key = state(path)
        with self.turn:
            found = self._there.get(key)
            if found is None:
                self._last = None  # it makes room before the next one is read
                found = self._there[key] = load_segmenter(path, key)
            self._last = found
            for other in [one for one in self._embeddings if one[0] not in self._there]:
                del self._embeddings[other]
            return found

    def embedding(self, segmenter: LoadedSegmenter, photo: Tensor) -> Embedding:
        """What a segmenter makes of a photo (1, 3, H, W) in 0..1, run where it is not kept."""
        with self.turn:
            return self._embeddings.take((segmenter.key, digest(photo)), lambda: segmenter.embed(photo))

    def embedding_of_file(self, segmenter: LoadedSegmenter, path: Path, before_work: Callable[[], None]) -> Embedding:
        """What a segmenter makes of a photo in a file, which is read only where it has changed.

        `before_work` is called between reading and embedding, and may refuse. Raises IGRError for what is no photo.
        """
        with self.turn:
            known = self._files.get(state(path))
            if known is not None and (kept := self._embeddings.get((segmenter.key, known))) is not None:
                return self._embeddings.take((segmenter.key, known), lambda: kept)
            photo = _load(path)
            self._files.take(state(path), lambda: digest(photo))
            before_work()
            return self.embedding(segmenter, photo)


STORE = Store()
"""What the nodes and the click route share."""


def _load(path: Path) -> Tensor:
    """Read a photo as LoadImage does, which ignores transparency."""
    return load_photo(path, flatten=False, max_pixels=MAX_PIXELS)
