"""A cache of drawn pairs: uint8 shards on disk that can be extended and resumed, and are memory-mapped when read."""

from __future__ import annotations

import dataclasses
import functools
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import make_folder, write_tensors
from igr_core.model.config import from_json
from igr_core.photo.view import GarmentView, make_view

from ..contract.correspondence import to_cells
from ..contract.laid_out import PICTURES
from ..contract.seeds import HELD_OUT_START
from ..files.code_hash import hash_of
from ..files.unchanged import Unchanged
from ..synthetic import Pair, corrupt_mask, make_pair
from ..synthetic.compose import check_options
from .draw_config import DrawConfig

FIELDS = ("person", "mask", "garment", "silhouette", "crop")
"""Images of a pair, each uint8 (C, h, w)."""

CORRESPONDENCE = "correspondence"
"""An additional tensor of rendered pairs and, if requested, of drawn pairs: float16 (2, h, w), as returned by
DrawnPairs.correspondence."""

Job = TypeVar("Job")

NOT_DRAWING = ("__init__.py", "sheet.py")
"""Files in the generator's folder that do not affect the pairs."""


@dataclass(frozen=True)
class Drawn:
    """One drawn pair as arrays."""

    seed: int
    """Seed that the pair was drawn from."""
    pictures: dict[str, np.ndarray]
    """uint8 (C, h, w) for each name in FIELDS."""
    label: dict[str, Any]
    """Category, attributes, strength of the mask's corruption, and the fraction of the photo that shows the garment."""


@dataclass(frozen=True)
class Origin:
    """What the pairs in a shard were made from."""

    generator: str
    """Fingerprint of the generator's code."""
    records: str = ""
    """JSON that describes the records of rendered pairs; empty for drawn pairs."""


def draw(seed: int, config: DrawConfig) -> Drawn:
    """Draw a seed's pair as the model sees it: view, mask, crop, and the flat garment."""
    pair = make_pair(seed, config.photo_size, coarse=config.coarse, correspondence=config.correspondence)
    drawn, view = lay_out(pair, seed, seed, config)
    if pair.correspondence is None:
        return drawn
    width, height = config.size
    cells = to_cells(pair.correspondence, pair.garment.size, view.placements[0], (height, width)) * 2 - 1
    return dataclasses.replace(drawn, pictures={**drawn.pictures, CORRESPONDENCE: cells.astype(np.float16)})


def lay_out(pair: Pair, seed: int, number: int, config: DrawConfig) -> tuple[Drawn, GarmentView]:
    """A pair as the model sees it, and its view; `number` seeds the corruption of the mask."""
    rng = np.random.default_rng([number, 1906])
    corrupted = rng.random() < config.corrupt_share
    strength = float(rng.uniform(0, config.corrupt_strength)) if corrupted else 0.0
    masks = (corrupt_mask(pair.garment_mask, number, strength), pair.garment_mask, pair.agnostic_mask)
    view = _first_valid_view(_to_unit(pair.person), masks, config)
    pictures = {
        "person": _to_bytes(view.person),
        "mask": _to_bytes(view.mask),
        "garment": _to_array(pair.garment.resize(config.size, Image.Resampling.LANCZOS)),
        "silhouette": _to_array(pair.garment_silhouette.resize(config.size, Image.Resampling.BOX)),
        "crop": _to_bytes(view.crop),
    }
    label = {
        "category": pair.category,
        "attributes": pair.attributes,
        "mask_strength": round(strength, 4),
        "visible": round(float((np.asarray(pair.garment_mask) > 127).mean()), 5),
    }
    return Drawn(seed, pictures, label), view


def draw_shards(folder: Path, count: int, start: int, config: DrawConfig, workers: int, shard_size: int = 250) -> int:
    """Draw the pairs for seeds start to start + count - 1 into shards; complete shards are kept.

    Returns the number of pairs drawn. Every shard is written atomically, so an interrupted run can be resumed.
    Raises IGRError for a folder drawn with different settings or by another version of the generator, or for
    unsupported settings.
    """
    check_options(config.photo_size)
    parts = []
    for first in range(start, start + count, shard_size):
        seeds = range(first, min(first + shard_size, start + count))
        parts.append((folder / f"pairs-{first:09d}.safetensors", [(seed, config) for seed in seeds]))
    return fill_shards(folder, parts, _draw_job, config, Origin(fingerprint()), workers)


def fill_shards(
    folder: Path,
    parts: Sequence[tuple[Path, Sequence[Job]]],
    make: Callable[[Job], Drawn],
    config: DrawConfig,
    origin: Origin,
    workers: int,
) -> int:
    """Make the pairs for each shard's jobs and write them; complete shards are kept. Returns the number of pairs made.

    Raises IGRError for existing shards that were made with other settings or from another origin, or that overlap with
    these shards because they have a different number of pairs.
    """
    make_folder(folder)
    _check_apart(folder, parts)
    todo = [
        (path, jobs)
        for path, jobs in parts
        if not path.exists() or len(_open_shard(path, config, origin)[0]["seed"]) < len(jobs)
    ]
    total = sum(len(jobs) for _, jobs in todo)
    with _drawings((job for _, jobs in todo for job in jobs), make, workers) as drawings:
        progress = iter(tqdm(drawings, total=total, unit="pair", desc=f"drawing into {folder}"))
        for path, jobs in todo:
            _write_shard(path, list(islice(progress, len(jobs))), config, origin)
    return total


def _check_apart(folder: Path, parts: Sequence[tuple[Path, Sequence[Job]]]) -> None:
    """Raise IGRError if another shard in the folder contains some of these pairs; shards are named by their first
    number."""
    kind = parts[0][0].stem.rpartition("-")[0] if parts else ""
    spans = [(int(path.stem.rpartition("-")[2]), len(jobs)) for path, jobs in parts]
    for other in sorted(set(folder.glob(f"{kind}-*.safetensors")) - {path for path, _ in parts}):
        own, _, number = other.stem.rpartition("-")
        if own != kind:
            continue
        first, count = int(number), len(_open_shard(other)[0]["seed"])
        if any(first < start + length and start < first + count for start, length in spans):
            raise IGRError(
                f"{other} already contains some of these pairs: use the same --shard-size as when the folder was "
                "started, "
                "or another --out."
            )


class DrawnPairs:
    """Reads a folder of shards; images stay on disk (memory-mapped) until they are requested."""

    def __init__(self, folder: Path | str, limit: int | None = None) -> None:
        """Open every shard in `folder`, ordered by seed; with `limit`, only the first pairs are used."""
        shards = sorted(Path(folder).glob("pairs-*.safetensors"))
        if not shards:
            raise IGRError(
                f"{folder} contains no drawn pairs: run `python -m training data draw --out {folder}` first."
            )
        self._unchanged = [Unchanged(path) for path in shards]
        opened = [_open_shard(path) for path in shards]
        configs = {json.dumps(config, sort_keys=True) for _, _, config, _ in opened}
        if len(configs) > 1:
            raise IGRError(
                f"{folder} contains shards that were drawn with different settings: draw into an empty folder."
            )
        self.config: DrawConfig = from_json(DrawConfig, opened[0][2], f"{shards[0]} (config)")
        """Settings with which the pairs were drawn."""
        self._tensors = [tensors for tensors, _, _, _ in opened]
        self._places = [(s, row) for s, tensors in enumerate(self._tensors) for row in range(len(tensors["seed"]))]
        self._places = self._places[:limit]
        labels = [label for _, labels, _, _ in opened for label in labels][:limit]
        self.categories: list[str] = [label["category"] for label in labels]
        """Category of each pair."""
        self.attributes: list[dict[str, Any]] = [label["attributes"] for label in labels]
        """Attributes of each pair, from the generator."""
        self.visible: list[float] = [label["visible"] for label in labels]
        """Fraction of the photo that shows the garment; a pair near 0 is useless for training."""
        self.seeds: list[int] = [int(self._tensors[s]["seed"][row]) for s, row in self._places]
        """Seed of each pair, or of the record that it was made from."""
        self.garments: list[str | None] = [label.get("garment") for label in labels]
        """Name of each pair's garment in its fabric; None if no other pair shows this garment."""
        self.names = [label.get("name", f"seed-{seed:09d}") for seed, label in zip(self.seeds, labels, strict=True)]
        """Name of each pair."""
        self.described: dict[str, Any] = {"drawn": json.loads(json.dumps(dataclasses.asdict(self.config)))}
        """Origin of the pairs, as recorded in prepared shards."""
        records = sorted({origin.records for _, _, _, origin in opened if origin.records})
        if records:
            held_out = max(self.seeds) >= HELD_OUT_START
            self.described |= {
                "rendered": [json.loads(one) for one in records],
                "data": {"split": "test" if held_out else "train"},
            }

    def __len__(self) -> int:
        return len(self._places)

    def take(self, field: str, indices: Iterable[int]) -> Tensor:
        """Images of one field (a name in FIELDS), uint8 (B, C, h, w); raises IGRError if a shard has changed."""
        places = [self._places[index] for index in indices]
        for shard in {shard for shard, _ in places}:
            self._unchanged[shard].check()
        return torch.stack([self._tensors[shard][field][row] for shard, row in places])

    def correspondence(self, index: int) -> Tensor | None:
        """(2, h, w) float16: position of each garment pixel in `person`, x and y in -1..1 as in grid_sample.

        NaN where the pixel is hidden in the photo; None if no correspondence was stored. Raises IGRError if the shard
        has changed.
        """
        shard, row = self._places[index]
        self._unchanged[shard].check()
        found = self._tensors[shard].get(CORRESPONDENCE)
        return None if found is None else found[row]

    def pictures(self, indices: Iterable[int]) -> dict[str, Tensor]:
        """The PICTURES of some pairs, each uint8 (B, C, h, w), and their correspondence if any pair has a
        correspondence."""
        chosen = list(indices)
        pictures = {name: self.take(name, chosen) for name in PICTURES}
        maps = [self.correspondence(index) for index in chosen]
        if any(one is not None for one in maps):
            width, height = self.config.size
            hidden = torch.full((2, height, width), torch.nan, dtype=torch.float16)
            pictures[CORRESPONDENCE] = torch.stack([hidden if one is None else one for one in maps])
        return pictures


@functools.cache
def fingerprint() -> str:
    """Short hash of the generator's code, to check whether two shards were drawn by the same code.

    Formatting, comments, docstrings and the code of contact sheets are ignored.
    """
    folder = Path(__file__).parents[1] / "synthetic"
    return hash_of(folder, (path for path in folder.rglob("*.py") if path.name not in NOT_DRAWING))


class _drawings:
    """Context manager that yields an iterator over the results of jobs, in order, computed by worker processes or by
    this process."""

    def __init__(self, jobs: Iterable[Job], make: Callable[[Job], Drawn], workers: int) -> None:
        self._jobs, self._make = jobs, make
        self._pool = None
        if workers > 1:  # multiprocessing.Pool would keep a core busy watching its workers
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread)

    def __enter__(self) -> Iterator[Drawn]:
        if self._pool is None:
            return map(self._make, self._jobs)
        return self._pool.map(self._make, self._jobs, chunksize=4)

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _draw_job(job: tuple[int, DrawConfig]) -> Drawn:
    return draw(*job)


def _write_shard(path: Path, drawings: list[Drawn], config: DrawConfig, origin: Origin) -> None:
    fields = drawings[0].pictures
    tensors = {name: torch.from_numpy(np.stack([one.pictures[name] for one in drawings])) for name in fields}
    tensors["seed"] = torch.tensor([one.seed for one in drawings])
    metadata = {
        "labels": json.dumps([one.label for one in drawings]),
        "config": json.dumps(dataclasses.asdict(config)),
        **{name: value for name, value in dataclasses.asdict(origin).items() if value},
    }
    write_tensors(path, tensors, metadata)


def _open_shard(
    path: Path, expected: DrawConfig | None = None, wanted: Origin | None = None
) -> tuple[dict[str, Tensor], list[dict], dict, Origin]:
    """Memory-mapped tensors, labels, settings and origin of a shard; raises IGRError if it is damaged or does not match
    what is expected."""
    try:
        with safe_open(path, framework="pt") as file:
            more = {CORRESPONDENCE} & set(file.keys())
            tensors = {name: file.get_tensor(name) for name in (*FIELDS, "seed", *more)}
            metadata = file.metadata()
        config, labels = json.loads(metadata["config"]), json.loads(metadata["labels"])
        origin = Origin(metadata.get("generator", ""), metadata.get("records", ""))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise IGRError(f"{path} is not a shard of drawn pairs ({error}): delete it and draw again.") from error
    if expected is not None and config != json.loads(json.dumps(dataclasses.asdict(expected))):
        raise IGRError(f"{path} was drawn with different settings: delete it, or draw into another folder.")
    if wanted is not None and origin.generator != wanted.generator:
        raise IGRError(f"{path} was drawn by another version of the generator: draw into another folder.")
    if wanted is not None and origin.records != wanted.records:
        raise IGRError(f"{path} was made from other records or by other code: draw into another folder.")
    return tensors, labels, config, origin


def _first_valid_view(person: Tensor, masks: Iterable[Image.Image], config: DrawConfig) -> GarmentView:
    """The view for the first mask that is not empty (corruption may erase a tiny mask)."""
    problem = IGRError("no mask was given")
    for mask in masks:
        try:
            return make_view(person, _to_unit(mask), config.size, config.view, config.crop_size)
        except IGRError as error:
            problem = error
    raise problem


def _to_unit(image: Image.Image) -> Tensor:
    return torch.from_numpy(_to_array(image)).float()[None] / 255  # (1, C, h, w)


def _to_array(image: Image.Image) -> np.ndarray:
    array = np.array(image)
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))  # (C, h, w)


def _to_bytes(image: Tensor) -> np.ndarray:
    return (image[0] * 255).round().clamp(0, 255).byte().numpy()
