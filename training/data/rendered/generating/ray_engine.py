"""Make records on many machines with Ray; every seed's record arrives exactly once, even if workers die."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError

from ..base.settings import RenderSettings
from ..records.shards import KILLED, Made
from .pools import AHEAD, MAX_DEATHS, ONE_THREAD, Maker, make

PATIENCE = 10.0
"""Seconds between checks of the cluster's size, which may change."""


def make_with_ray(seeds: Sequence[int], settings: RenderSettings, maker: Maker, address: str) -> Iterator[Made]:
    """Make the records on a Ray cluster, with one CPU each; the seeds of lost machines are made again.

    A seed at which workers die MAX_DEATHS times is skipped.

    `address` is auto for this machine's cluster, HOST:PORT, or ray://HOST:PORT. The machines need Ray and the packages
    of the extra `render`; this package's code is sent to them. Raises IGRError if Ray or the cluster is missing.
    """
    ray = _ray()
    begun = not ray.is_initialized()
    if begun:
        _connect(ray, address, maker)
    try:
        render = ray.remote(make).options(num_cpus=1, max_retries=MAX_DEATHS - 1)
        waiting = list(reversed(seeds))
        running: dict[Any, int] = {}
        while waiting or running:
            room = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while waiting and len(running) < room:
                seed = waiting.pop()
                running[render.remote(seed, settings, maker)] = seed
            done, _ = ray.wait(list(running), num_returns=1, timeout=PATIENCE)
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


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise IGRError("Rendering on many machines needs Ray: run `pip install 'ray[data]'` on all of them.") from error
    return ray


def _connect(ray: Any, address: str, maker: Maker) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if host and port.isdigit():
            socket.create_connection((host, int(port)), PATIENCE).close()  # Ray would try for many minutes
        environment = {"py_modules": _packages(maker), "env_vars": ONE_THREAD}
        ray.init(address, runtime_env=environment, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise IGRError(
            f"No Ray cluster was found at {address} ({error}): start one with `ray start --head`, and pass its address."
        ) from error


def _packages(maker: Maker) -> list[str]:
    """Folders of the packages to send to the machines."""
    names = dict.fromkeys(("igr_core", "training", maker.__module__.partition(".")[0]))
    modules = [sys.modules[name] for name in names]
    return [str(Path(module.__file__).parent) for module in modules if module.__file__]
