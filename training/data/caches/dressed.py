"""Rendered records dressed into the shards of drawn pairs, as often as there are pairs asked for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from igr_core.errors import IGRError

from ..contract.correspondence import to_cells
from ..contract.laid_out import name_number
from ..contract.seeds import HELD_OUT_START
from ..rendered.generating.fingerprints import dress_fingerprint
from ..rendered.records.record import record_name
from ..rendered.records.shards import RecordShards
from ..rendered.source import RenderedConfig, RenderedPairs
from .draw_config import DrawConfig
from .drawn import CORRESPONDENCE, Drawn, Origin, fill_shards, lay_out


@dataclass(frozen=True)
class DressJob:
    """One pair to dress."""

    records: str
    """Where the records are."""
    pair: int
    """Number of the pair: one dressing of all photos after the other."""
    config: DrawConfig
    """How it is laid out."""
    keep_defects: bool = False
    """Whether photos with a defect on purpose count."""


def dress_shards(
    folder: Path,
    records: str,
    count: int,
    config: DrawConfig,
    workers: int,
    shard_size: int = 250,
    keep_defects: bool = False,
) -> int:
    """Dress the first `count` pairs of a folder or URL of records into shards; whole shards that exist are kept.

    Every photo is dressed once, then again, until there are enough; those with a defect on purpose only
    with `keep_defects`. Returns how many pairs were dressed now. Raises IGRError for shards that were made with other
    settings or of other records.
    """
    photos = len(_pairs(records, 0, keep_defects))
    parts = []
    for first in range(0, count, shard_size):
        jobs = [DressJob(records, pair, config, keep_defects) for pair in range(first, min(first + shard_size, count))]
        parts.append((folder / f"pairs-rendered-{first:09d}.safetensors", jobs))
    stamp = RecordShards(records).stamp
    metadata = {**asdict(stamp), "photos": photos, "dressing": dress_fingerprint()}
    origin = Origin(stamp.generator, json.dumps(metadata, sort_keys=True))
    return fill_shards(folder, parts, dress, config, origin, workers)


def dress(job: DressJob) -> Drawn:
    """Dress one pair as the model sees it, with the correspondence between its garment and its person."""
    photos = len(_pairs(job.records, 0, job.keep_defects))
    pairs = _pairs(job.records, job.pair // photos, job.keep_defects)
    index = job.pair % photos
    name, place = pairs.entries[index].name, pairs.places[index]
    pair = pairs.pair(index)
    photo_size = pair.person.size
    sized = replace(
        pair,
        person=_resized(pair.person, job.config.photo_size, Image.Resampling.LANCZOS),
        garment_mask=_resized(pair.garment_mask, job.config.photo_size, Image.Resampling.BOX),
        agnostic_mask=_resized(pair.agnostic_mask, job.config.photo_size, Image.Resampling.BOX),
    )
    drawn, view = lay_out(sized, place.seed, name_number(name), job.config)
    width, height = job.config.size
    places = pair.correspondence * np.divide(job.config.photo_size, photo_size, dtype=np.float32)
    told = to_cells(places, pair.garment.size, view.placements[0], (height, width)) * 2 - 1
    pictures: dict[str, Any] = {**drawn.pictures, CORRESPONDENCE: told.astype(np.float16)}
    garment = f"{record_name(place.seed)}/dress-{place.dress_seed}"
    return Drawn(place.seed, pictures, {**drawn.label, "name": name, "garment": garment})


@lru_cache(maxsize=4)
def _pairs(records: str, dress_seed: int, keep_defects: bool) -> RenderedPairs:
    pairs = RenderedPairs(records, RenderedConfig(dress_seed, keep_defects=keep_defects))
    held_out = [place.seed >= HELD_OUT_START for place in pairs.places]
    if any(held_out) and not all(held_out):
        raise IGRError(f"{records} holds held-out records beside others: keep them in two folders.")
    return pairs


def _resized(picture: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, resample)
