"""Rendered records dressed into the shards of drawn pairs, as often as there are pairs asked for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.photo.view import Placement

from ..contract.laid_out import name_number
from ..contract.pairs import HELD_OUT_START
from ..rendered.generating.fingerprints import dress_fingerprint
from ..rendered.records.record import record_name
from ..rendered.records.shards import RecordShards
from ..rendered.source import RenderedConfig, RenderedPairs
from .drawn import CORRESPONDENCE, DrawConfig, Drawn, Origin, fill_shards, lay_out

LARGEST_SPREAD = 1.5
"""Product pixels apart by which places that are averaged may differ from a photo that is flat; beyond it is an edge."""


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

    Every photo is dressed once, then every photo anew, until there are enough; those with a defect on purpose only with
    `keep_defects`. Returns how many pairs were dressed
    now. Raises IGRError for shards that were made with other settings or of other records.
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
    flow = laid_out_correspondence(pair.correspondence, photo_size, view.placements[0], job.config.size)
    pictures: dict[str, Any] = {**drawn.pictures, CORRESPONDENCE: flow.half().numpy()}
    garment = f"{record_name(place.seed)}/dress-{place.dress_seed}"
    return Drawn(place.seed, pictures, {**drawn.label, "name": name, "garment": garment})


def laid_out_correspondence(
    found: np.ndarray, photo_size: tuple[int, int], placement: Placement, size: tuple[int, int]
) -> Tensor:
    """A correspondence (H, W, 2) in pixels of a photo of `photo_size`, as a model's pictures of `size` have it.

    (2, h, w) float32 by pixel of the laid-out garment: where it lies in the laid-out person, -1..1 across and down
    as grid_sample reads it (align_corners=False); NaN where it is hidden, outside of the view, or at an edge in depth.
    """
    width, height = size
    flow = torch.from_numpy(found).permute(2, 0, 1)[None]  # (1, 2, H, W)
    valid = flow.isfinite().all(1, keepdim=True).float()
    flow = flow.nan_to_num(0.0)
    step = max(found.shape[1] / width, 1.0)
    weight = F.interpolate(valid, (height, width), mode="area")
    mean = F.interpolate(flow, (height, width), mode="area") / weight.clamp(min=1e-6)
    square = F.interpolate(flow**2, (height, width), mode="area") / weight.clamp(min=1e-6)
    spread = (square - mean**2).clamp(min=0).sum(1, keepdim=True).sqrt()
    kept = (weight >= 0.5) & (spread <= LARGEST_SPREAD * step)
    scale = torch.tensor(placement.source_size) / torch.tensor(photo_size)
    points = placement.to_canvas(mean[0].permute(1, 2, 0) * scale)  # (h, w, 2)
    normalised = points / torch.tensor(placement.canvas_size) * 2 - 1
    kept = kept[0, 0] & (normalised.abs() <= 1).all(-1)
    return torch.where(kept[..., None], normalised, torch.nan).permute(2, 0, 1).float()


@lru_cache(maxsize=4)
def _pairs(records: str, dress_seed: int, keep_defects: bool) -> RenderedPairs:
    pairs = RenderedPairs(records, RenderedConfig(dress_seed, keep_defects=keep_defects))
    held_out = [place.seed >= HELD_OUT_START for place in pairs.places]
    if any(held_out) and not all(held_out):
        raise IGRError(f"{records} holds held-out records beside others: keep them in two folders.")
    return pairs


def _resized(picture: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, resample)
