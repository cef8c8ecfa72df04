"""Held-out photos with their garments, and helpers that compute and summarise the IoU of masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from igr_core.errors import IGRError

from ..base.statistics import mean_interval
from ..data.caches.draw_config import DrawConfig
from ..data.caches.dressed import resized
from ..data.caches.parsed import parsed_photo, wears_skirt
from ..data.contract.seeds import HELD_OUT_START
from ..data.rendered.source import RenderedPairs
from ..data.synthetic import make_pair

AS_DRAWN = DrawConfig()
GOOD = 0.85
"""Minimum IoU of a good mask."""


@dataclass(frozen=True)
class HeldOutPhoto:
    """A photo and its garment."""

    seed: int
    """Seed that the photo was made from."""
    photo: Image.Image
    """The photo, RGB."""
    mask: np.ndarray
    """Visible pixels of the garment, bool (H, W)."""
    category: str
    """upper, lower or full."""
    parsing: np.ndarray
    """Label of each pixel, an index into synthetic.painting.canvas.LABELS, uint8 (H, W)."""
    skirt: bool
    """Whether the person's `lower` garment is a skirt."""

    def pixels(self) -> Tensor:
        """The photo as (1, 3, H, W) in 0..1."""
        return torch.from_numpy(np.array(self.photo)).permute(2, 0, 1)[None] / 255


def held_out_photos(
    count: int,
    size: tuple[int, int] = AS_DRAWN.photo_size,
    start: int = HELD_OUT_START,
    records: str | None = None,
) -> Iterator[HeldOutPhoto]:
    """Draw `count` photos of `size` (width, height) from held-out seeds, as `data draw` does.

    With `records`, a folder or URL, the first `count` photos of its held-out records are dressed instead; raises
    IGRError if there are fewer.
    """
    if records is not None:
        yield from _rendered(count, size, records)
        return
    for seed in range(start, start + count):
        pair = make_pair(seed, size, coarse=AS_DRAWN.coarse)
        mask, parsing = np.asarray(pair.garment_mask) > 127, np.array(pair.parsing)
        yield HeldOutPhoto(seed, pair.person, mask, pair.category, parsing, wears_skirt(seed, AS_DRAWN.coarse))


def _rendered(count: int, size: tuple[int, int], records: str) -> Iterator[HeldOutPhoto]:
    pairs = RenderedPairs(records, split="test")
    if len(pairs) < count:
        raise IGRError(
            f"{records} has only {len(pairs)} held-out photos, but {count} were requested: choose a smaller --count."
        )
    for index in range(count):
        pair, parsed = pairs.pair(index), parsed_photo(pairs, index, size)
        mask = np.asarray(resized(pair.garment_mask, size, Image.Resampling.NEAREST)) > 127
        yield HeldOutPhoto(parsed.seed, parsed.person, mask, pair.category, np.array(parsed.parsing), parsed.skirt)


def overlap(mask: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boolean masks; 1 if both are empty."""
    union = np.logical_or(mask, other).sum()
    return float(np.logical_and(mask, other).sum() / union) if union else 1.0


def format_overlaps(name: str, values: Sequence[float]) -> str:
    """One line that summarises the IoUs of one type of mask."""
    interval = mean_interval(values)
    good = sum(value >= GOOD for value in values) / len(values)
    return (
        f"{name:18} mean IoU {interval.mean:.4f} (95%: {interval.low:.4f} to {interval.high:.4f}), "
        f"at least {GOOD} in {good:.0%}, lowest {min(values):.3f}"
    )
