"""Run the stages in this process; photos are read and results are written while the models run."""

from __future__ import annotations

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
"""Maximum number of batches read ahead of the current one, and of restored batches waiting to be written."""
MEMORY = 1_000_000_000
"""Size in bytes of the photos in memory above which reading pauses until some of them are restored."""

_FIRST = 4
"""Maximum number of garments that are read at the same time, and that are read before the size of any is known."""


@dataclass(frozen=True)
class Stages:
    """The three stages."""

    load: Callable[[Sequence[Item]], list[Loaded]]
    """Reads garments."""
    restore: Callable[[Sequence[Loaded]], list[Restored]]
    """Restores a batch of garments."""
    write: Callable[[Sequence[Restored]], list[Outcome]]
    """Writes garments."""


def run_here(items: Iterable[Item], stages: Stages, batch: int, memory: int = MEMORY) -> Iterator[Outcome]:
    """Restore garments in batches of up to `batch`; memory use does not grow with the number of garments.

    If a batch has more than `memory` / 4 bytes of photos, fewer garments are restored together. When the run is
    stopped, batches that have already been restored are still written. Errors raised by the stages propagate.
    """
    reading = _Reading(items, stages.load, (AHEAD + 1) * batch, memory)
    writer = ThreadPoolExecutor(1, "igr-write")
    writing: deque[Future[list[Outcome]]] = deque()
    try:
        while loaded := reading.take(batch, memory // 4):
            writing.append(writer.submit(stages.write, stages.restore(loaded)))
            while writing and (len(writing) > AHEAD or writing[0].done()):
                yield from writing.popleft().result()
        while writing:
            yield from writing.popleft().result()
    finally:
        reading.stop()
        writer.shutdown()  # restored batches are still written


class _Reading:
    """Garments that are being read ahead."""

    def __init__(self, items: Iterable[Item], load: Callable[[Sequence[Item]], list[Loaded]], most: int, memory: int):
        self._left, self._load, self._most, self._memory = iter(items), load, most, memory
        self._pool = ThreadPoolExecutor(min(_FIRST, os.cpu_count() or 1), "igr-read")
        self._futures: deque[Future[list[Loaded]]] = deque()
        self._largest = 0

    def take(self, count: int, memory: int) -> list[Loaded]:
        """The next `count` garments, or fewer if they reach `memory` bytes; an empty list at the end."""
        taken: list[Loaded] = []
        size = 0
        while len(taken) < count and size < memory:
            self._read_ahead(size)
            if not self._futures:
                break
            for one in self._futures.popleft().result():
                taken.append(one)
                size += one.size
                self._largest = max(self._largest, one.size)
        return taken

    def stop(self) -> None:
        """Stop reading."""
        self._pool.shutdown(cancel_futures=True)

    def _read_ahead(self, taken: int) -> None:
        """Start to read more garments while there is room, assuming that each is as large as the largest one so far."""
        while len(self._futures) < (self._most if self._largest else _FIRST):
            known = [sum(one.size for one in future.result()) for future in self._futures if _is_read(future)]
            expected = taken + sum(known) + self._largest * (len(self._futures) - len(known) + 1)
            item = next(self._left, None) if not self._futures or expected <= self._memory else None
            if item is None:
                return
            self._futures.append(self._pool.submit(self._load, [item]))


def _is_read(future: Future[list[Loaded]]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
