"""Making records of seeds in this process or in several, on one machine: in whatever order they are done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from igr_core.errors import IGRError

from ..records.record import Record, record_name, to_members
from ..records.shards import Made
from ..settings import RenderSettings
from ..timing import stage

Maker = Callable[[int, RenderSettings], "tuple[Record | None, Counter[str]]"]
"""Makes the record of a seed, None where every try was rejected, and counts the rejected tries by reason."""
AHEAD = 2
"""Seeds that wait for each worker."""
MAX_DEATHS = 3
"""So many times in a row workers may die before a run gives up."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""What numerical libraries are told before they are loaded in a worker."""


def render_record(seed: int, settings: RenderSettings) -> tuple[Record | None, Counter[str]]:
    """The record of a seed by the real generator; IGRError names a package that is missing."""
    try:
        from ..making import make_record
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
    except Exception as error:
        return Made(seed, None, {f"failed with {type(error).__name__}": 1}, traceback.format_exc())
    return Made(seed, members, dict(rejects))


def make_here(seeds: Sequence[int], settings: RenderSettings, maker: Maker) -> Iterator[Made]:
    """Make the records one by one in this process."""
    for seed in seeds:
        yield make(seed, settings, maker)


def make_in_processes(seeds: Sequence[int], settings: RenderSettings, maker: Maker, workers: int) -> Iterator[Made]:
    """Make the records in `workers` processes of one thread each; a killed worker's seeds are made again.

    Raises IGRError when workers die again and again without one record.
    """
    waiting, deaths = list(reversed(seeds)), 0
    while waiting:
        running: dict[Future[Made], int] = {}
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)
        try:
            while waiting or running:
                with _environment(ONE_THREAD):  # processes start with the first seeds
                    while waiting and len(running) < AHEAD * workers:
                        running[pool.submit(make, waiting[-1], settings, maker)] = waiting[-1]
                        waiting.pop()
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    made = done.result()
                    del running[done]
                    deaths = 0
                    yield made
        except BrokenProcessPool as error:
            deaths += 1
            waiting += sorted(running.values(), reverse=True)
            if deaths >= MAX_DEATHS:
                raise IGRError(
                    f"Workers die while they render ({record_name(waiting[-1])} is among the first): "
                    "lower --workers if memory is short, and run it again, which goes on here."
                ) from error
        finally:
            pool.shutdown(cancel_futures=True)


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
