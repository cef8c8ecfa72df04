"""Run a catalogue: find the garments that are left, restore them with an engine, and keep the report complete."""

from __future__ import annotations

import filecmp
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import IGRError, UsageError
from ..files import make_folder
from ..outputs import check_folder, place
from ..storage import is_url, local_path
from .earlier_files import EarlierFiles
from .engine.local import Stages, run_here
from .engine.ray_data import run_on_ray
from .report.outcome import CRASHED, DONE, FAILED, Outcome
from .report.report import FILES, Report
from .settings import BEGUN, IMAGES, RECORDS, CatalogueSettings, Output
from .stages.loading import Loading
from .stages.restoring import Restoring
from .stages.writing import Writing
from .table.items import Item, Items

Engine = Callable[[Sequence[Item]], Iterator[Outcome]]
"""Restores garments and yields their outcomes, in any order."""

LOCK = ".lock"
"""Name of the file that a run locks to keep other runs out of a local output folder."""
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
    """Number of garments that crashed two workers in earlier runs and are left out."""
    changed: tuple[str, ...]
    """Names of garments that are restored again because their rows have changed."""
    missing: tuple[str, ...]
    """Names of garments that are restored again because some of their files are missing."""
    invalid: tuple[Outcome, ...]
    """Outcomes of rows that are not valid."""
    dropped: tuple[str, ...]
    """Names of garments whose outcomes from earlier runs no longer apply."""
    earlier: EarlierFiles
    """Files of earlier runs."""


def plan(
    items: Items, report: Report, settings: CatalogueSettings, *, overwrite: bool = False, retry_crashed: bool = False
) -> Plan:
    """Compare the garments of a table with the report on earlier runs.

    Raises IGRError if garments in the output folder were restored with another model or other settings, unless
    `overwrite` is set, which drops all earlier outcomes.
    """
    invalid = tuple(
        Outcome(name, FAILED, photo, 0, error=error, model=settings.model, settings=settings.in_words)
        for name, (photo, error) in items.failed.items()
    )
    if overwrite:
        return Plan(items.items, 0, 0, (), (), invalid, tuple(report.outcomes), EarlierFiles(report.output))
    for before in report.outcomes.values():
        if before.status in DONE:
            _check_same(before, settings)
    earlier = EarlierFiles(report.output)
    left, changed, missing, done, crashed = [], [], [], 0, 0
    for item in items.items:
        before = report.outcomes.get(item.name)
        if before is None or before.status == FAILED or not _has_inputs(before, item):
            left.append(item)
            changed += [item.name] if before is not None and before.status != FAILED else []
        elif before.status in DONE and before.photos < len(item.photos):  # those left out may be usable now
            left.append(item)
        elif before.status == CRASHED:
            crashed += not retry_crashed
            left += [item] if retry_crashed else []
        elif not earlier.complete(before):
            left.append(item)
            missing.append(item.name)
        else:
            done += 1
    wanted = {item.name for item in items.items}
    gone = [name for name, one in report.outcomes.items() if name not in wanted and one.status not in DONE]
    dropped = (*gone, *changed, *missing)
    return Plan(tuple(left), done, crashed, tuple(changed), tuple(missing), invalid, dropped, earlier)


def _has_inputs(before: Outcome, item: Item) -> bool:
    """Whether a garment was restored from its present rows; its folder may have been moved since."""
    if before.inputs == item.inputs_with_full_paths:
        return True
    if before.inputs != item.inputs:
        return False
    try:  # another folder may have photos of the same names
        return before.photo == item.photos[0].path or filecmp.cmp(before.photo, item.photos[0].path, shallow=False)
    except (OSError, ValueError):  # one of them is gone: the folder was moved
        return True


def run(
    todo: Plan, report: Report, output: Output, engine: Engine, title: str, on_outcome: Callable[[Outcome], None]
) -> None:
    """Restore the garments that are left. However the run ends, the report and the contact sheet are then complete.

    Errors raised by the engine propagate. Raises CannotWrite if the output folder cannot be written to.
    """
    outcomes = engine(todo.left) if todo.left else ()  # loads the models, so damaged ones fail before any write
    stale = {name: report.outcomes[name] for name in todo.dropped}
    report.remove(todo.dropped)
    for one in report.outcomes.values():  # a run may have been killed after it wrote an image and its record
        todo.earlier.remove_others(one)
    for one in todo.invalid:
        report.add(one)
        on_outcome(one)
    report.write(title)  # no record of an earlier run may be read after one of this run
    last, took = time.monotonic(), 0.0
    try:
        for outcome in outcomes:
            report.add(outcome)
            _remove_files(output, stale.get(outcome.name), outcome)
            todo.earlier.remove_others(outcome)
            on_outcome(outcome)
            start = time.monotonic()
            if start - last > max(_WRITE_EVERY, took / _WRITE_SHARE):
                report.write(title)
                last = time.monotonic()
                took = last - start
    finally:
        output.folder(BEGUN).clear()  # any notes left are not from a crash
        report.write(title)


@contextmanager
def in_use(output: Output) -> Iterator[None]:
    """Keep other runs out of a local output folder; raises IGRError if one is using it.

    There is no lock for a folder at a URL.
    """
    if is_url(output.url):
        yield
        return
    from filelock import FileLock, Timeout

    folder = Path(output.url)
    make_folder(folder)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise IGRError(
            f"{folder} is being used by another run: wait for it to finish, or use another --out."
        ) from error
    except OSError as error:
        raise IGRError(
            f"{folder / LOCK} cannot be locked ({error.strerror or error}): remove it, or use another --out."
        ) from error
    try:
        yield
    finally:
        lock.release()


def here(settings: CatalogueSettings, output: Output, device: str) -> Engine:
    """The engine that runs in this process; the models are loaded before the first garment is restored."""

    def engine(items: Sequence[Item]) -> Iterator[Outcome]:
        stages = Stages(Loading(settings, output), Restoring(settings, output, device), Writing(settings, output))
        return run_here(items, stages, settings.batch)

    return engine


def on_ray(settings: CatalogueSettings, output: Output, address: str, workers: int | None, device: str) -> Engine:
    """The engine that runs on a Ray cluster; see engine.ray_data.run_on_ray."""
    return lambda items: run_on_ray(items, settings, output, address, workers, device)


def check_inputs(items: Items, source: str, masks: str | None, output: Output) -> None:
    """Raise UsageError if a run would write to the folder of one of its inputs, or replace its table."""
    root = _place(output.url)
    own = {_place(output.root.at(name)) for name in (*IMAGES, RECORDS, BEGUN)}
    places: dict[str, str] = {}
    photos = (path for item in items.items for photo in item.photos for path in (photo.path, photo.mask) if path)
    for location in (source, *photos):
        folder, name = location.rpartition("/")[::2] if is_url(location) else os.path.split(location)
        if folder not in places:
            places[folder] = _place(folder)
        where = places[folder]
        if where in own or (where == root and name in FILES):
            raise UsageError(f"{location} is among the files that this run would write: use another --out.")
    for folder in filter(None, (source, masks)):
        if _place(folder) in own:
            raise UsageError(f"{folder} is a folder that this run would write to: use another --out.")


def check_output(output: Output) -> None:
    """Raise IGRError if the output folder cannot be written to, or has images or reports from other programs.

    This also applies if a file has the name of one of its folders, or a folder that of one of its files.
    """
    if not is_url(output.url):
        check_folder(Path(output.url), "--out")
    names = output.root.entries()
    for name, is_folder in names.items():
        if name in (*IMAGES, RECORDS, BEGUN, LOCK, *FILES) and is_folder != (name in (*IMAGES, RECORDS, BEGUN)):
            kinds = ("a folder", "a file") if is_folder else ("a file", "a folder")
            raise IGRError(
                f"{output.root.at(name)} is {kinds[0]}, but must be {kinds[1]}: rename it, or use another --out."
            )
    if FILES[0] not in names and RECORDS not in names:
        foreign = [name for name in FILES if name in names]
        foreign += [name for name in IMAGES if name in names and output.folder(name).names()]
        if foreign:
            raise IGRError(
                f"{output.url} has files that no catalogue run wrote ({', '.join(foreign)}): use another --out."
            )
    if is_url(output.url):
        probe = output.folder(RECORDS)
        probe.write(".probe", b"")
        probe.remove(".probe")


def _place(location: str) -> str:
    return location.rstrip("/") if is_url(location) else place(local_path(location))


def _remove_files(output: Output, before: Outcome | None, now: Outcome) -> None:
    """Remove the images that belong to a garment's earlier outcome but not to its new one."""
    for path in () if before is None else (before.image, before.evidence_map):
        if path and path not in (now.image, now.evidence_map):
            folder, _, name = path.rpartition("/")
            output.folder(folder).remove(name)


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
    """The settings that differ, such as `seed 4, now 25`."""
    before, now = ({"start": "noise", **json.loads(one)} for one in (old, new))
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return "; ".join(f"{name} {json.dumps(before.get(name))}, now {json.dumps(now.get(name))}" for name in names)
