"""Write small text files atomically, and check for regular files and free disk space."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.files import atomic_file


def check_space(folder: Path, size: float, what: str) -> None:
    """Raise IGRError unless the disk of `folder` has space for `size` bytes of `what`."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise IGRError(
            f"{what} needs about {size / 1e9:.2f} GB in {folder}, but only {free / 1e9:.2f} GB is free: free some "
            "space, or choose another folder."
        )


def check_regular(path: Path | str, remedy: str) -> None:
    """Raise IGRError unless a path is a regular file; reading from a pipe, for example, could block forever."""
    if not os.path.exists(path):
        raise IGRError(f"{path} does not exist: {remedy}.")
    if not os.path.isfile(path):
        raise IGRError(f"{path} is not a file: {remedy}.")


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
