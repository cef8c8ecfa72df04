"""Common code for training on photos: load them, change their light, and normalise pixels as transformers does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from igr_core.errors import IGRError
from igr_core.ranges import Count, Share

from ..data.caches.dressed import rendered_count
from ..data.caches.parsed import ParsedPhotos, draw_parsed, dress_parsed
from ..data.contract.seeds import HELD_OUT_START
from ..prepared.fits import check_seeds
from .part_training import PartTraining

PhotoKind = Literal["drawn", "rendered", "mixed"]


@dataclass(frozen=True)
class PhotoTraining(PartTraining):
    """Settings for training on photos, in addition to those of all small models."""

    data: str = "runs/photos"
    """Folder of the photos to train on; missing photos are made first."""
    held_out: str = "runs/photos_heldout"
    """Folder of the photos to measure on; missing photos are made first."""
    init: str | None = None
    """Folder of a finished model of the same shape to start from; None for random weights."""
    photos: Count = 1500
    """Number of photos to train on."""
    kind: PhotoKind = "drawn"
    """Photos to use: drawn, made by dressing the rendered people in `records`, or both."""
    records: str | None = None
    """Folder or URL of rendered records, as written by `python -m training data render`; only records that exist at
    the start are used."""
    held_out_records: str | None = None
    """Folder or URL of held-out records to measure on, as written by `python -m training data held-out`."""
    rendered_share: Share = 0.5
    """Fraction of rendered photos for kind `mixed`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in ("drawn", "rendered", "mixed"):
            raise IGRError(f"kind is {self.kind!r}: choose drawn, rendered or mixed.")
        if self.kind != "drawn" and not (self.records and self.held_out_records):
            raise IGRError(
                f"kind {self.kind} needs records and held_out_records: use folders written by `data render` and "
                "`data held-out`."
            )


def open_photos(config: PhotoTraining, size: tuple[int, int], held_out: bool = False) -> ParsedPhotos:
    """The photos of `size` (width, height) that a run trains or measures on; missing photos are made.

    Raises IGRError for held-out records among the training data, and vice versa.
    """
    count, folder = (config.validation_pairs, config.held_out) if held_out else (config.photos, config.data)
    start, records = (HELD_OUT_START, config.held_out_records) if held_out else (0, config.records)
    rendered = rendered_count(config.kind, count, config.rendered_share)
    drawn = range(start, start + count - rendered)
    draw_parsed(folder, drawn, size)
    if rendered and records is not None:
        dress_parsed(folder, records, rendered, size)
    photos = ParsedPhotos(folder, drawn, rendered)
    if not held_out:
        check_seeds(photos.seeds, f"specify records other than {records}")
    elif min(photos.seeds) < HELD_OUT_START:
        raise IGRError(f"{records} contains training records: measure on records written by `data held-out`.")
    return photos


def describe_photos(config: PhotoTraining, photos: int) -> str:
    """Describe the photos of a run, for the model's summary."""
    rendered = rendered_count(config.kind, photos, config.rendered_share)
    parts = [(photos - rendered, "procedurally drawn"), (rendered, "rendered")]
    return " and ".join(f"{count:,} {how}" for count, how in parts if count) + " photos"


def normalise(photos: Tensor) -> Tensor:
    """Normalise photos (B, 3, h, w) in 0..1 as the processors of SAM 2 and SegFormer do."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    return (photos - mean) / std


def recoloured(photos: Tensor, generator: torch.Generator) -> Tensor:
    """Change the light in photos (B, 3, h, w): gain of each channel, contrast and brightness."""
    gain = 1 + 0.15 * (2 * torch.rand((len(photos), 3, 1, 1), generator=generator) - 1)
    contrast = 0.75 + 0.5 * torch.rand((len(photos), 1, 1, 1), generator=generator)
    shift = 0.2 * torch.rand((len(photos), 1, 1, 1), generator=generator) - 0.1
    return (((photos - 0.5) * contrast + 0.5 + shift) * gain).clamp(0, 1)
