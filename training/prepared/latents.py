"""Prepared pairs: inputs of the denoiser, GarmNet and the image prompt, computed once with the frozen networks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.sampling.loop import categories_of_photos
from igr_core.text import counted

from ..base.parts import CONFIGS
from .overlap import shared_pair
from .shards import Shard

D = TypeVar("D")


@dataclass(frozen=True)
class Batch:
    """P prepared pairs in float32 with F photos: one per pair, unless `photos` is given."""

    garment_latent: Tensor
    """(P, 4, h, w): the denoiser's target."""
    person_latent: Tensor
    """(F, 4, h, w): GarmNet's input."""
    mask: Tensor
    """(F, 1, h, w) in 0..1: GarmNet's fifth channel."""
    image_features: Tensor
    """(P, ...): image-encoder output for the crop of each pair's own photo."""
    categories: list[str]
    """P categories."""
    correspondence: Tensor | None = None
    """(P, R, 2, h, w): x and y of each garment cell in the pair's r-th photo, as fractions of the view; NaN
    where the cell is not visible, and where a pair has fewer than R photos. None if unknown."""
    photos: tuple[tuple[int, ...], ...] | None = None
    """Indices of each pair's photos, starting with its own; None if photo i is pair i's only photo."""

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
        """The first len(photos) pairs; `photos` lists the indices in this batch of the photos that each pair uses."""
        count, most = len(photos), max(map(len, photos))
        maps = None
        if self.correspondence is not None:
            maps = self.correspondence.new_full((count, most, *self.correspondence.shape[2:]), torch.nan)
            for pair, numbers in enumerate(photos):
                maps[pair, : len(numbers)] = self.correspondence[list(numbers), 0]
        return Batch(
            self.garment_latent[:count],
            self.person_latent,
            self.mask,
            self.image_features[:count],
            self.categories[:count],
            maps,
            None if most == 1 else tuple(photos),
        )


class PreparedPairs:
    """Folders of prepared shards with one common index; tensors stay on disk until they are requested."""

    settings: list[dict[str, Any]]
    """Settings of each shard: VAE, image encoder and layout."""
    shapes: list[dict[str, tuple[int, ...]]]
    """Shapes of a pair's tensors by field, for each shard."""

    def __init__(self, folders: Sequence[Path | str], limit: int | None = None) -> None:
        """Open all shards; raises IGRError for a folder without shards, an unreadable shard or duplicate pairs."""
        self._shards: list[Shard] = []
        for folder in folders:
            paths = sorted(Path(folder).glob("latents-*.safetensors"))
            if not paths:
                raise IGRError(f"{folder} has no prepared pairs: run python -m training prepare --out {folder} first.")
            holder: dict[int, str] = {}
            for shard in map(Shard, paths):
                name = shard.path.name
                twice = sorted(set(shard.seeds) & holder.keys())
                if twice:
                    raise IGRError(
                        f"{folder} contains pair {twice[0]} twice, in {holder[twice[0]]} and {name}: delete one."
                    )
                holder |= dict.fromkeys(shard.seeds, name)
                self._shards.append(shard)
        self.settings = [shard.settings for shard in self._shards]
        self.shapes = [shard.shapes for shard in self._shards]
        if len({json.dumps(settings, sort_keys=True) for settings in _comparable(self.settings)}) > 1:
            raise IGRError(
                f"The shards in {', '.join(map(str, folders))} were prepared with different settings: prepare all of "
                "them with the same settings."
            )
        self._places = [(shard, row) for shard in self._shards for row in range(len(shard))][:limit]

    def __len__(self) -> int:
        return len(self._places)

    def shared_with(self, other: PreparedPairs) -> tuple[str, str] | None:
        """Names, here and in `other`, of a pair whose latents are in both, up to rounding; None if there is none."""
        return shared_pair(self._places, other._places)

    def read(self, indices: Iterable[int]) -> Batch:
        """Read a batch ahead of the step that needs it."""
        return self.batch(indices)

    def finish(self, read: Batch) -> Batch:
        """Return the batch unchanged, because it is already encoded."""
        return read

    def to(self, device: torch.device) -> None:
        """Do nothing, because prepared pairs need no device."""

    def batch(self, indices: Iterable[int]) -> Batch:
        """Stack some pairs; raises IGRError naming the shard and pair if a latent, mask or feature is not finite."""
        places = [self._places[index] for index in indices]
        maps = None
        if any("correspondence" in shard.fields for shard, _ in places):
            maps = torch.cat([_correspondence(shard, row) for shard, row in places])[:, None]

        def take(name: str) -> Tensor:
            return torch.cat([shard.finite_rows(name, [row]) for shard, row in places])

        return Batch(
            take("garment_latent"),
            take("person_latent"),
            take("mask"),
            take("image_features"),
            [shard.categories[row] for shard, row in places],
            maps,
        )

    def garments(self) -> list[str | None]:
        """Name of each pair's garment; None if no other pair shows the same garment."""
        return [shard.garments[row] for shard, row in self._places]

    def kinds(self) -> set[str]:
        """Categories of the pairs."""
        return {shard.categories[row] for shard, row in self._places}

    def content(self) -> str:
        """Hash of the pairs' tensors, their settings, and which of them show the same garment."""
        digest, left = hashlib.blake2b(digest_size=16), len(self)
        for shard in self._shards:
            shard.update(digest, min(left, len(shard)))
            left -= min(left, len(shard))
        return digest.hexdigest()

    def seeds(self) -> list[int]:
        """The number of each pair: the seed of a drawn pair, or a hash of its name."""
        return [shard.seeds[row] for shard, row in self._places]


def _comparable(settings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Settings without the parts' configs if some shards are from an earlier version that did not record them."""
    lost = {name for name in CONFIGS if not all(name in one for one in settings)}
    return [{name: value for name, value in one.items() if name not in lost} for one in settings]


def _correspondence(shard: Shard, row: int) -> Tensor:
    """One pair's map (1, 2, h, w); NaN if the shard does not contain it."""
    if "correspondence" in shard.fields:
        return shard.places(row)
    return torch.full((1, 2, *shard.shapes["garment_latent"][1:]), torch.nan)


def moved(item: D, device: torch.device | str, non_blocking: bool = False) -> D:
    """Copy a dataclass with its tensors moved to a device."""
    values = {
        name: x.to(device, non_blocking=non_blocking) if isinstance(x, Tensor) else x for name, x in vars(item).items()
    }
    return type(item)(**values)


def batch_indices(total: int, size: int, seed: int, start_step: int) -> Iterator[list[int]]:
    """Endless batches of pair indices, with a new order in each epoch; a pure function of seed and step.

    A resumed run therefore reads exactly the batches that the interrupted run would have read.
    """
    if total < size:
        raise IGRError(
            f"The data has {counted(total, 'pair')}, but a step needs {size:,}: prepare more, or lower pairs_per_batch."
        )
    per_epoch = total // size
    step = start_step
    while True:
        order = np.random.default_rng([seed, step // per_epoch]).permutation(total)
        for position in range(step % per_epoch, per_epoch):
            yield order[position * size : (position + 1) * size].tolist()
            step += 1
