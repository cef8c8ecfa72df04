"""Rendered records dressed into the shards of drawn pairs, as often as there are pairs asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from igr_core.photo.view import Placement

from ..contract.laid_out import name_number
from ..rendered.records.record import record_name
from .drawn import CORRESPONDENCE, DrawConfig, Drawn, Origin, fill_shards, lay_out
from .snapshot import Snapshot, take_snapshot

NAME = "pairs-rendered-"
"""What names of shards of dressed pairs begin with."""

LARGEST_SPREAD = 1.5
"""Product pixels apart by which places that are averaged may differ from a photo that is flat; beyond it is an edge."""


@dataclass(frozen=True)
class DressJob:
    """One pair to dress."""

    snapshot: Snapshot
    """The records."""
    pair: int
    """Number of the pair: one dressing of all photos after the other."""
    config: DrawConfig
    """How it is laid out."""


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
    `keep_defects`. Records that were rendered after the folder was begun are left out. Returns how many pairs were
    dressed now. Raises IGRError for shards that were made with other settings or of other records.
    """
    snapshot = take_snapshot(folder, f"{NAME}*.safetensors", records, keep_defects)
    parts = []
    for first in range(0, count, shard_size):
        jobs = [DressJob(snapshot, pair, config) for pair in range(first, min(first + shard_size, count))]
        parts.append((folder / f"{NAME}{first:09d}.safetensors", jobs))
    return fill_shards(folder, parts, dress, config, Origin(*snapshot.origin()), workers)


def dress(job: DressJob) -> Drawn:
    """Dress one pair as the model sees it, with the correspondence between its garment and its person."""
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


def resized(picture: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """The image at `size` = (width, height); itself where it is that large."""
    return picture if picture.size == size else picture.resize(size, resample)


def rendered_count(kind: str, count: int, share: float) -> int:
    """How many of `count` photos or pairs of a kind are rendered."""
    return {"drawn": 0, "rendered": count}.get(kind, round(count * share))
