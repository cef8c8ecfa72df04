"""Run the stages on a cluster with Ray Data: actors hold the models, other tasks read photos and write results.

Ray Data bounds memory use and repeats the batch of a worker that crashed; the ledger identifies garments that crash
workers.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...device import choose_device
from ...errors import IGRError
from ..report.outcome import Outcome
from ..settings import CatalogueSettings, Output
from ..stages.loading import Loading
from ..stages.restoring import Restoring
from ..stages.writing import Writing
from ..table.items import Item
from .cluster import connect, import_ray

Block = dict[str, Any]
"""A batch as Ray Data passes it: one row with a pickled list of garments, all of which are repeated after a crash.

Only the functions of this module pickle these lists, on the cluster's machines; nothing is unpickled from a file.
"""
_READ_CPUS, _WRITE_CPUS, _RESTORE_CPUS = 0.25, 0.2, 0.5
"""CPUs reserved for a task of each stage. The numbers differ because Ray Data would otherwise fuse the stages, and are
below 1 so that stages never wait for each other's CPU."""


def run_on_ray(
    items: Sequence[Item],
    settings: CatalogueSettings,
    output: Output,
    address: str,
    workers: int | None = None,
    device: str = "auto",
    restoring: type[RestoringActor] | None = None,
) -> Iterator[Outcome]:
    """Restore garments on the Ray cluster at `address` (auto or HOST:PORT), with `workers` copies of the model.

    The default is one copy per GPU, or one per two CPUs in a cluster without GPUs. Files must be at paths or URLs that
    all machines can access. `restoring` replaces the actor of the second stage. Raises IGRError if Ray is missing, or
    if the cluster is missing or fails; errors raised by the stages propagate.
    """
    ray = import_ray("--ray", "ray.data")
    begun = not ray.is_initialized()
    if begun:
        connect(ray, address, [Path(__file__).parents[2]], {})
    try:
        with _without_traces():
            yield from _run(ray, items, settings, output, workers, device, restoring or RestoringActor)
    except ray.exceptions.RayError as error:
        raise _ours(error) from error
    finally:
        if begun:
            ray.shutdown()


def _run(
    ray: Any,
    items: Sequence[Item],
    settings: CatalogueSettings,
    output: Output,
    workers: int | None,
    device: str,
    restoring: type[RestoringActor],
) -> Iterator[Outcome]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.raise_original_map_exception = True
    resources = ray.cluster_resources()
    cpus, gpus = int(resources.get("CPU", 1)), int(resources.get("GPU", 0)) if device != "cpu" else 0
    most = workers or gpus or max(1, cpus // 2)
    batches = [items[start : start + settings.batch] for start in range(0, len(items), settings.batch)]
    rows = ray.data.from_items([{"data": pickle.dumps(list(one))} for one in batches], override_num_blocks=len(batches))
    shared = {"settings": settings, "output": output}
    threads = max(1, cpus // most)
    tasks = ray.data.TaskPoolStrategy
    done = (
        rows.map_batches(load, batch_size=1, num_cpus=_READ_CPUS, compute=tasks(2 * most), fn_kwargs=shared)
        .map_batches(
            restoring,
            batch_size=1,
            num_cpus=_RESTORE_CPUS,
            num_gpus=1 if gpus else 0,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
            fn_constructor_kwargs={**shared, "device": device, "threads": threads},
        )
        .map_batches(write, batch_size=1, num_cpus=_WRITE_CPUS, compute=tasks(most), fn_kwargs=shared)
    )
    for block in done.iter_batches(batch_size=None, batch_format="numpy"):
        for outcomes in block["data"]:
            yield from pickle.loads(outcomes)


def load(block: Block, settings: CatalogueSettings, output: Output) -> Block:
    """The first stage, for a batch of items."""
    return _applied(Loading(settings, output), block)


class RestoringActor:
    """The second stage: an actor that keeps a worker's models loaded."""

    def __init__(self, settings: CatalogueSettings, output: Output, device: str, threads: int) -> None:
        """Load the models; on a CPU, they use `threads` threads instead of the single thread that Ray sets."""
        torch.set_num_threads(threads)
        self._restoring = Restoring(settings, output, choose_device(device))

    def __call__(self, block: Block) -> Block:
        """Restore a batch of loaded garments."""
        return _applied(self._restoring, block)


def write(block: Block, settings: CatalogueSettings, output: Output) -> Block:
    """The third stage, for a batch of restored garments."""
    return _applied(Writing(settings, output), block)


@contextmanager
def _without_traces() -> Iterator[None]:
    """Keep Ray Data's stack traces off the terminal, where one sentence reports an error.

    The traces are still written to Ray Data's log files, and its warnings are still printed.
    """

    def is_warning(record: logging.LogRecord) -> bool:
        return record.levelno == logging.WARNING

    handlers = [one for one in logging.getLogger("ray.data").handlers if isinstance(one, logging.StreamHandler)]
    for handler in handlers:
        handler.addFilter(is_warning)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_warning)


def _applied(stage: Callable[[Sequence[Any]], list[Any]], block: Block) -> Block:
    made = np.empty(len(block["data"]), object)  # an array of bytes would lose zeros at their ends
    made[:] = [pickle.dumps(stage(pickle.loads(one)), pickle.HIGHEST_PROTOCOL) for one in block["data"]]
    return {"data": made}


def _ours(error: BaseException) -> IGRError:
    """The IGRError that a stage raised on one of the machines, or else an IGRError that says how the cluster failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, IGRError):
            return cause
        cause = getattr(cause, "cause", None) or cause.__cause__
    lines = str(error).strip().splitlines()
    reason = lines[-1] if lines else type(error).__name__
    return IGRError(f"The Ray cluster failed ({reason}): check it with `ray status`, and run the same command again.")
