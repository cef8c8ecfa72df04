"""Connect to a Ray cluster."""

from __future__ import annotations

import importlib
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import IGRError

PATIENCE = 10.0
"""Seconds to wait for an answer at an address."""


def import_ray(what: str, *modules: str) -> Any:
    """Import Ray and its `modules`; if one of them is missing, raises an IGRError saying that `what` needs Ray."""
    try:
        import ray

        for module in modules:
            importlib.import_module(module)
    except ImportError as error:
        raise IGRError(f"{what} needs Ray: run `pip install 'ray[data]'` on all machines.") from error
    return ray


def connect(ray: Any, address: str, packages: Sequence[Path], environment: Mapping[str, str]) -> None:
    """Connect to a cluster, send it the code of `packages`, and set the `environment` variables of its workers.

    `address` is auto for this machine's cluster, HOST:PORT, or ray://HOST:PORT. Raises IGRError if there is no cluster.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if main else None
    try:
        if host and port.isdigit():
            socket.create_connection((host, int(port)), PATIENCE).close()  # Ray would try for many minutes
        runtime = {"py_modules": [str(folder) for folder in packages], "env_vars": dict(environment)}
        ray.init(address, runtime_env=runtime, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise IGRError(
            f"No Ray cluster was found at {address} ({error}): start one with `ray start --head`, and pass its address."
        ) from error
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)  # Ray replaces it with one that exits at once
