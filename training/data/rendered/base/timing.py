"""CPU seconds by stage: `with stage("drape"):` does nothing unless measuring is on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Seconds = dict[str, float]
"""CPU seconds of this process, of all its threads, by stage name: what else the machine does hardly changes them."""
_measured: ContextVar[Seconds | None] = ContextVar("measured", default=None)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the time spent inside as a stage, one of bench.STAGES or another."""
    seconds = _measured.get()
    if seconds is None:
        yield
        return
    begin, within = time.process_time(), sum(seconds.values())
    try:
        yield
    finally:
        # the time of a nested stage does not count for the outer one
        inner = sum(seconds.values()) - within
        seconds[name] = seconds.get(name, 0.0) + time.process_time() - begin - inner


@contextmanager
def measured() -> Iterator[Seconds]:
    """Measure the stages that run inside, in this thread."""
    seconds: Seconds = {}
    token = _measured.set(seconds)
    try:
        yield seconds
    finally:
        _measured.reset(token)
