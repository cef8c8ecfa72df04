"""Run a catalogue: plan what is left, run an engine, and keep the report complete."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import IGRError
from ..outputs import check_folder
from .engine.local import Stages, run_here
from .engine.ray_data import run_on_ray
from .report.contact_sheet import SHEET, contact_sheet
from .report.outcome import CRASHED, FAILED, Outcome
from .report.report import Report
from .settings import RECORDS, CatalogueSettings, Output
from .stages.loading import Loading
from .stages.restoring import Restoring
from .stages.writing import Writing
from .table.items import Item, Items

Engine = Callable[[Sequence[Item]], Iterator[Outcome]]
"""Restores garments and yields their outcomes, in any order."""

_WRITE_EVERY = 15.0
"""Minimum number of seconds between updates of the report."""
_WRITE_SHARE = 0.05
"""Maximum fraction of a run's time that is spent on updates of the report."""


@dataclass(frozen=True)
class Plan:
    """What a run has to do."""

    left: tuple[Item, ...]
    """Garments to restore."""
    done: int
    """Number of garments that earlier runs restored."""
    crashed: int
    """Number of garments that killed two workers in earlier runs and are left out."""
    invalid: tuple[Outcome, ...]
    """Outcomes of rows that are not valid."""


def plan(
    items: Items, report: Report, settings: CatalogueSettings, *, overwrite: bool = False, retry_crashed: bool = False
) -> Plan:
    """Compare the garments of a table with the report on earlier runs.

    Raises IGRError if earlier garments were restored with another model or other settings, unless `overwrite`.
    """
    invalid = tuple(
        Outcome(name, FAILED, photo, 0, error=error, model=settings.model, settings=settings.in_words)
        for name, (photo, error) in items.failed.items()
    )
    left, done, crashed = [], 0, 0
    for item in items.items:
        before = report.outcomes.get(item.name)
        if before is None or overwrite or before.status == FAILED:
            left.append(item)
        elif before.status == CRASHED:
            crashed += not retry_crashed
            left += [item] if retry_crashed else []
        else:
            _check_same(before, settings)
            done += 1
    return Plan(tuple(left), done, crashed, invalid)


def run(
    todo: Plan, report: Report, output: Output, engine: Engine, title: str, on_outcome: Callable[[Outcome], None]
) -> None:
    """Restore what is left. However the run ends, the report and the contact sheet are complete afterwards.

    Raises what the engine raises, and CannotWrite if the output folder cannot be written to.
    """
    report.remove([name for name, one in report.outcomes.items() if one.photos == 0])  # rows of the last run
    for one in todo.invalid:
        report.add(one)
        on_outcome(one)
    last, took = time.monotonic(), 0.0
    try:
        for outcome in engine(todo.left) if todo.left else ():
            report.add(outcome)
            on_outcome(outcome)
            start = time.monotonic()
            if start - last > max(_WRITE_EVERY, took / _WRITE_SHARE):
                report.write()
                last = time.monotonic()
                took = last - start
    finally:
        report.collect()
        report.write()
        output.root.write(SHEET, contact_sheet(report.outcomes.values(), title).encode())


def here(settings: CatalogueSettings, output: Output, device: str) -> Engine:
    """The engine that runs in this process; the models are loaded before the first garment is restored."""

    def engine(items: Sequence[Item]) -> Iterator[Outcome]:
        stages = Stages(Loading(settings, output), Restoring(settings, output, device), Writing(settings, output))
        return run_here(items, stages, settings.batch)

    return engine


def on_ray(settings: CatalogueSettings, output: Output, address: str, workers: int | None) -> Engine:
    """The engine that runs on a Ray cluster, as engine.ray_data.run_on_ray does."""
    return lambda items: run_on_ray(items, settings, output, address, workers)


def check_output(output: Output) -> None:
    """Raise CannotWrite, or IGRError for a URL, if the output folder cannot be written to."""
    if "://" not in output.url:
        check_folder(Path(output.url), "--out")
        return
    probe = output.folder(RECORDS)
    probe.write(".probe", b"")
    probe.remove(".probe")


def _check_same(before: Outcome, settings: CatalogueSettings) -> None:
    remedy = "another --out, or --overwrite to restore all garments again."
    if before.model != settings.model:
        raise IGRError(
            f"{before.name} was restored with another model ({before.model}, now {settings.model}): use {remedy}"
        )
    if before.settings != settings.in_words:
        raise IGRError(
            f"{before.name} was restored with other settings ({_difference(before.settings, settings.in_words)}): "
            f"use the same settings, {remedy}"
        )


def _difference(old: str, new: str) -> str:
    """The settings that differ, `seed 4, now 25`."""
    before, now = json.loads(old), json.loads(new)
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return "; ".join(f"{name} {before.get(name)}, now {now.get(name)}" for name in names)
