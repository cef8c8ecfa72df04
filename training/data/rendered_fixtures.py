"""Rendered pairs for small data sets in published layouts, through the drawing generator's interface."""

from __future__ import annotations

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.segmentation.labels import ATR

from .rendered.source import RenderedConfig, RenderedPairs
from .synthetic import Pair
from .synthetic.painting.canvas import LABELS

DRAWN_LABELS = {
    "background": "background", "hat": "object", "hair": "hair", "sunglasses": "object", "upper-clothes": "upper",
    "skirt": "lower", "pants": "lower", "dress": "full", "belt": "object", "left-shoe": "left_shoe",
    "right-shoe": "right_shoe", "face": "face", "left-leg": "left_leg", "right-leg": "right_leg",
    "left-arm": "left_arm", "right-arm": "right_arm", "bag": "bag", "scarf": "object",
}  # fmt: skip
"""The drawing generator's label for each ATR-18 label."""
_LOOKUP = np.array([LABELS.index(DRAWN_LABELS[label]) for label in ATR.labels], np.uint8)


class RenderedMaker:
    """Makes pairs from records through the interface of synthetic.make_pair; seed n selects the n-th photo.

    After the last photo, the photos repeat with new fabrics.
    """

    def __init__(self, records: str) -> None:
        """`records`: folder or URL of shards. Raises IGRError as RenderedPairs does."""
        self._records = records
        self._pairs: dict[int, RenderedPairs] = {}

    def __call__(self, seed: int, size: tuple[int, int], *, category: str | None = None) -> Pair:
        """A seed's pair at `size`, with the drawing generator's labels; raises IGRError if `category` has no pair."""
        entries = self._source(0).entries
        rows = [row for row, entry in enumerate(entries) if category in (None, entry.category)]
        if not rows:
            raise IGRError(f"{self._records} contains no {category} garment: render more records.")
        source = self._source(seed // len(rows))
        pair = source.pair(rows[seed % len(rows)])
        scale = size[0] / pair.person.width
        smooth, sharp = Image.Resampling.LANCZOS, Image.Resampling.NEAREST
        return Pair(
            pair.person.resize(size, smooth),
            pair.garment_mask.resize(size, sharp),
            pair.agnostic_mask.resize(size, sharp),
            pair.garment.resize(size, smooth),
            pair.garment_silhouette.resize(size, sharp),
            pair.category,
            pair.attributes,
            Image.fromarray(_LOOKUP[np.asarray(pair.parsing)]).resize(size, sharp),
            {name: (x * scale, y * scale, sure) for name, (x, y, sure) in pair.joints.items()},
        )

    def _source(self, dress_seed: int) -> RenderedPairs:
        if dress_seed not in self._pairs:
            self._pairs[dress_seed] = RenderedPairs(self._records, RenderedConfig(dress_seed))
        return self._pairs[dress_seed]
