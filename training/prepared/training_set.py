"""Open the training pairs of a run, check them against the config, and read them ahead of the steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from igr_core.errors import IGRError

from ..base.config_files import load_config
from ..base.train_config import TrainConfig
from .fits import check_fits
from .latents import Batch, PreparedPairs
from .mixture import MixedSets, PairData, Read
from .pixels import PixelPairs
from .references import joined
from .selection import PairsConfig

AHEAD = 2
"""Number of batches to read ahead."""


def open_training_set(config: TrainConfig, number: int = 0) -> MixedSets:
    """Open every entry of data.train for round `number`.

    Raises IGRError for an entry that cannot be read or does not match the config.
    """
    sets: list[PairData] = []
    for entry in config.data.of_round(number):
        if Path(entry).suffix in (".yaml", ".yml"):
            sets.append(PixelPairs(load_config(PairsConfig, entry), config, entry))
        else:
            sets.append(PreparedPairs([entry], config.data.limit))
    whole = MixedSets(sets)
    check_fits(config, whole, "training")
    if config.correspondence_weight > 0 and not any("correspondence" in shapes for shapes in whole.shapes):
        raise IGRError(
            "correspondence_weight is above 0, but no pair of data.train has a correspondence: prepare rendered "
            "pairs, or pairs drawn with --correspondence."
        )
    return whole


def read_ahead(
    chosen: Iterable[tuple[int, list[tuple[int, ...]]]], data: MixedSets, pin: bool = False
) -> Iterator[tuple[int, Batch]]:
    """Yield (tag, batch), in order, for each (tag, photos) in `chosen`. For each pair of the batch, `photos` contains
    the indices of the pairs whose photos it uses.

    Images are read during the previous step. Prepared pairs are fast to read, so they are only read ahead for a GPU
    (`pin`), into pinned memory.
    """

    def finished(photos: list[tuple[int, ...]], read: Read) -> Batch:
        batch = data.finish(read)
        if any(len(one) > 1 for one in photos):
            batch = batch.seen_in(joined(photos)[1])
        return batch.pinned() if pin else batch

    if not pin and all(isinstance(one, PreparedPairs) for one in data.sets):
        yield from ((tag, finished(photos, data.read(joined(photos)[0]))) for tag, photos in chosen)
        return
    upcoming = iter(chosen)
    with ThreadPoolExecutor(1) as pool:

        def start(count: int) -> Iterator[tuple[int, list[tuple[int, ...]], Future[Read]]]:
            for tag, photos in islice(upcoming, count):
                yield tag, photos, pool.submit(data.read, joined(photos)[0])

        waiting = deque(start(AHEAD))
        try:
            while waiting:
                tag, photos, reading = waiting.popleft()
                batch = finished(photos, reading.result())
                waiting.extend(start(1))
                yield tag, batch
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
