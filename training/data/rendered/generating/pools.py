"""Making records of seeds in this process or in several, on one machine: in whatever order they are done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from igr_core.errors import IGRError

from ..base.settings import RenderSettings
from ..base.timing import stage
from ..records.record import Record, to_members
from ..records.shards import KILLED, Made

Maker = Callable[[int, RenderSettings], "tuple[Record | None, Counter[str]]"]
"""Makes the record of a seed, None where every try was rejected, and counts the rejected tries by reason."""
AHEAD = 2
"""Seeds that wait for each worker."""
MAX_DEATHS = 3
"""Workers that may die of a seed before it is given up."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""Settings of numerical libraries, read when a worker loads them."""


def render_record(seed: int, settings: RenderSettings) -> tuple[Record | None, Counter[str]]:
    """The record of a seed by the real generator; IGRError names a package that is missing."""
    try:
        from ..capture.making import make_record
    except ImportError as error:
        raise IGRError(
            f"Rendering needs {error.name}: install the extra `render` (pip install '.[render]')."
        ) from error
    return make_record(seed, settings)


def make(seed: int, settings: RenderSettings, maker: Maker) -> Made:
    """What comes of one seed, as bytes that go from process to process; an error of the generator is part of it."""
    try:
        record, rejects = maker(seed, settings)
        with stage("encode"):
            members = None if record is None else to_members(record, rejects)
    except IGRError:
        raise
    except Exception:
        return Made(seed, None, {}, traceback.format_exc())
    return Made(seed, members, dict(rejects))


def make_here(seeds: Sequence[int], settings: RenderSettings, maker: Maker) -> Iterator[Made]:
    """Make the records one by one in this process.

    Libraries that it has loaded before, as numpy's linear algebra, keep their threads.
    """
    for seed in seeds:
        with _environment(ONE_THREAD):
            made = make(seed, settings, maker)
        yield made


def make_in_processes(seeds: Sequence[int], settings: RenderSettings, maker: Maker, workers: int) -> Iterator[Made]:
    """Make the records in `workers` processes of one thread each.

    When one dies, the seeds that were being made are made again, one at a time, as any of them may be the reason; one
    that its worker dies of MAX_DEATHS times is given up.
    """
    waiting, suspects, deaths = deque(seeds), deque[int](), Counter[int]()
    while waiting or suspects:
        if suspects:
            lost = yield from _run_pool(suspects, settings, maker, 1, 1)
        else:
            lost = yield from _run_pool(waiting, settings, maker, workers, AHEAD * workers)
        for seed in lost:
            deaths[seed] += 1
            if deaths[seed] < MAX_DEATHS:
                suspects.append(seed)
            else:
                yield Made(seed, None, {KILLED: 1})


def _run_pool(
    waiting: deque[int], settings: RenderSettings, maker: Maker, workers: int, most: int
) -> Generator[Made, None, list[int]]:
    """Make waiting seeds, `most` at a time, until there are none or a worker dies; gives the seeds that it lost."""
    running: dict[Future[Made], int] = {}
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        while waiting or running:
            with _environment(ONE_THREAD):  # processes start with the first seeds
                while waiting and len(running) < most:
                    running[pool.submit(make, waiting[0], settings, maker)] = waiting[0]
                    waiting.popleft()
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                made = done.result()
                del running[done]
                yield made
    except BrokenProcessPool:
        return sorted(running.values())
    finally:
        pool.shutdown(cancel_futures=True)
    return []


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for processes that are started within."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end when it does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.join,), daemon=True).start()


def _end_after(join: Callable[[], None]) -> None:
    join()
    os._exit(1)
