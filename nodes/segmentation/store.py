"""Keep segmenters and photo embeddings between clicks, for the nodes and the click route."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from torch import Tensor

from ...igr_core.photo.images import load_photo
from ...igr_core.segmentation.segmenter import Embedding
from ..host.folders import SEGMENTERS
from ..host.locking import TURN
from ..host.segmentation import LoadedSegmenter, load_segmenter
from .cache import Cache, digest, state

KEPT_EMBEDDINGS, KEPT_FILES = 8, 64
"""Numbers of embeddings and file states to keep; the embedding of a photo takes 16 MB of main memory."""
MAX_PIXELS = 50_000_000
"""Maximum number of pixels in a photo that the click route accepts."""


class Store:
    """The last segmenter and the embeddings of photos; used by one thread at a time."""

    def __init__(self) -> None:
        self.turn = TURN
        """Held while a segmenter runs."""
        self._last: LoadedSegmenter | None = None
        self._there: WeakValueDictionary[str, LoadedSegmenter] = (
            WeakValueDictionary()
        )  # the last segmenter, and those that workflows use
        self._embeddings: Cache[tuple[str, str], Embedding] = Cache(KEPT_EMBEDDINGS)
        self._files: Cache[str, str] = Cache(KEPT_FILES)

    def segmenter(self, name: str) -> LoadedSegmenter:
        """Load a segmenter by its listed name; raises IGRError if it does not exist or cannot be loaded."""
        path = SEGMENTERS.path(name)
        key = state(path)
        with self.turn:
            found = self._there.get(key)
            if found is None:
                self._last = None  # free the memory of one segmenter before the next one is loaded
                found = self._there[key] = load_segmenter(path, key)
            self._last = found
            for other in [one for one in self._embeddings if one[0] not in self._there]:
                del self._embeddings[other]
            return found

    def embedding(self, segmenter: LoadedSegmenter, photo: Tensor) -> Embedding:
        """A segmenter's embedding of a photo (1, 3, H, W) in 0..1, computed unless it is cached."""
        with self.turn:
            return self._embeddings.take((segmenter.key, digest(photo)), lambda: segmenter.embed(photo))

    def embedding_of_file(self, segmenter: LoadedSegmenter, path: Path, before_work: Callable[[], None]) -> Embedding:
        """A segmenter's embedding of a photo in a file; an unchanged file is not read again.

        `before_work` is called between reading and embedding, and may raise an exception. Raises IGRError for an
        invalid photo.
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
"""Shared by the nodes and the click route."""


def _load(path: Path) -> Tensor:
    """Load a photo as Load Image does, ignoring transparency and colour profile."""
    return load_photo(path, like_load_image=True, max_pixels=MAX_PIXELS)
