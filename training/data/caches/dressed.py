"""Dress rendered records, each once or several times, into shards in the format of drawn pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..contract.correspondence import to_cells
from ..contract.laid_out import name_number
from ..rendered.records.record import record_name
from .draw_config import DrawConfig
from .drawn import CORRESPONDENCE, Drawn, Origin, fill_shards, lay_out
from .snapshot import Snapshot, take_snapshot

NAME = "pairs-rendered-"
"""File name prefix of shards of dressed pairs."""


@dataclass(frozen=True)
class DressJob:
    """One pair to dress."""

    snapshot: Snapshot
    """The records."""
    pair: int
    """Number of the pair; all photos are dressed once before any is dressed again."""
    config: DrawConfig
    """Layout of the pair."""


def dress_shards(
    folder: Path,
    records: str,
    count: int,
    config: DrawConfig,
    workers: int,
    shard_size: int = 250,
    keep_defects: bool = False,
) -> int:
    """Dress the first `count` pairs of a folder or URL of records into shards; complete shards are kept.

    Every photo is dressed once, then once more, and so on, until there are enough pairs. Photos with a deliberate
    defect are only used with `keep_defects`. Records rendered after the folder was started are ignored. Returns the
    number of pairs that were dressed. Raises IGRError for shards that were made with other settings or from other
    records.
    """
    snapshot = take_snapshot(folder, f"{NAME}*.safetensors", records, keep_defects)
    parts = []
    for first in range(0, count, shard_size):
        jobs = [DressJob(snapshot, pair, config) for pair in range(first, min(first + shard_size, count))]
        parts.append((folder / f"{NAME}{first:09d}.safetensors", jobs))
    return fill_shards(folder, parts, dress, config, Origin(*snapshot.origin()), workers)


def dress(job: DressJob) -> Drawn:
    """Dress one pair as the model sees it, with the correspondence between garment and person."""
    pairs, index = job.snapshot.pair(job.pair)
    name, place = pairs.entries[index].name, pairs.places[index]
    pair = pairs.pair(index)
    photo_size = pair.person.size
    sized = replace(
        pair,
        person=resized(pair.person, job.config.photo_size, Image.Resampling.LANCZOS),
        garment_mask=resized(pair.garment_mask, job.config.photo_size, Image.Resampling.BOX),
        agnostic_mask=resized(pair.agnostic_mask, job.config.photo_size, Image.Resampling.BOX),
    )
    drawn, view = lay_out(sized, place.seed, name_number(name), job.config)
    width, height = job.config.size
    places = pair.correspondence * np.divide(job.config.photo_size, photo_size, dtype=np.float32)
    cells = to_cells(places, pair.garment.size, view.placements[0], (height, width)) * 2 - 1
    pictures: dict[str, Any] = {**drawn.pictures, CORRESPONDENCE: cells.astype(np.float16)}
    garment = f"{record_name(place.seed)}/dress-{place.dress_seed}"
    return Drawn(place.seed, pictures, {**drawn.label, "name": name, "garment": garment})


def resized(picture: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """The image resized to `size` (width, height); returned unchanged if it already has that size."""
    return picture if picture.size == size else picture.resize(size, resample)


def rendered_count(kind: str, count: int, share: float) -> int:
    """Number of rendered photos or pairs out of `count`, for a `kind` of drawn, rendered or mixed."""
    return {"drawn": 0, "rendered": count}.get(kind, round(count * share))
