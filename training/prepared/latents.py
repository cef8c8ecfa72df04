"""Prepared pairs: inputs of both extractors and the denoiser, computed once with the frozen networks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES
from igr_core.restore.sampling import categories_of_photos

D = TypeVar("D")

FIELDS = ("garment_latent", "person_latent", "mask", "image_features", "category", "seed")
"""Tensors of a shard: (N, 4, h, w) twice, (N, 1, h, w) at latent size, (N, ...), (N,), (N,)."""

OPTIONAL_FIELDS = ("correspondence",)
"""Optional tensors of a shard: (N, 2, h, w)."""


@dataclass(frozen=True)
class Batch:
    """P prepared pairs in float32, with F photos: one each, unless `photos` is given."""

    garment_latent: Tensor
    """(P, 4, h, w): target of the denoiser."""
    person_latent: Tensor
    """(F, 4, h, w): GarmNet's input."""
    mask: Tensor
    """(F, 1, h, w) in 0..1: GarmNet's fifth channel."""
    image_features: Tensor
    """(P, ...): image-encoder output for the crop of each pair's own photo."""
    categories: list[str]
    """P categories."""
    correspondence: Tensor | None = None
    """(P, R, 2, h, w): position of each garment cell in the pair's r-th photo, x and y in 0..1 of the view; NaN
    where it is not visible, and where a pair has fewer than R photos. None if unknown."""
    photos: tuple[tuple[int, ...], ...] | None = None
    """Indices of each pair's photos, its own first; None if photo i is pair i's only photo."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same pairs on a device; asynchronous if they are in pinned memory."""
        return moved(self, device, non_blocking)

    def pinned(self) -> Batch:
        """The same pairs in pinned memory."""
        return type(self)(**{name: x.pin_memory() if isinstance(x, Tensor) else x for name, x in vars(self).items()})

    @property
    def photo_categories(self) -> list[str]:
        """The category of each photo's garment."""
        return self.categories if self.photos is None else categories_of_photos(self.categories, self.photos)

    def seen_in(self, photos: Sequence[tuple[int, ...]]) -> Batch:
        """The first len(photos) pairs, each with the photos that `photos` lists among all pairs of this batch."""
        count, most = len(photos), max(map(len, photos))
        told = None
        if self.correspondence is not None:
            told = self.correspondence.new_full((count, most, *self.correspondence.shape[2:]), torch.nan)
            for pair, numbers in enumerate(photos):
                told[pair, : len(numbers)] = self.correspondence[list(numbers), 0]
        return Batch(
            self.garment_latent[:count],
            self.person_latent,
            self.mask,
            self.image_features[:count],
            self.categories[:count],
            told,
            None if most == 1 else tuple(photos),
        )


class PreparedPairs:
    """Folders of prepared shards with one index; tensors are memory-mapped until used."""

    settings: list[dict[str, Any]]
    """Settings of each shard: VAE, image encoder, layout."""
    shapes: list[dict[str, tuple[int, ...]]]
    """Shapes of a pair's tensors by field, for each shard."""

    def __init__(self, folders: Sequence[Path | str], limit: int | None = None) -> None:
        """Open all shards; raises IGRError for a folder without shards, an unreadable shard and duplicate pairs."""
        self._shards: list[dict[str, Tensor]] = []
        self._garments: list[list[str | None]] = []
        self.settings = []
        for folder in folders:
            paths = sorted(Path(folder).glob("latents-*.safetensors"))
            if not paths:
                raise IGRError(f"{folder} has no prepared pairs: run python -m training prepare --out {folder} first.")
            holder: dict[int, str] = {}
            for path in paths:
                tensors, settings = read_shard(path)
                twice = sorted(set(seeds := tensors["seed"].tolist()) & holder.keys())
                if twice:
                    raise IGRError(
                        f"{folder} has pair {twice[0]} twice, in {holder[twice[0]]} and {path.name}: delete one."
                    )
                holder |= dict.fromkeys(seeds, path.name)
                self._shards.append(tensors)
                self._garments.append(read_garments(path) or [None] * len(seeds))
                self.settings.append(settings)
        self.shapes = [{name: tuple(x.shape[1:]) for name, x in shard.items()} for shard in self._shards]
        if len({json.dumps(settings, sort_keys=True) for settings in self.settings}) > 1:
            raise IGRError(f"{', '.join(map(str, folders))} have different settings: prepare them alike.")
        self._places = [(s, row) for s, shard in enumerate(self._shards) for row in range(len(shard["seed"]))][:limit]

    def __len__(self) -> int:
        return len(self._places)

    def read(self, indices: Iterable[int]) -> Batch:
        """Read a batch ahead of the step that needs it."""
        return self.batch(indices)

    def finish(self, read: Batch) -> Batch:
        """The batch that was read."""
        return read

    def to(self, device: torch.device) -> None:
        """Does nothing: prepared pairs need no device."""

    def batch(self, indices: Iterable[int]) -> Batch:
        """Stack some pairs."""
        places = [self._places[index] for index in indices]
        told = None
        if any("correspondence" in self._shards[shard] for shard, _ in places):
            told = torch.stack([self._correspondence(shard, row) for shard, row in places])[:, None]

        def take(name: str) -> Tensor:
            return torch.stack([self._shards[shard][name][row] for shard, row in places])

        return Batch(
            take("garment_latent").float(),
            take("person_latent").float(),
            take("mask").float(),
            take("image_features").float(),
            [CATEGORIES[int(number)] for number in take("category")],
            told,
        )

    def _correspondence(self, shard: int, row: int) -> Tensor:
        tensors = self._shards[shard]
        if "correspondence" in tensors:
            return tensors["correspondence"][row].float()
        return torch.full((2, *tensors["garment_latent"].shape[2:]), torch.nan)

    def garments(self) -> list[str | None]:
        """Name of each pair's garment; None if no other pair shows it."""
        return [self._garments[shard][row] for shard, row in self._places]

    def seeds(self) -> list[int]:
        """The seed or index of each pair."""
        return [int(self._shards[shard]["seed"][row]) for shard, row in self._places]


def moved(item: D, device: torch.device | str, non_blocking: bool = False) -> D:
    """A dataclass with its tensors on a device."""
    values = {
        name: x.to(device, non_blocking=non_blocking) if isinstance(x, Tensor) else x for name, x in vars(item).items()
    }
    return type(item)(**values)


def read_shard(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Memory-mapped tensors and settings of a shard; raises IGRError for a damaged file."""
    try:
        with safe_open(path, framework="pt") as file:
            more = [name for name in OPTIONAL_FIELDS if name in file.keys()]  # noqa: SIM118 - not a mapping
            return {name: file.get_tensor(name) for name in (*FIELDS, *more)}, json.loads(file.metadata()["settings"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise IGRError(f"{path} is not a complete shard ({error}): delete it and prepare again.") from error


def read_garments(path: Path) -> list[str | None]:
    """Names of the garments in a shard opened by read_shard; empty if unknown."""
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata().get("garments", "[]"))


def batch_indices(total: int, size: int, seed: int, start_step: int) -> Iterator[list[int]]:
    """Endless batches of pair indices, with a new order in each epoch; a pure function of seed and step.

    A resumed run therefore reads exactly the batches that the interrupted run would have read.
    """
    if total < size:
        raise IGRError(f"The data has {total} pairs, but a step needs {size}: prepare more, or lower pairs_per_batch.")
    per_epoch = total // size
    step = start_step
    while True:
        order = np.random.default_rng([seed, step // per_epoch]).permutation(total)
        for position in range(step % per_epoch, per_epoch):
            yield order[position * size : (position + 1) * size].tolist()
            step += 1
