"""Restore garments from corrupted masks and score them; an interrupted run can be resumed."""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from igr_core.files import make_folder
from igr_core.model.bundle import Bundle
from igr_core.model.config import CATEGORIES, to_json
from igr_core.photo.images import save_image
from igr_core.photo.view import make_view
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling

from ..base.provenance import bundle_weights_sha256, command_line, revision
from ..data.caches.draw_config import DrawConfig
from ..data.caches.drawn import fingerprint
from ..data.synthetic import Pair, make_pair
from ..evaluation.images.claims import claim
from ..evaluation.images.folders import ImageList, image_list
from ..evaluation.metrics.paired import OWN, PairedScorer, silhouette_of
from ..evaluation.metrics.protocols import protocol_named
from ..evaluation.metrics.weights import WeightsFolder
from ..evaluation.result import Paired, Result, library_versions, write_results
from .corruptions import KINDS, LEVELS, Corrupted, corrupt, mask_overlap
from .plan import RESULT, Plan
from .results import CLEAN, NO_MASK, Condition, Robustness, read_condition, write_robustness

PROTOCOL = "native"
"""Protocol that compares images at the model's own size, as in `make eval`."""
BATCH = 15
"""Number of photos restored together."""


@dataclass(frozen=True)
class Photos:
    """Held-out photos with their clean masks and true garments."""

    seeds: tuple[int, ...]
    """Seed of each photo."""
    categories: tuple[str, ...]
    """upper, lower or full."""
    persons: Tensor
    """Photos (N, 3, h, w) in 0..1."""
    masks: np.ndarray
    """Visible pixels of the garments, bool (N, h, w)."""
    garments: Tensor
    """True garments at the model's size, (N, 3, H, W) in 0..1."""
    silhouettes: Tensor
    """Silhouettes of the true garments, (N, 1, H, W) in 0..1."""


def drawn_pairs(per_category: int, first: int) -> list[tuple[int, Pair]]:
    """For each category, the first `per_category` drawn pairs with a visible garment, starting at seed `first`."""
    photos = DrawConfig()
    found: dict[str, list[tuple[int, Pair]]] = {category: [] for category in CATEGORIES}
    for seed in itertools.count(first):
        pair = make_pair(seed, photos.photo_size, coarse=photos.coarse)
        if len(found[pair.category]) < per_category and pair.garment_mask.getbbox() is not None:
            found[pair.category].append((seed, pair))
        if all(len(some) == per_category for some in found.values()):
            break
    return [one for some in found.values() for one in some]


def take_photos(plan: Plan, size: tuple[int, int]) -> Photos:
    """Draw the plan's photos, with true garments at `size` (width, height)."""
    pairs = drawn_pairs(-(-plan.photos // 3), plan.start)
    return Photos(
        tuple(seed for seed, _ in pairs),
        tuple(pair.category for _, pair in pairs),
        torch.stack([_unit(pair.person) for _, pair in pairs]),
        np.stack([np.asarray(pair.garment_mask) > 127 for _, pair in pairs]),
        torch.stack([_unit(pair.garment.resize(size, Image.Resampling.LANCZOS)) for _, pair in pairs]),
        torch.stack([_unit(pair.garment_silhouette.resize(size, Image.Resampling.BOX)) for _, pair in pairs]),
    )


def planned_conditions() -> list[tuple[str, float | None]]:
    """Kind and target IoU of every condition, clean masks first."""
    return [(CLEAN, None), *((kind, level) for kind in KINDS for level in LEVELS), (NO_MASK, None)]


def corrupted_mask(mask: np.ndarray, kind: str, aim: float | None, seed: int) -> Corrupted:
    """A photo's mask, bool (h, w), for a condition; raises IGRError for an empty mask."""
    if aim is not None:
        return corrupt(mask, kind, aim, seed)
    used = mask if kind == CLEAN else np.ones_like(mask)
    return Corrupted(used, mask_overlap(used, mask), 0.0, True)


def measure(bundle: Path, out: Path, plan: Plan) -> Robustness:
    """Restore every photo in every condition into `out`; returns the measurement, which is also written there as JSON.

    Conditions that an earlier run with the same settings has finished are read from their files. Raises IGRError if
    `out` contains a measurement with other settings.
    """
    restorer = GarmentRestorer.from_bundle(bundle)
    size = restorer.info.model.native_size
    settings = _settings(bundle, restorer, plan)
    claim(out / "settings.json", settings)
    photos = take_photos(plan, size)
    truth = _saved(out / "truth", photos, photos.garments)
    silhouettes = _saved(out / "silhouettes", photos, photos.silhouettes)
    scorer = PairedScorer(protocol_named(PROTOCOL), ("ssim", *OWN), WeightsFolder(None))
    results = []
    for kind, aim in tqdm(planned_conditions(), unit="condition"):
        name = Condition(kind, aim, (), (), ()).name
        path = out / "conditions" / f"{name}.json"
        done = read_condition(path)
        if done is None:
            condition, masks = _corrupted(photos, kind, aim)
            garments = out / "garments" / name
            scores = _scores(restorer, photos, plan, masks, scorer, garments)
            pictures = image_list([garments / f"{seed}.png" for seed in photos.seeds])
            done = _result(condition, settings, photos, scores, (pictures, truth, silhouettes))
            write_results(path, [done])
        results.append(done)
    found = Robustness(tuple(results))
    write_robustness(out / RESULT, found)
    return found


def _settings(bundle: Path, restorer: GarmentRestorer, plan: Plan) -> dict[str, Any]:
    return {
        "bundle": bundle.stem,
        "weights_sha256": bundle_weights_sha256(Bundle.open(bundle)),
        **dataclasses.asdict(plan),
        "size": list(restorer.info.model.native_size),
        "view": dataclasses.asdict(restorer.info.model.view),
        "photo_size": list(DrawConfig().photo_size),
        "coarse": DrawConfig().coarse,
        "generator": fingerprint(),
        "protocol": PROTOCOL,
        "revision": revision(),
    }


def _saved(folder: Path, photos: Photos, pictures: Tensor) -> ImageList:
    """Write SEED.png for each photo; returns the images."""
    make_folder(folder)
    paths = [folder / f"{seed}.png" for seed in photos.seeds]
    for path, picture in zip(paths, pictures, strict=True):
        save_image(path, picture.expand(3, -1, -1))
    return image_list(paths)


def _corrupted(photos: Photos, kind: str, aim: float | None) -> tuple[Condition, Tensor]:
    """A condition and its masks (N, 1, h, w)."""
    corrupted = [corrupted_mask(mask, kind, aim, seed) for mask, seed in zip(photos.masks, photos.seeds, strict=True)]
    condition = Condition(
        kind,
        aim,
        tuple(round(one.overlap, 4) for one in corrupted),
        tuple(round(one.strength, 4) for one in corrupted),
        tuple(one.reached for one in corrupted),
    )
    return condition, torch.stack([torch.from_numpy(one.mask).float()[None] for one in corrupted])


def _scores(
    restorer: GarmentRestorer, photos: Photos, plan: Plan, masks: Tensor, scorer: PairedScorer, folder: Path
) -> dict[str, list[float]]:
    """Restore every photo from masks (N, 1, h, w), and score it; writes the garments to `folder` as SEED.png."""
    scores: list[dict[str, float]] = []
    folder.mkdir(parents=True, exist_ok=True)
    for rows in (range(first, min(first + BATCH, len(masks))) for first in range(0, len(masks), BATCH)):
        for row, garment in zip(rows, _restored(restorer, photos, masks, rows, plan), strict=True):
            save_image(folder / f"{photos.seeds[row]}.png", garment)
            scores.append(_score(scorer, garment, photos.garments[row], photos.silhouettes[row]))
    return {metric: [round(one[metric], 5) for one in scores] for metric in scores[0]}


def _result(
    condition: Condition,
    settings: dict[str, Any],
    photos: Photos,
    scores: dict[str, list[float]],
    lists: tuple[ImageList, ImageList, ImageList],
) -> Result:
    """A condition's result; `lists` contains the restored garments, the true garments, and the true silhouettes."""
    return Result(
        name=condition.title,
        kind="bundle",
        protocol=dataclasses.asdict(protocol_named(PROTOCOL)),
        generated=lists[0],
        reference=lists[1],
        names=tuple(map(str, photos.seeds)),
        paired={metric: Paired.of(values) for metric, values in scores.items()},
        distribution={},
        skipped={},
        warnings=(),
        weights={},
        libraries=library_versions(),
        revision=settings["revision"],
        silhouettes=lists[2],
        known={
            "mask": json.loads(json.dumps(to_json(condition))),
            "categories": list(photos.categories),
            "settings": settings,
            "command": command_line(),
        },
    )


def _restored(restorer: GarmentRestorer, photos: Photos, masks: Tensor, rows: range, plan: Plan) -> Tensor:
    """Restored garments (B, 3, H, W) in 0..1 of some photos; a photo's noise does not depend on the mask."""
    model = restorer.info.model
    some = slice(rows.start, rows.stop)
    view = make_view(photos.persons[some], masks[some], model.native_size, model.view, model.image_encoder.image_size)
    return restorer.restore(
        view,
        photos.categories[some],
        Sampling(plan.steps, plan.guidance),
        seed=plan.noise_seed + rows.start,
    )


def _score(scorer: PairedScorer, garment: Tensor, truth: Tensor, silhouette: Tensor) -> dict[str, float]:
    """Metrics of a garment (3, H, W) compared with the true one, with the IoU of their silhouettes as `outline`."""
    outline = mask_overlap(silhouette_of(garment[None])[0, 0].numpy() > 0.5, silhouette[0].numpy() > 0.5)
    return scorer.score(garment, truth, silhouette) | {"outline": outline}


def _unit(picture: Image.Image) -> Tensor:
    """An image as (C, H, W) in 0..1."""
    array = torch.from_numpy(np.array(picture)).float() / 255
    return array[None] if array.ndim == 2 else array.permute(2, 0, 1)
