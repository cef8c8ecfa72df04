"""Agreement between photos and product shots at corresponding pixels.

`python -m training data agreement RECORDS` measures it on existing records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from igr_core.errors import IGRError
from igr_core.text import counted

from ..contract.seeds import HELD_OUT_START
from .base.views import View
from .dressing.image.composing import compose
from .dressing.materials import Dress
from .dressing.pixels.colours import to_srgb
from .pairs import dress_of
from .records.record import Record
from .records.shards import RecordShards

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles of the differences in the report."""
WITHIN = 2
"""Width in pixels of the rim of the visible area; differences within this rim are reported separately."""


@dataclass(frozen=True)
class Difference:
    """Differences between a photo and its product shot, in sRGB levels (0..255)."""

    name: str
    """Seed, photo number and dress seed."""
    levels: np.ndarray
    """(N,) float32: mean absolute difference of the channels, for each product-shot pixel visible in the photo."""
    inner: np.ndarray
    """(N,) bool: whether all neighbouring pixels of the product shot are visible too."""


def difference(record: Record, photo: int, dress_seed: int = 0) -> Difference:
    """Warp a dressed photo onto its product shot using the correspondence, and compare the two without lighting.

    Both are composed without camera effects, under uniform light of 1 and without gloss, and converted to sRGB levels.
    The photo is sampled bilinearly. Only pixels that the correspondence marks as visible count.
    """
    dress = dress_of(record, photo, dress_seed, held_out=record.seed >= HELD_OUT_START)
    taken = record.photos[photo]
    worn, flat = (_unlit(view, record, dress) for view in (taken.view, record.product))
    x, y = taken.correspondence[..., 0] - 0.5, taken.correspondence[..., 1] - 0.5
    shown = np.isfinite(x)
    places = [y[shown], x[shown]]
    warped = [ndimage.map_coordinates(worn[..., channel], places, order=1, mode="nearest") for channel in range(3)]
    levels = np.abs(np.stack(warped, axis=1) - flat[shown]).mean(axis=1)
    inner = ndimage.binary_erosion(shown, np.ones((2 * WITHIN + 1,) * 2))[shown]
    return Difference(f"seed {record.seed} photo {photo} dress {dress_seed}", levels.astype(np.float32), inner)


def _unlit(view: View, record: Record, dress: Dress) -> np.ndarray:
    """The dressed view under uniform light of 1 and without gloss, as sRGB values in 0..255, (h, w, 3)."""
    bare = replace(view, light=np.ones_like(view.light), gloss=np.zeros_like(view.gloss))
    return to_srgb(compose(bare, record.panels, dress))


def agreement(records: str, pairs: int, worst: int) -> Iterator[str]:
    """Yield the lines of a report on `pairs` rendered pairs, ending with the `worst` pairs that differ most."""
    found = _differences(RecordShards(records), pairs)
    levels = np.concatenate([one.levels for one in found])
    yield f"{counted(len(found), 'pair')}, {counted(len(levels), 'pixel')}; quantiles {QUANTILES}"
    yield _row("pixels", levels)
    yield _row("pixels inside", np.concatenate([one.levels[one.inner] for one in found]))
    yield _row("pixels at edges", np.concatenate([one.levels[~one.inner] for one in found]))
    yield _row("pairs' medians", np.array([np.median(one.levels) for one in found]))
    yield _row("pairs' means", np.array([one.levels.mean() for one in found]))
    for one in sorted(found, key=lambda one: -float(np.median(one.levels)))[:worst]:
        yield f"{one.name}: median {np.median(one.levels):.1f}, mean {one.levels.mean():.1f}"


def _differences(shards: RecordShards, count: int) -> list[Difference]:
    """Differences of `count` pairs; photos are dressed several times if necessary."""
    found: list[Difference] = []
    dress_seed = 0
    while True:
        for seed in shards.seeds:
            record = shards.read(seed)
            for photo in range(len(record.photos)):
                one = difference(record, photo, dress_seed)
                if len(one.levels):
                    found.append(one)
                if len(found) == count:
                    return found
        if not found:
            raise IGRError("No photo shows any part of its garment: render the records again.")
        dress_seed += 1


def _row(name: str, values: np.ndarray) -> str:
    quantiles = np.quantile(values, QUANTILES) if len(values) else [float("nan")] * len(QUANTILES)
    return f"{name:<18}" + "".join(f"{value:>8.2f}" for value in quantiles)
