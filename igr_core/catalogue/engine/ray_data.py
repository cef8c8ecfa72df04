"""Run the stages on a cluster with Ray Data: actors hold the models, other tasks read photos and write results.

Ray Data keeps memory bounded, and repeats the batch of a worker that died; the ledger finds garments that kill workers.
"""

from __future__ import annotations

import importlib
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...device import choose_device
from ..report.outcome import Outcome
from ..settings import CatalogueSettings, Output
from ..stages.loading import Loading
from ..stages.restoring import Restoring
from ..stages.writing import Writing
from ..table.items import Item
from .cluster import connect, import_ray

Batch = dict[str, Any]
"""A batch as Ray Data passes it: a column of pickled objects."""
_READ_CPUS, _WRITE_CPUS, _RESTORE_CPUS = 0.25, 0.2, 0.5
"""CPUs reserved for a task of each stage. They differ because Ray Data would otherwise join the stages, and are below 1
so that stages never wait for each other's CPU."""


def run_on_ray(
    items: Sequence[Item],
    settings: CatalogueSettings,
    output: Output,
    address: str,
    workers: int | None = None,
    restoring: type[RestoringActor] | None = None,
) -> Iterator[Outcome]:
    """Restore garments on the cluster at an address, as `connect` takes it, with `workers` copies of the model.

    The default is one copy per GPU, or one per two CPUs in a cluster without GPUs. Files must be at paths or URLs that
    all machines can use. `restoring` replaces the actor of the second stage. Raises IGRError if Ray or the cluster is
    missing, and what the stages raise.
    """
    ray = import_ray("--ray")
    importlib.import_module("ray.data")
    begun = not ray.is_initialized()
    if begun:
        connect(ray, address, [Path(__file__).parents[2]], {})
    try:
        yield from _run(ray, items, settings, output, workers, restoring or RestoringActor)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    finally:
        if begun:
            ray.shutdown()


def _run(
    ray: Any,
    items: Sequence[Item],
    settings: CatalogueSettings,
    output: Output,
    workers: int | None,
    restoring: type[RestoringActor],
) -> Iterator[Outcome]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    most = workers or gpus or max(1, int(resources.get("CPU", 1)) // 2)
    blocks = math.ceil(len(items) / settings.batch)  # a block is what is repeated if a worker dies
    rows = ray.data.from_items([{"data": pickle.dumps(one)} for one in items], override_num_blocks=blocks)
    size, shared = settings.batch, {"settings": settings, "output": output}
    done = (
        rows.map_batches(load, batch_size=size, num_cpus=_READ_CPUS, concurrency=2 * most, fn_kwargs=shared)
        .map_batches(
            restoring,
            batch_size=size,
            num_cpus=_RESTORE_CPUS,
            num_gpus=1 if gpus else 0,
            concurrency=(1, most),
            fn_constructor_kwargs=shared,
        )
        .map_batches(write, batch_size=size, num_cpus=_WRITE_CPUS, concurrency=most, fn_kwargs=shared)
    )
    for batch in done.iter_batches(batch_size=None, batch_format="numpy"):
        yield from _unpacked(batch)


def load(batch: Batch, settings: CatalogueSettings, output: Output) -> Batch:
    """The first stage, for a batch of items."""
    return _applied(Loading(settings, output), batch)


class RestoringActor:
    """The second stage, which keeps the models of a worker."""

    def __init__(self, settings: CatalogueSettings, output: Output) -> None:
        self._restoring = Restoring(settings, output, choose_device("auto"))

    def __call__(self, batch: Batch) -> Batch:
        """Restore a batch of loaded garments."""
        return _applied(self._restoring, batch)


def write(batch: Batch, settings: CatalogueSettings, output: Output) -> Batch:
    """The third stage, for a batch of restored garments."""
    return _applied(Writing(settings, output), batch)


def _applied(stage: Callable[[Sequence[Any]], list[Any]], batch: Batch) -> Batch:
    made = stage(_unpacked(batch))
    packed = np.empty(len(made), object)  # an array of bytes would lose zeros at their ends
    packed[:] = [pickle.dumps(one, pickle.HIGHEST_PROTOCOL) for one in made]
    return {"data": packed}


def _unpacked(batch: Batch) -> list[Any]:
    return [pickle.loads(one) for one in batch["data"]]
