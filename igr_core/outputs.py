"""Check that a file or folder can be written before long work starts."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .errors import IGRError
from .folders import resolved

LEAST_FREE = 16 * 2**20
"""Free space in bytes that is required to write an output."""
LONGEST_NAME = 255
"""Maximum length of a file name in bytes, on all common file systems."""


class CannotWrite(IGRError):
    """A location is not writable, so no other output of the run can be written there either."""


def check_file(path: Path, what: str = "") -> Path:
    """Return `path` if a file can be written there; error messages call it `what`, such as `--out`.

    Nothing is left behind. Raises CannotWrite if the path is a folder, a pipe or a device, and for the same reasons as
    check_folder.
    """
    if os.path.isdir(path):
        raise CannotWrite(f"{_label(path, what)} is a folder: specify the file to write.")
    if os.path.exists(path) and not os.path.isfile(path):  # it would be replaced, even /dev/null
        raise CannotWrite(f"{_label(path, what)} is a pipe or a device: specify the file to write.")
    _probe(path, path.parent, what)
    return path


def check_folder(folder: Path, what: str = "") -> Path:
    """Return `folder`, which may not exist yet, if files can be written into it; nothing is created.

    Raises CannotWrite if the folder or one of its parents is a file or read-only, if its name is too long, or if its
    disk has less free space than LEAST_FREE.
    """
    _probe(folder, folder, what)
    return folder


def same_place(path: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, however they are spelled; neither needs to exist."""
    if place(path) == place(other):
        return True
    try:  # names that differ only in case are the same on a case-insensitive file system
        return os.path.samefile(path, other)
    except OSError:
        return False


def place(path: Path) -> str:
    """The canonical form of a path, which is the same for every spelling; the file does not need to exist."""
    return os.path.normcase(resolved(path))


def is_below(path: Path, other: Path) -> bool:
    """Whether a path leads to something inside the folder `other`, at any depth, however both are spelled."""
    return Path(place(other)) in Path(place(path)).parents


def _probe(path: Path, folder: Path, what: str) -> None:
    """Raise CannotWrite unless the output `path`, which is in `folder` or is `folder` itself, can be written."""
    label = _label(path, what)
    _check_names(path, what)
    _check_parents(path, label)
    existing = Path(os.path.abspath(folder))
    while not os.path.lexists(existing):
        existing = existing.parent
    if not os.path.isdir(existing):
        which = label if existing == Path(os.path.abspath(path)) else f"{label} is below {existing}, which"
        raise CannotWrite(f"{which} is a file, but must be a folder: choose another folder.")
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".igr-", dir=existing))
        free = shutil.disk_usage(existing).free
    except OSError as error:
        raise CannotWrite(f"{label} cannot be written ({error.strerror or error}): choose another folder.") from error
    if free < LEAST_FREE:
        raise CannotWrite(f"{label} is on a full disk ({free / 1e6:.0f} MB free): free some space.")


def _check_names(path: Path, what: str) -> None:
    for name in path.parts:
        if len(os.fsencode(name)) > LONGEST_NAME:
            raise CannotWrite(f"{what or 'The output'} has a name of {len(name)} characters: choose a shorter one.")


def _check_parents(path: Path, label: str) -> None:
    """Raise CannotWrite if `..` follows a folder that does not exist.

    That folder would be created, and until then an existing file at the path would not be found.
    """
    for number, part in enumerate(path.parts):
        folder = Path(*path.parts[:number])
        if part == ".." and not os.path.isdir(folder):
            raise CannotWrite(f"{label} leads through {folder}, which does not exist: leave it out of the path.")


def _label(path: Path, what: str) -> str:
    return f"{what} {path}".strip()
