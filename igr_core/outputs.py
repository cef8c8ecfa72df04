"""Check that a file or folder can be written before long work starts."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .errors import IGRError

LEAST_FREE = 16 * 2**20
"""Free space in bytes that is required to write an output."""
LONGEST_NAME = 255
"""Maximum length of a file name in bytes, on all common file systems."""


class CannotWrite(IGRError):
    """A location is not writable, so no other output of the run can be written there either."""


def check_file(path: Path, what: str = "") -> Path:
    """Return a path if a file can be written there; errors call it `what`, such as `--out`.

    Nothing is left behind. Raises CannotWrite if the path is a folder, a pipe or a device, and in the same cases as
    check_folder.
    """
    if os.path.isdir(path):
        raise CannotWrite(f"{_label(path, what)} is a folder: specify the file to write.")
    if os.path.exists(path) and not os.path.isfile(path):  # it would be replaced, even /dev/null
        raise CannotWrite(f"{_label(path, what)} is a pipe or a device: specify the file to write.")
    _probe(path, path.parent, what)
    return path


def check_folder(folder: Path, what: str = "") -> Path:
    """Return a folder, which may not exist yet, if files can be written into it; nothing is created.

    Raises CannotWrite if the folder or one of its parents is a file or read-only, if its name is too long, or if its
    disk has less free space than LEAST_FREE.
    """
    _probe(folder, folder, what)
    return folder


def _probe(path: Path, folder: Path, what: str) -> None:
    """Raise CannotWrite unless the output `path`, which is in `folder` or is `folder` itself, can be written."""
    label = _label(path, what)
    _check_names(path, what)
    place = Path(os.path.abspath(folder))
    while not os.path.lexists(place):
        place = place.parent
    if not os.path.isdir(place):
        which = label if place == Path(os.path.abspath(path)) else f"{label} is below {place}, which"
        raise CannotWrite(f"{which} is a file, but must be a folder: choose another folder.")
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".igr-", dir=place))
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise CannotWrite(f"{label} cannot be written ({error.strerror or error}): choose another folder.") from error
    if free < LEAST_FREE:
        raise CannotWrite(f"{label} is on a full disk ({free / 1e6:.0f} MB free): free some space.")


def _check_names(path: Path, what: str) -> None:
    for name in path.parts:
        if len(os.fsencode(name)) > LONGEST_NAME:
            raise CannotWrite(f"{what or 'The output'} has a name of {len(name)} characters: choose a shorter one.")


def _label(path: Path, what: str) -> str:
    return f"{what} {path}".strip()
