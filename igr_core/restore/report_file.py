"""The report on a run as a CSV file, with one line per photo."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from .csv_lines import Lines, append_line, read_lines, write_lines
from .jobs import Report
from .planning import Job

COLUMNS = ("photo", "result", "image", "visible", "notes")
"""Columns: the photo's file name, the result, the image's path, the visible fraction of the garment if it was measured,
and notes, as full sentences."""
RESTORED, SET_ASIDE, FAILED = "restored", "set aside", "failed"
"""Values of the `result` column."""
EARLIER = "Restored in an earlier run that did not write this report."
"""Note on a garment whose image exists, but whose line is missing or has another result."""


def read_report(path: Path) -> Lines:
    """Lines of an earlier run's report, by photo; empty if the file does not exist.

    Raises IGRError if the file is not a report, so that no other file is overwritten.
    """
    return read_lines(path, COLUMNS, "a report from this command", "choose another --report file")


def write_report(path: Path, report: Report, jobs: dict[str, Job], before: Lines) -> None:
    """Write the lines of `before`, with those of this run's photos added or replaced, sorted by name.

    `jobs` are all jobs of the run, by the file names of their photos. Garments that it skipped keep their lines, or
    get one with the note EARLIER.
    """
    lines, done, skipped = dict(before), set(report.done), set(report.skipped)
    for name, job in jobs.items():
        if (line := _line_of(job, report, done)) is not None:
            lines[name] = line
        elif job.out in skipped and (found := job.existing) is not None:
            result = RESTORED if found == job.out else SET_ASIDE
            if before.get(name, {}).get("result") != result:
                lines[name] = _line(name, result, found, report, EARLIER)
    for job in jobs.values():
        for photo, _ in job.also:  # which may have failed in an earlier run
            lines.pop(photo.name, None)
    for name in report.failed:
        lines[name] = _line(name, FAILED, None, report)
    write_lines(path, COLUMNS, lines)


def add_to_report(path: Path, report: Report, job: Job) -> None:
    """Append the line of a photo that has just been restored or has failed, without rewriting the file.

    Raises CannotWrite as append_line does.
    """
    name = job.person.name
    line = _line(name, FAILED, None, report) if name in report.failed else _line_of(job, report, report.done[-1:])
    if line is not None:
        append_line(path, COLUMNS, line)


def _line_of(job: Job, report: Report, done: Container[Path]) -> dict[str, str] | None:
    """The report line for a job's photo if its garment is one of the images in `done`; None otherwise."""
    name = job.person.name
    aside = name in report.set_aside
    image = job.set_aside if aside else job.out
    return _line(name, SET_ASIDE if aside else RESTORED, image, report) if image in done else None


def _line(name: str, result: str, image: Path | None, report: Report, *more: str) -> dict[str, str]:
    notes = [*report.notes.get(name, ()), *([report.failed[name]] if name in report.failed else []), *more]
    seen = report.visible.get(name)
    return {
        "photo": name,
        "result": result,
        "image": "" if image is None else str(image),
        "visible": "" if seen is None else f"{seen:.3f}",
        "notes": " ".join(notes),
    }
