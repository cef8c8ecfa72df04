"""The report on the garments of a contact sheet: lines of text, and a CSV file beside the saved garments.

Independent of ComfyUI.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...igr_core.errors import IGRError
from ...igr_core.folders import leads_out
from ...igr_core.outputs import check_file
from ...igr_core.restore.csv_lines import Lines, read_lines, write_lines
from ...igr_core.text import one_line

REPORT = "report.csv"
"""Name of the file."""
COLUMNS = ("name", "category", "size", "evidence", "warnings")
"""Columns: name of the garment, its category, width x height in pixels, the fraction of the
garment that was visible in the photo if it was measured, and warnings, as full sentences."""
PLACEHOLDER = re.compile(r"%(?:width|height|year|month|day|hour|minute|second|date:[^%]*|[A-Za-z_]\w*\.\w+)%")
"""Words in a prefix that ComfyUI replaces: Save Image the first ones, the browser a date and a node's value."""


@dataclass(frozen=True)
class Garment:
    """A restored garment."""

    folder: str
    """Folder in which the garment is saved, relative to the output folder; empty for the output folder itself."""
    name: str
    """End of the garment's prefix, with a number if several garments have this prefix."""
    category: str
    """upper, lower or full."""
    size: tuple[int, int]
    """Width and height in pixels."""
    evidence: float | None = None
    """Fraction that was visible in the photo; None if it was not measured."""
    warnings: tuple[str, ...] = ()
    """Warnings about the photo and its mask."""

    @property
    def facts(self) -> str:
        """Category and visible fraction."""
        return self.category if self.evidence is None else f"{self.category}, {self.evidence:.0%} visible"

    @property
    def sentence(self) -> str:
        """Everything known about the garment, on one line."""
        width, height = self.size
        return one_line(" ".join((f"{self.name}: {self.facts}, {width}×{height} pixels.", *self.warnings)))


def split_prefix(prefix: str) -> tuple[str, str]:
    """The folder and the beginning of the file names that Save Image uses for a prefix.

    Raises IGRError if the prefix is empty, leads outside the output folder, or has a placeholder such as %year%.
    """
    folder, name = os.path.split(os.path.normpath(prefix))  # like Save Image
    remedy = "connect IGR Photo Folder's prefix, or use a prefix such as garments/garment"
    if leads_out(prefix) or "\0" in prefix:
        raise IGRError(f'prefix "{one_line(prefix)}" points outside the output folder: {remedy}.')
    if name == ".":
        raise IGRError(f"prefix is empty: {remedy}.")
    if found := PLACEHOLDER.search(prefix):
        raise IGRError(f'prefix "{one_line(prefix)}" has {found[0]}, which ComfyUI replaces: {remedy}.')
    return folder, name


def check_reports(output_root: Path, folders: Iterable[str]) -> None:
    """Raise IGRError if the report in one of these folders below `output_root` cannot be read, or written again."""
    for folder in _reports(output_root, folders):
        check_file(output_root / folder / REPORT)


def _reports(output_root: Path, folders: Iterable[str]) -> dict[str, Lines]:
    """Lines of the reports in these folders, by folder; empty where there is none.

    Raises IGRError if a report.csv is not a report from this node.
    """
    what, remedy = "a report from IGR Contact Sheet", "rename or move it, or choose another save_to in IGR Photo Folder"
    return {folder: read_lines(output_root / folder / REPORT, COLUMNS, what, remedy) for folder in set(folders)}


def update_reports(output_root: Path, garments: Iterable[Garment]) -> dict[str, int]:
    """Add the garments to the reports in their folders, replacing lines of the same name.

    Returns the number of lines of each report, by the report's path relative to `output_root`. Raises IGRError as
    check_reports and write_lines do.
    """
    garments = list(garments)
    reports = _reports(output_root, (one.folder for one in garments))
    for one in garments:
        reports[one.folder][one.name] = _line(one)
    for folder, lines in reports.items():
        write_lines(output_root / folder / REPORT, COLUMNS, lines)
    return {(Path(folder) / REPORT).as_posix(): len(lines) for folder, lines in sorted(reports.items())}


def _line(one: Garment) -> dict[str, str]:
    width, height = one.size
    return {
        "name": one.name,
        "category": one.category,
        "size": f"{width}x{height}",
        "evidence": "" if one.evidence is None else f"{one.evidence:.3f}",
        "warnings": " ".join(one.warnings),
    }
