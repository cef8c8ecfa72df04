"""Seconds by stage: `with stage("drape"):` counts nothing unless somebody measures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Seconds = dict[str, float]
"""Wall-clock seconds by the name of the stage."""
_measured: ContextVar[Seconds | None] = ContextVar("measured", default=None)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count what runs within as a stage, one of bench.STAGES or another."""
    seconds = _measured.get()
    if seconds is None:
        yield
        return
    begin, within = time.perf_counter(), sum(seconds.values())
    try:
        yield
    finally:
        # a stage within a stage counts for itself alone
        inner = sum(seconds.values()) - within
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begin - inner


@contextmanager
def measured() -> Iterator[Seconds]:
    """Measure the stages that run within, in this thread."""
    seconds: Seconds = {}
    token = _measured.set(seconds)
    try:
        yield seconds
    finally:
        _measured.reset(token)
