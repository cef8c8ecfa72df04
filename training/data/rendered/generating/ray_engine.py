"""Make records on many machines with Ray; every seed's record arrives exactly once, even if workers die."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from igr_core.catalogue.engine.cluster import PATIENCE, connect, import_ray

from ..base.settings import RenderSettings
from ..records.shards import KILLED, Made
from .pools import AHEAD, MAX_DEATHS, ONE_THREAD, Maker, make


def make_with_ray(seeds: Sequence[int], settings: RenderSettings, maker: Maker, address: str) -> Iterator[Made]:
    """Make the records on a Ray cluster, using one CPU for each; seeds of lost machines are made again.

    A seed is skipped once MAX_DEATHS workers have died while making its record.
    `address` is auto for this machine's cluster, HOST:PORT, or ray://HOST:PORT. The machines need Ray and the packages
    of the `render` extra; this package's code is sent to them. Raises IGRError if Ray or the cluster is missing.
    """
    ray = import_ray("Rendering on many machines")
    begun = not ray.is_initialized()
    if begun:
        connect(ray, address, _packages(maker), ONE_THREAD)
    try:
        render = ray.remote(make).options(num_cpus=1, max_retries=MAX_DEATHS - 1)
        waiting = list(reversed(seeds))
        running: dict[Any, int] = {}
        while waiting or running:
            room = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while waiting and len(running) < room:
                seed = waiting.pop()
                running[render.remote(seed, settings, maker)] = seed
            done, _ = ray.wait(list(running), num_returns=1, timeout=PATIENCE)  # the cluster may grow or shrink
            for one in done:
                seed = running.pop(one)
                try:
                    yield ray.get(one)
                except ray.exceptions.NodeDiedError:
                    waiting.append(seed)
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                    yield Made(seed, None, {KILLED: 1})
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    finally:
        if begun:
            ray.shutdown()


def _packages(maker: Maker) -> list[Path]:
    """Folders of the packages to send to the machines."""
    names = dict.fromkeys(("igr_core", "training", maker.__module__.partition(".")[0]))
    modules = [sys.modules[name] for name in names]
    return [Path(module.__file__).parent for module in modules if module.__file__]
