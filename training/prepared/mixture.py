"""Combine several sets of pairs into a single set that is sampled by weight."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from igr_core.errors import IGRError

from .latents import Batch, batch_indices

BLOCK = 1000
"""Number of consecutive pairs to which each set contributes exactly its fraction."""


class PairData(Protocol):
    """Encoded pairs, prepared in advance or encoded during training."""

    settings: list[dict[str, Any]]
    """Settings of each shard: VAE, image encoder and layout."""
    shapes: list[dict[str, tuple[int, ...]]]
    """Shapes of a pair's tensors, for each shard."""

    def __len__(self) -> int: ...

    def read(self, indices: Iterable[int]) -> Any:
        """Read some pairs, in any thread."""
        ...

    def finish(self, read: Any) -> Batch:
        """Convert what was read to the networks' inputs."""
        ...

    def to(self, device: torch.device) -> None:
        """Set the device to encode on, if pairs are encoded during training."""
        ...

    def seeds(self) -> list[int]:
        """The number of each pair: the seed of a drawn pair, or a hash of its name."""
        ...

    def garments(self) -> list[str | None]:
        """Name of each pair's garment; None if no other pair shows it."""
        ...

    def kinds(self) -> set[str]:
        """Categories of the pairs."""
        ...

    def content(self) -> str:
        """A hash that identifies the pairs regardless of their location."""
        ...


@dataclass(frozen=True)
class Read:
    """Pairs of a MixedSets that have been read."""

    pieces: list[tuple[int, Any]]
    """Index of a set, and the pairs read from it."""
    order: list[int]
    """Position of each requested pair among the pieces."""


class MixedSets:
    """Several sets of pairs, concatenated under one common index."""

    def __init__(self, sets: Sequence[PairData]) -> None:
        self.sets = tuple(sets)
        self.settings = [one for data in sets for one in data.settings]
        self.shapes = [one for data in sets for one in data.shapes]
        self._starts = np.cumsum([0, *(len(data) for data in sets)])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of pairs in each set."""
        return tuple(len(data) for data in self.sets)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def to(self, device: torch.device) -> None:
        """Set the device to encode on, if pairs are encoded during training."""
        for data in self.sets:
            data.to(device)

    def read(self, indices: Iterable[int]) -> Read:
        """Read some pairs, in any thread."""
        wanted = np.asarray(list(indices))
        owners = np.searchsorted(self._starts, wanted, side="right") - 1
        pieces: list[tuple[int, Any]] = []
        places: list[int] = []
        for owner in np.unique(owners).tolist():
            at = np.nonzero(owners == owner)[0]
            pieces.append((owner, self.sets[owner].read((wanted[at] - self._starts[owner]).tolist())))
            places.extend(at.tolist())
        return Read(pieces, np.argsort(places).tolist())

    def finish(self, read: Read) -> Batch:
        """The pairs, stacked in the requested order."""
        return _reordered([self.sets[owner].finish(piece) for owner, piece in read.pieces], read.order)

    def seeds(self) -> list[int]:
        """The number of each pair: the seed of a drawn pair, or a hash of its name."""
        return [seed for data in self.sets for seed in data.seeds()]

    def garments(self) -> list[tuple[int, str] | None]:
        """Name of each pair's garment, with the index of its set, because sets name garments independently."""
        return [
            None if name is None else (number, name)
            for number, data in enumerate(self.sets)
            for name in data.garments()
        ]


def mixed_indices(
    sizes: Sequence[int], weights: Sequence[float] | None, batch: int, seed: int, start_step: int
) -> Iterator[list[int]]:
    """Endless batches of a MixedSets's pair indices, starting at `start_step`; a pure function of seed and step.

    Without weights, every pair is drawn once per epoch. With weights, each set provides its fraction of every
    BLOCK pairs, and all of its pairs are drawn before any is repeated.
    """
    if weights is None:
        yield from batch_indices(sum(sizes), batch, seed, start_step)
        return
    if min(sizes) == 0:
        raise IGRError("An entry of data.train has no pairs: remove it.")
    starts = np.cumsum([0, *sizes])
    shares = block_shares(weights)
    drawn = start_step * batch
    while True:
        chosen = []
        for number in range(drawn, drawn + batch):
            block, place = divmod(number, BLOCK)
            order = np.random.default_rng([seed, 1, block]).permutation(np.repeat(np.arange(len(sizes)), shares))
            owner = int(order[place])
            count = block * int(shares[owner]) + int((order[:place] == owner).sum())
            epoch, position = divmod(count, sizes[owner])
            pair = np.random.default_rng([seed, 2, owner, epoch]).permutation(sizes[owner])[position]
            chosen.append(int(starts[owner] + pair))
        yield chosen
        drawn += batch


def block_shares(weights: Sequence[float]) -> np.ndarray:
    """Number of pairs in a BLOCK from each set, by the largest-remainder method; at least one per set."""
    exact = np.asarray(weights) / sum(weights) * BLOCK
    shares = np.maximum(np.floor(exact).astype(int), 1)
    while shares.sum() != BLOCK:
        step = 1 if shares.sum() < BLOCK else -1
        shares[int(np.argmax((exact - shares) * step))] += step
    return shares


def _reordered(pieces: list[Batch], order: list[int]) -> Batch:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Batch):
        parts = [getattr(piece, field.name) for piece in pieces]
        if all(part is None for part in parts):
            continue
        if field.name == "correspondence":
            parts = [part if part is not None else _unknown(piece) for part, piece in zip(parts, pieces, strict=True)]
        if isinstance(parts[0], Tensor):
            values[field.name] = torch.cat(parts)[order]
        else:
            joined = [item for part in parts for item in part]
            values[field.name] = [joined[i] for i in order]
    return Batch(**values)


def _unknown(piece: Batch) -> Tensor:
    """A correspondence of NaN, for pairs without one that share a batch with pairs that have one."""
    count, _, height, width = piece.garment_latent.shape
    return torch.full((count, 1, 2, height, width), torch.nan)
