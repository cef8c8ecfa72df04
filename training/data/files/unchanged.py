"""Detect changes to a memory-mapped file: reading a page that no longer exists kills the process (SIGBUS)."""

from __future__ import annotations

import os
from pathlib import Path

from igr_core.errors import IGRError


class Unchanged:
    """Identity, size and modification time of a file when it was opened."""

    def __init__(self, path: Path) -> None:
        """Raises IGRError if the file does not exist."""
        self._path = path
        found = self._now()
        if found is None:
            raise IGRError(f"{path} does not exist: check the folder.")
        self._stamp = found

    def check(self) -> None:
        """Raise IGRError if the file was changed in place since it was opened.

        A file that was replaced or removed may still be read, because its memory map stays intact.
        """
        now = self._now()
        if now is not None and now[0] == self._stamp[0] and now != self._stamp:
            raise IGRError(f"{self._path} was changed while it was in use: create the file again, and restart.")

    def _now(self) -> tuple[int, int, int] | None:
        """Identity, size and modification time of the file now; None if it is missing."""
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
