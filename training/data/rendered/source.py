"""Rendered records as a data set; records are dressed on demand, differently for each dress seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES
from igr_core.ranges import Range, Ranged, Seed

from ..contract.keypoints import Joint, Keypoints
from ..contract.pairs import PairEntry, PairSource
from ..contract.parsing import ATR, Parsing
from ..contract.seeds import HELD_OUT_START
from .records.record import Record, record_name
from .records.shards import RecordShards

if TYPE_CHECKING:
    from .pairs import RenderedPair

LABELS = ("cut", "pattern", "print", "occlusion", "framing", "pose", "fit")
"""Attributes of a rendered pair to group scores by."""
LETTERED = ("words", "badge", "number", "words_picture")
"""Forms of prints whose words are legible."""


@dataclass(frozen=True)
class RenderedConfig(Ranged):
    """Settings for dressing records."""

    dress_seed: Seed = 0
    """Seed of the fabrics; another seed (for example per epoch) dresses the same geometry differently."""
    dressings: Annotated[int, Range(1, 10_000)] = 1
    """Number of pairs to make from each photo, with the fabrics of dress_seed, dress_seed + 1, ..."""
    keep_defects: bool = False
    """Keep photos with a deliberate defect, for curation; models are not trained on them."""


@dataclass(frozen=True)
class Place:
    """Origin of a pair."""

    seed: int
    """Seed of the record."""
    photo: int
    """Index of the photo in the record."""
    dress_seed: int
    """Seed of the fabrics."""


class RenderedPairs(PairSource):
    """Every photo of every record as a pair named `garment-000000123/photo-1` (plus `/dress-7` for dress seed 7)."""

    layout = "rendered"
    tells_correspondence = True

    def __init__(
        self,
        root: str,
        config: RenderedConfig | None = None,
        mask: str = "auto",
        split: Literal["train", "test"] | None = None,
        categories: Sequence[str] = CATEGORIES,
    ) -> None:
        """`root` is a folder or tar of records, or a path or URL with braces. `mask` is garment (the same as auto) or
        agnostic. `split` keeps the seeds below HELD_OUT_START (train) or the others (test); None keeps both.

        Raises IGRError as RecordShards does, or for a split without records.
        """
        if mask not in ("auto", "garment", "agnostic"):
            raise IGRError(f"Rendered pairs have no mask {mask!r}: choose garment or agnostic.")
        self.shards = RecordShards(root)
        """The records."""
        self.config = config or RenderedConfig()
        """Settings for dressing."""
        self._agnostic = mask == "agnostic"
        kept = [seed for seed in self.shards.seeds if split in (None, "test" if seed >= HELD_OUT_START else "train")]
        if not kept:
            raise IGRError(f"{root} contains no records of the {split} split: choose the other split.")
        places: list[Place] = []
        entries: list[PairEntry] = []
        for seed in kept:
            metadata = self.shards.metadata(seed)
            if metadata["category"] in categories:
                own = self._places(seed, self._kept(metadata))
                places += own
                entries += [PairEntry(self._name(place), metadata["category"], _garment(place)) for place in own]
        if not places and not self.config.keep_defects and set(categories) == set(CATEGORIES):
            raise IGRError(f"Every photo in {root} has a deliberate defect: set keep_defects to use these photos.")
        self.places: tuple[Place, ...] = tuple(places)
        """Origin of each pair."""
        super().__init__(f"the rendered records {root}", entries)

    def pair(self, index: int) -> RenderedPair:
        """The dressed pair; its images are shared with later calls and must not be changed."""
        return _dressed(self.shards, self.places[index])

    def person(self, index: int) -> Image.Image:
        return self.pair(index).person.copy()

    def mask(self, index: int) -> Image.Image:
        pair = self.pair(index)
        mask = pair.agnostic_mask if self._agnostic else pair.garment_mask
        if mask.getextrema() == (0, 0):
            raise IGRError(f"{self.entries[index].name} does not show its garment: exclude the seed.")
        return mask.copy()

    def garment(self, index: int) -> Image.Image:
        return self.pair(index).garment.copy()

    def parsing(self, index: int) -> Parsing:
        return Parsing(np.array(self.pair(index).parsing), ATR)

    def keypoints(self, index: int) -> Keypoints:
        return Keypoints({name: Joint(*values) for name, values in self.pair(index).joints.items()})

    def garment_cover(self, index: int) -> Image.Image:
        return self.pair(index).garment_silhouette.copy()

    def correspondence(self, index: int) -> np.ndarray:
        """(H, W, 2) float32: for each pixel of `garment`, x and y of the same point in the photo; NaN where hidden."""
        return self.pair(index).correspondence.copy()

    def content(self, index: int) -> str:
        from .generating.fingerprints import dress_fingerprint

        return f"{self.shards.stamp} {dress_fingerprint()} {self.places[index]} {self._agnostic}"

    def photo_name(self, index: int) -> str:
        """Name of the photo, prefixed with its garment's name because photo names repeat from garment to garment."""
        return self.entries[index].name.replace("/", "_")

    def labels(self, index: int) -> dict[str, str]:
        attributes = self.pair(index).attributes
        return {name: str(attributes[name]).replace("_", " ") for name in LABELS if name in attributes}

    def printed_words(self, index: int) -> tuple[str, ...]:
        attributes = self.pair(index).attributes
        return tuple(str(attributes["text"]).upper().split()) if attributes["print"] in LETTERED else ()

    def defect(self, index: int) -> str | None:
        """A pair's defect, which is its label for curation; None for a good pair."""
        return _defect(self.pair(index).attributes)

    def _kept(self, metadata: dict[str, Any]) -> list[int]:
        """Indices of the photos of a record to keep."""
        photos = metadata["photos"]
        if self.config.keep_defects:
            return list(range(len(photos)))
        return [
            n for n, photo in enumerate(photos) if _defect({**metadata["attributes"], **photo["attributes"]}) is None
        ]

    def _places(self, seed: int, photos: Sequence[int]) -> list[Place]:
        first = self.config.dress_seed
        dresses = range(first, first + self.config.dressings)
        return [Place(seed, photo, dress) for dress in dresses for photo in photos]

    def _name(self, place: Place) -> str:
        name = f"{record_name(place.seed)}/photo-{place.photo}"
        return f"{name}/dress-{place.dress_seed}" if place.dress_seed else name


@lru_cache(maxsize=8)
def _record(shards: RecordShards, seed: int) -> Record:
    """Read a record; the last few are cached, because a record's photos are requested one after another."""
    return shards.read(seed)


@lru_cache(maxsize=8)
def _product(shards: RecordShards, seed: int, dress_seed: int) -> Image.Image:
    """Dress a product shot; the last few are cached, because all photos of a record share it."""
    from .pairs import dress_product

    return dress_product(_record(shards, seed), dress_seed, held_out=seed >= HELD_OUT_START)


@lru_cache(maxsize=16)
def _dressed(shards: RecordShards, place: Place) -> RenderedPair:
    """Dress a pair; the last few are cached, because a pair's images are requested one by one."""
    try:
        from .pairs import dress_record
    except ImportError as error:
        raise IGRError(f"Dressing needs {error.name}: install the `render` extra (pip install '.[render]').") from error
    record = _record(shards, place.seed)
    product = _product(shards, place.seed, place.dress_seed)
    return dress_record(record, place.photo, place.dress_seed, place.seed >= HELD_OUT_START, product)


def _defect(attributes: Mapping[str, Any]) -> str | None:
    found = str(attributes.get("defect", "none"))
    return None if found == "none" else found


def _garment(place: Place) -> str:
    """Name of a garment in a particular fabric; the same for all photos that show it."""
    return f"{record_name(place.seed)}/dress-{place.dress_seed}"
