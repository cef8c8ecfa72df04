"""Notice that a memory-mapped file was changed: reading a page that it no longer has kills the process with SIGBUS."""

from __future__ import annotations

import os
from pathlib import Path

from igr_core.errors import IGRError


class Unchanged:
    """Size and time of a file when it was opened."""

    def __init__(self, path: Path) -> None:
        """Raises IGRError if the file cannot be found."""
        self._path = path
        self._stamp = self._now()

    def check(self) -> None:
        """Raise IGRError if the file was replaced, changed, truncated or removed since it was opened."""
        if self._now() != self._stamp:
            raise IGRError(f"{self._path} was changed while it was in use: create it again, and restart.")

    def _now(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)
        except OSError as error:
            raise IGRError(f"{self._path} could not be read ({error.strerror}): check its disk.") from error
        return status.st_ino, status.st_size, status.st_mtime_ns
