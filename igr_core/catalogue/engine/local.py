"""Run the stages in this process; photos are read, and results written, while the models work."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ..report.outcome import Outcome
from ..stages.loading import Loaded
from ..stages.restoring import Restored
from ..table.items import Item

AHEAD = 2
"""Number of batches that are read before, or still to be written after, the one being restored."""


@dataclass(frozen=True)
class Stages:
    """The three stages."""

    load: Callable[[Sequence[Item]], list[Loaded]]
    """Reads garments."""
    restore: Callable[[Sequence[Loaded]], list[Restored]]
    """Restores a batch of garments."""
    write: Callable[[Sequence[Restored]], list[Outcome]]
    """Writes garments."""


def run_here(items: Iterable[Item], stages: Stages, batch: int) -> Iterator[Outcome]:
    """Restore garments in batches of `batch`; memory does not grow with their number.

    When the run is stopped, batches that are restored are still written. Raises what the stages raise.
    """
    readers = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "igr-read")
    writer = ThreadPoolExecutor(1, "igr-write")
    left = iter(items)
    loading: deque[list[Future[list[Loaded]]]] = deque()
    writing: deque[Future[list[Outcome]]] = deque()
    try:
        while True:
            while len(loading) <= AHEAD and (group := list(itertools.islice(left, batch))):
                loading.append([readers.submit(stages.load, [one]) for one in group])
            if not loading:
                break
            loaded = [one for future in loading.popleft() for one in future.result()]
            writing.append(writer.submit(stages.write, stages.restore(loaded)))
            while writing and (len(writing) > AHEAD or writing[0].done()):
                yield from writing.popleft().result()
        while writing:
            yield from writing.popleft().result()
    finally:
        readers.shutdown(cancel_futures=True)
        writer.shutdown()  # what is restored is still written
