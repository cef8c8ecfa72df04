"""Subfolders of a folder: listing them, and finding one by name without leaving it."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

from .errors import IGRError


def folders_below(root: Path) -> list[str]:
    """Names of all folders below `root`, nested ones with forward slashes, sorted; without hidden ones and links."""
    found = []
    for place, folders, _ in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(place) != root:
            found.append(Path(place).relative_to(root).as_posix())
    return sorted(found)


def folder_below(root: Path, name: str, label: str) -> Path:
    """The folder `name`, one of folders_below(root), also when it is hidden.

    Raises IGRError naming `label` when it is not there or does not lie below `root`; nothing outside is looked at.
    """
    path = root / name
    if leads_out(name) or not lies_below(path, root):
        raise IGRError(f'{label} "{name}" is no folder inside {root}: choose one from the list.')
    if not path.is_dir():
        raise IGRError(f'{label} "{name}" is not in {root}: put the folder there, or choose another one.')
    return path


def leads_out(name: str) -> bool:
    """Whether a relative path is none, or climbs, by the rules of any system."""
    path = PureWindowsPath(name)  # knows both slashes and drive letters
    return bool(path.anchor) or ".." in path.parts


def lies_below(path: Path, root: Path) -> bool:
    """Whether a path lies below a folder once links are followed."""
    try:
        return root.resolve() in path.resolve().parents
    except (OSError, RuntimeError, ValueError):  # a ring of links, or no path at all
        return False
