"""CPU seconds by stage: `with stage("drape"):` does nothing unless measuring is on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Seconds = dict[str, float]
"""CPU seconds of all threads of this process, by stage name; other load on the machine hardly affects them."""
_measured: ContextVar[Seconds | None] = ContextVar("measured", default=None)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the time spent inside towards a stage, usually one of bench.STAGES."""
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
