"""Read and write a CSV file with one line per photo or garment, which later runs extend."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import IGRError
from ..files import atomic_file, make_folder
from ..outputs import CannotWrite
from ..text import as_cell, from_cell

Lines = dict[str, dict[str, str]]
"""Lines by the value of their first column; each is a dict from column to value."""


def read_lines(path: Path, columns: Sequence[str], what: str, remedy: str) -> Lines:
    """Lines of a file with these columns; empty if the file does not exist.

    Raises IGRError if the file cannot be read or has other columns, so that it is not overwritten; the message says
    that it is not `what`, and ends in `remedy`.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe or a device would never end
        raise IGRError(f"{path} is not a file: {remedy}.")
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
            reader = csv.DictReader(handle)
            if reader.fieldnames != list(columns):
                raise IGRError(f"{path} exists, but is not {what}: {remedy}.")
            lines = [{name: from_cell(line[name] or "") for name in columns} for line in reader]
            return {line[columns[0]]: line for line in lines}
    except FileNotFoundError:
        return {}
    except (OSError, csv.Error) as error:
        raise IGRError(f"{path} cannot be read ({error}): {remedy}.") from error


def write_lines(path: Path, columns: Sequence[str], lines: Mapping[str, Mapping[str, str]]) -> None:
    """Write the lines, sorted by their keys; text that a spreadsheet would evaluate as a formula is escaped.

    Raises IGRError as make_folder and atomic_file do.
    """
    make_folder(path.parent)
    with (
        atomic_file(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as handle,
    ):
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows([as_cell(lines[key][column]) for column in columns] for key in sorted(lines))


def append_line(path: Path, columns: Sequence[str], line: Mapping[str, str]) -> None:
    """Append one line to a file that write_lines wrote; if several lines have the same key, the last one counts.

    Raises CannotWrite if the file cannot be written to.
    """
    try:
        with path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as handle:
            csv.writer(handle).writerow([as_cell(line[column]) for column in columns])
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written ({error.strerror or error}): choose another file.") from error
