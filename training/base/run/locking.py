"""A lock on a folder that only one process may write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from igr_core.errors import IGRError


@contextmanager
def locked(folder: Path, in_use: str) -> Iterator[None]:
    """Hold the lock of a folder; the operating system releases it even if the process is killed.

    Raises IGRError with the message `in_use` if another process holds the lock, or if the folder cannot be written to.
    """
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise IGRError(in_use) from error
    except OSError as error:
        raise IGRError(
            f"Could not write to {folder} ({error.strerror}): make the folder writable, or choose another one."
        ) from error
    try:
        yield
    finally:
        lock.release()
