"""The report on a run as a CSV file, with one line per photo."""

from __future__ import annotations

from pathlib import Path

from .csv_lines import Lines, read_lines, write_lines
from .jobs import Report
from .planning import Job

COLUMNS = ("photo", "result", "image", "visible", "notes")
"""Columns: the photo's file name, the result, the image's path, the visible fraction of the garment if it was measured,
and notes in sentences."""
RESTORED, SET_ASIDE, FAILED = "restored", "set aside", "failed"
"""Values of the column `result`."""


def read_report(path: Path) -> Lines:
    """Lines of an earlier run's report, by photo; empty if the file does not exist.

    Raises IGRError if the file is not a report, so that no other file is overwritten.
    """
    return read_lines(path, COLUMNS, "a report of this command", "choose another --report file")


def write_report(path: Path, report: Report, jobs: dict[str, Job], before: Lines) -> None:
    """Write the lines of `before`, with those of this run's photos added or replaced, sorted by name.

    `jobs` are the jobs of this run, by the file names of their photos.
    """
    lines, done = dict(before), set(report.done)
    for name, job in jobs.items():
        aside = name in report.set_aside
        image = job.set_aside if aside else job.out
        if image in done:
            lines[name] = _line(name, SET_ASIDE if aside else RESTORED, image, report)
    for name in report.failed:
        lines[name] = _line(name, FAILED, None, report)
    write_lines(path, COLUMNS, lines)


def _line(name: str, result: str, image: Path | None, report: Report) -> dict[str, str]:
    notes = [*report.notes.get(name, ()), *([report.failed[name]] if name in report.failed else [])]
    seen = report.visible.get(name)
    return {
        "photo": name,
        "result": result,
        "image": "" if image is None else str(image),
        "visible": "" if seen is None else f"{seen:.3f}",
        "notes": " ".join(notes),
    }
