"""List a folder and the folders in it, and find one by name without leaving that folder."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

from .errors import IGRError


def entries_of(folder: Path | str) -> dict[str, bool]:
    """Map the name of each entry in a folder to whether the entry is a folder.

    Entries that cannot be examined, such as a symlink loop or a path on a disk that is gone, count as files. Raises
    OSError if the folder cannot be listed.
    """
    with os.scandir(folder) as found:
        return {one.name: _is_folder(one) for one in found}


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def folders_below(root: Path) -> list[str]:
    """Sorted names of all folders below `root`, with forward slashes; hidden folders and links are skipped."""
    found = []
    for place, folders, _ in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(place) != root:
            found.append(Path(place).relative_to(root).as_posix())
    return sorted(found)


def folder_below(root: Path, name: str, label: str) -> Path:
    """Path of the folder `name` below `root`; `name` may be a hidden folder.

    Raises IGRError naming `label` if the folder does not exist or is not below `root`. Nothing outside `root` is read.
    """
    path = root / name
    if leads_out(name) or not lies_below(path, root):
        raise IGRError(f'{label} "{name}" is not a folder inside {root}: choose one from the list.')
    if not path.is_dir():
        raise IGRError(f'{label} "{name}" is not in {root}: put the folder there, or choose another one.')
    return path


def leads_out(name: str) -> bool:
    """Whether a path is absolute or contains `..` under the rules of any operating system."""
    path = PureWindowsPath(name)  # understands / and \, and drive letters
    return bool(path.anchor) or ".." in path.parts


def lies_below(path: Path, root: Path) -> bool:
    """Whether a path is below a folder once links are resolved."""
    try:
        return root.resolve() in path.resolve().parents
    except (OSError, RuntimeError, ValueError):  # a symlink loop, or an invalid path
        return False


def resolved(path: Path) -> Path:
    """Resolve the links in a path; unlike Path.resolve, this accepts a symlink loop, which leads to no file."""
    return Path(os.path.realpath(path))
