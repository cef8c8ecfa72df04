"""Check, before a long computation starts, that no output overwrites an input."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from igr_core.errors import IGRError, UsageError
from igr_core.folders import lies_below

Paths = Iterable[Path | str | None]


def check_kept(out: Path, option: str, files: Paths = (), folders: Paths = ()) -> None:
    """Raise UsageError if writing `out` would replace an input file, or any file below an input folder.

    Files are compared after links are followed. `option` is the command-line option for `out`.
    """
    if not os.path.exists(out):
        return
    for file in files:
        if file is not None and os.path.exists(file) and os.path.samefile(out, file):
            raise UsageError(f"{option} {out} would overwrite an input of the command: choose another {option}.")
    for folder in folders:
        if folder is not None and lies_below(out, Path(folder)):
            raise UsageError(f"{option} {out} would overwrite a file of {folder}: choose another {option}.")


def check_parts_kept(out: Path, option: str, parts: Paths) -> None:
    """Like check_kept, for weight files, each of which has its config in a .json file beside it."""
    given = [Path(part) for part in parts if part is not None]
    check_kept(out, option, [file for part in given for file in (part, part.with_suffix(".json"))])


def check_bundle_kept(out: Path, files: Paths, folders: Paths) -> None:
    """Like check_kept, for a bundle written to --out; an earlier bundle in an input folder may be replaced."""
    from igr_core.model.bundle import Bundle

    check_kept(out, "--out", files)
    try:
        check_kept(out, "--out", folders=folders)
    except UsageError:
        try:
            Bundle.open(out)
        except IGRError:
            pass
        else:
            return
        raise
