"""The batches of a run, step by step: first at low resolution, then one round of data after another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch

from ..base.train_config import TrainConfig
from ..prepared.fits import low_resolution_config
from ..prepared.latents import Batch
from ..prepared.mixture import MixedSets, mixed_indices
from ..prepared.references import Photos
from ..prepared.training_set import open_training_set, read_ahead


class Batches:
    """The training data of a run; rounds are opened at the first step that needs them."""

    def __init__(self, config: TrainConfig, step: int) -> None:
        """Open the data for step `step`; raises IGRError if it cannot be read or does not match the config."""
        self._config = config
        self._low = low_resolution_config(config)
        self._opened: dict[tuple[bool, int], MixedSets] = {}
        self._records: dict[bool, dict[str, Any]] = {}
        self.current: dict[str, Any] | None = None
        """Record of the data that the last batch came from; None before the first batch."""
        self._device = torch.device("cpu")
        step = min(step, config.steps - 1)
        opened: list[MixedSets] = []
        if self._low is not None:  # opened now, so that an error at either resolution is found before the first step
            opened.append(self._data(self._low, self._low.data.round_at(min(step, self._low.steps - 1))))
        if not self._is_later(step):
            opened.append(self._data(config, config.data.round_at(max(step, self._low_steps))))
        self.first = opened[-1]
        """Data for the first step at the model's own size, or the low-resolution data if that step belongs to a later
        round."""

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """Records of the open data by resolution: stage, round, pairs, entries with their contents, and mixture."""
        return {record["stage"]: record for record in self._records.values()}

    def to(self, device: torch.device) -> None:
        """Set the device to use for pairs that are encoded during training."""
        self._device = device
        for data in self._opened.values():
            data.to(device)

    def after(self, step: int, processes: int, rank: int) -> Iterator[tuple[int, Batch]]:
        """Yield (index of the batch within its step, batch) for process `rank`, after `step` steps.

        The pairs, photos and noise of a step do not depend on the number of processes or micro-batches.
        """
        if self._low is not None:
            yield from self._in_rounds(self._low, step, self._low.steps, processes, rank)
        yield from self._in_rounds(self._config, max(step, self._low_steps), None, processes, rank)

    def _is_later(self, step: int) -> bool:
        """Whether the data for the model's own size belongs to a later round, which need not exist yet."""
        rounds = self._config.data
        return self._low is not None and rounds.round_at(step) < rounds.round_at(self._low_steps)

    @property
    def _low_steps(self) -> int:
        return 0 if self._low is None else self._low.steps

    def _in_rounds(
        self, config: TrainConfig, step: int, end: int | None, processes: int, rank: int
    ) -> Iterator[tuple[int, Batch]]:
        while end is None or step < end:
            number = config.data.round_at(step)
            stops = [stop for stop in (end, config.data.round_end(number)) if stop is not None]
            batches = _in_one_set(config, self._data(config, number), step, processes, rank, self._device)
            self.current = self._records[config is self._low]
            if not stops:
                yield from batches
                return
            yield from islice(batches, (min(stops) - step) * config.accumulation)
            step = min(stops)

    def _data(self, config: TrainConfig, number: int) -> MixedSets:
        """The data of a round; data of earlier rounds is closed."""
        key = (config is self._low, number)
        if key not in self._opened:
            for other in [one for one in self._opened if one[0] == key[0]]:
                del self._opened[other]
            self._opened[key] = open_training_set(config, number)
            self._opened[key].to(self._device)
            self._records[key[0]] = _record(config, self._opened[key], number, "low" if key[0] else "full")
        return self._opened[key]


def _record(config: TrainConfig, data: MixedSets, number: int, stage: str) -> dict[str, Any]:
    named = zip(config.data.of_round(number), data.sets, strict=True)
    return {
        "stage": stage,
        "round": number,
        "pairs": len(data),
        "categories": sorted(set().union(*(one.kinds() for one in data.sets))),
        "entries": [{"name": name, "pairs": len(one), "content": one.content()} for name, one in named],
        "weights": None if config.data.weights is None else list(config.data.weights),
        "photos": list(config.data.photos),
    }


def _in_one_set(
    config: TrainConfig, data: MixedSets, start: int, processes: int, rank: int, device: torch.device
) -> Iterator[tuple[int, Batch]]:
    size = config.data.pairs_per_batch
    steps = mixed_indices(data.sizes, config.data.weights, size * processes * config.accumulation, config.seed, start)
    parts = [micro * processes + rank for micro in range(config.accumulation)]
    photos = Photos(data.garments())
    chosen = (
        (part, drawn[part * size : (part + 1) * size])
        for step, indices in enumerate(steps, start)
        for drawn in [photos.draw(indices, config.data.photos, config.seed, step)]
        for part in parts
    )
    return read_ahead(chosen, data, pin=device.type == "cuda")
