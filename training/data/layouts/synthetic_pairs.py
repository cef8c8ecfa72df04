"""The procedural generator as a data set: pairs are drawn on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES, Side
from igr_core.ranges import CountOrNone, Range, Ranged, Share

from ..contract.keypoints import Joint, Keypoints
from ..contract.pairs import PairEntry, PairSource
from ..contract.parsing import SYNTHETIC, Parsing
from ..synthetic import DEFECTS, Pair, make_pair
from ..synthetic.compose import check_options

LABELS = ("cut", "pattern", "print", "occlusion", "framing")
"""Attributes of a drawn pair to group scores by."""


@dataclass(frozen=True)
class SyntheticConfig(Ranged):
    """Settings for drawing pairs."""

    start: CountOrNone = 0
    """First seed."""
    count: Annotated[int, Range(0, 10_000_000)] = 1000
    """Number of pairs, with consecutive seeds."""
    size: tuple[Side, Side] = (384, 512)
    """Width and height in pixels of the photo and of the flat garment, 3:4."""
    coarse: Share = 0.0
    """Smallest repeat of a pattern, as a fraction of the garment's length; 0 for the generator's full range."""
    bad_share: Share = 0.0
    """Fraction of the pairs (0..1) with one of the paper's defects, chosen by the pair's seed."""

    correspondence: bool = False
    """Compute the correspondence, which rendered pairs always have."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self.size)


class SyntheticPairs(PairSource):
    """Drawn pairs as a data set; `seed-000000123` is always the pair of seed 123."""

    layout = "synthetic"

    def __init__(self, config: SyntheticConfig, mask: str = "auto", categories: Sequence[str] = CATEGORIES) -> None:
        """`mask` is agnostic or garment (the same as auto); seeds whose category is not in `categories` are skipped."""
        if mask not in ("auto", "garment", "agnostic"):
            raise IGRError(f"Drawn pairs have no mask {mask!r}: choose garment or agnostic.")
        drawn = range(config.start, config.start + config.count)
        seeds = [(seed, category_of(seed)) for seed in drawn]
        self.config = config
        """Settings with which the pairs are drawn."""
        self.seeds = tuple(seed for seed, category in seeds if category in categories)
        """Seed of each pair."""
        self._agnostic = mask == "agnostic"
        self.tells_correspondence = config.correspondence
        last = config.start + config.count - 1
        super().__init__(
            f"drawn pairs {config.start} to {last}",
            [PairEntry(f"seed-{seed:09d}", category) for seed, category in seeds if category in categories],
        )

    def defect(self, index: int) -> str | None:
        """A pair's defect (one of synthetic.DEFECTS), which is its label for curation; None for a good pair."""
        rng = np.random.default_rng([self.seeds[index], 1907])
        if rng.random() >= self.config.bad_share:
            return None
        return DEFECTS[int(rng.integers(len(DEFECTS)))]

    def person(self, index: int) -> Image.Image:
        return self._pair(index).person.copy()

    def mask(self, index: int) -> Image.Image:
        pair = self._pair(index)
        mask = pair.agnostic_mask if self._agnostic else pair.garment_mask
        if mask.getextrema() == (0, 0):
            raise IGRError(f"{self.entries[index].name} does not show its garment: exclude the seed.")
        return mask.copy()

    def garment(self, index: int) -> Image.Image:
        return self._pair(index).garment.copy()

    def parsing(self, index: int) -> Parsing:
        return Parsing(np.array(self._pair(index).parsing), SYNTHETIC)

    def keypoints(self, index: int) -> Keypoints:
        return Keypoints({name: Joint(*values) for name, values in self._pair(index).joints.items()})

    def garment_cover(self, index: int) -> Image.Image:
        return self._pair(index).garment_silhouette.copy()

    def content(self, index: int) -> str:
        from ..caches.drawn import fingerprint

        made_with = replace(self.config, start=0, count=0, correspondence=False)
        return f"{fingerprint()} {self.seeds[index]} {made_with} {self._agnostic}"

    def correspondence(self, index: int) -> np.ndarray | None:
        """(h, w, 2) float32 for the pixels of `garment`; None unless enabled in the config."""
        return self._pair(index).correspondence

    def labels(self, index: int) -> dict[str, str]:
        attributes = self._pair(index).attributes
        return {name: str(attributes[name]).replace("_", " ") for name in LABELS}

    def printed_words(self, index: int) -> tuple[str, ...]:
        return tuple(str(self._pair(index).attributes["text"]).upper().split())

    def _pair(self, index: int) -> Pair:
        return _drawn(
            self.seeds[index], self.config.size, self.config.coarse, self.defect(index), self.config.correspondence
        )


def category_of(seed: int) -> str:
    """Category of a seed's pair, without drawing the pair: it is the generator's first random choice."""
    return CATEGORIES[int(np.random.default_rng([seed, 20261123]).integers(len(CATEGORIES)))]


@lru_cache(maxsize=8)
def _drawn(seed: int, size: tuple[int, int], coarse: float, defect: str | None, correspondence: bool) -> Pair:
    """Draw a pair; the last few are cached, because the images of a pair are requested one by one."""
    return make_pair(seed, size, defect=defect, coarse=coarse, correspondence=correspondence)
