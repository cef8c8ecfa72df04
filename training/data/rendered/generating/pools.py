"""Make records in one or several processes on one machine; results arrive in any order."""

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
"""Makes the record of a seed (None if every attempt was rejected), and counts rejected attempts by reason."""
AHEAD = 2
"""Number of queued seeds per worker."""
MAX_DEATHS = 3
"""Number of workers that must die while making a seed's record before the seed is skipped."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""Environment variables that numerical libraries read when a worker loads them."""


def render_record(seed: int, settings: RenderSettings) -> tuple[Record | None, Counter[str]]:
    """Make the record of a seed with the real generator; raises IGRError for a missing package."""
    try:
        from ..capture.making import make_record
    except ImportError as error:
        raise IGRError(
            f"Rendering needs {error.name}: install the `render` extra (pip install '.[render]')."
        ) from error
    return make_record(seed, settings)


def make(seed: int, settings: RenderSettings, maker: Maker) -> Made:
    """A seed's result as bytes to send between processes, or the generator's traceback if it failed."""
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

    Libraries that are already loaded, such as numpy's linear algebra, keep their threads.
    """
    for seed in seeds:
        with _environment(ONE_THREAD):
            made = make(seed, settings, maker)
        yield made


def make_in_processes(seeds: Sequence[int], settings: RenderSettings, maker: Maker, workers: int) -> Iterator[Made]:
    """Make the records in `workers` single-threaded processes.

    If a process dies, the seeds in progress are made again one at a time, because any of them may be the cause. A seed
    is skipped once MAX_DEATHS processes have died while making its record.
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
    """Make queued seeds, `most` at a time, until none are left or a worker dies; returns the lost seeds."""
    running: dict[Future[Made], int] = {}
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        while waiting or running:
            with _environment(ONE_THREAD):  # processes are started when the first seeds are submitted
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
    """Context that sets environment variables for processes started inside it."""
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
    """Make a worker ignore Ctrl-C, which its parent handles, and exit when the parent exits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.join,), daemon=True).start()


def _end_after(join: Callable[[], None]) -> None:
    join()
    os._exit(1)
