"""CPU seconds by stage; `with stage("drape"):` only measures within a `measured()` context."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Seconds = dict[str, float]
"""CPU seconds of all threads in this process, by stage name; largely independent of other load on the machine."""
_measured: ContextVar[Seconds | None] = ContextVar("measured", default=None)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Context that adds the time spent inside it to a stage, usually one of bench.STAGES."""
    seconds = _measured.get()
    if seconds is None:
        yield
        return
    begin, within = time.process_time(), sum(seconds.values())
    try:
        yield
    finally:
        # time spent in a nested stage is not added to the outer one
        inner = sum(seconds.values()) - within
        seconds[name] = seconds.get(name, 0.0) + time.process_time() - begin - inner


@contextmanager
def measured() -> Iterator[Seconds]:
    """Context that measures the stages run inside it in this thread; yields their CPU seconds."""
    seconds: Seconds = {}
    token = _measured.set(seconds)
    try:
        yield seconds
    finally:
        _measured.reset(token)
