"""The pairs that a run trains on: opened, checked against the config, and read ahead of the steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from .config import TrainConfig
from .data.latents import Batch, PreparedPairs
from .data.mixture import Joined, PairData
from .data.pixels import PixelPairs
from .data.selection import PairsConfig
from .fits import check_fits
from .run import load_config

AHEAD = 2
"""Batches that are read before they are needed."""


def open_training_set(config: TrainConfig) -> Joined:
    """Open every entry of data.train; IGRError names the one that cannot be read or does not fit the config."""
    sets: list[PairData] = []
    for entry in config.data.train:
        if Path(entry).suffix in (".yaml", ".yml"):
            sets.append(PixelPairs(load_config(PairsConfig, entry), config, entry))
        else:
            sets.append(PreparedPairs([entry], config.data.limit))
    joined = Joined(sets)
    check_fits(config, joined, "training")
    return joined


def read_ahead(chosen: Iterable[tuple[int, list[int]]], data: Joined, threads: int) -> Iterator[tuple[int, Batch]]:
    """(what came with it, batch) for each list of pair numbers, in order.

    Pictures are read while the step before runs; prepared pairs, which are mapped from disk, at once.
    """
    if threads < 1 or all(isinstance(one, PreparedPairs) for one in data.sets):
        yield from ((tag, data.finish(data.read(indices))) for tag, indices in chosen)
        return
    upcoming = iter(chosen)
    with ThreadPoolExecutor(1) as pool:
        waiting = deque((tag, pool.submit(data.read, indices)) for tag, indices in _first(upcoming, AHEAD))
        try:
            while waiting:
                tag, reading = waiting.popleft()
                batch = data.finish(reading.result())
                waiting.extend((tag, pool.submit(data.read, indices)) for tag, indices in _first(upcoming, 1))
                yield tag, batch
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _first(items: Iterator[tuple[int, list[int]]], count: int) -> list[tuple[int, list[int]]]:
    return list(islice(items, count))
