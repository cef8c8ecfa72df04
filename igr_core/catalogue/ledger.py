"""Notes on the garments in progress, which identify a garment that crashes its workers so that it can be left out."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from ..errors import IGRError
from ..storage import Folder

MOST_CRASHES = 2
"""Number of workers that must crash on a garment before it is left out."""


class Named(Protocol):
    """Anything that belongs to one garment."""

    @property
    def name(self) -> str:
        """Name of the garment."""
        ...


Given = TypeVar("Given", bound=Named)
Made = TypeVar("Made")


class Ledger:
    """Notes in a folder: a file for each batch that a stage is working on, which lists the names of its garments.

    A note that exists before work begins was left by a worker that crashed.
    """

    def __init__(self, folder: Folder, stage: str) -> None:
        """`stage` separates the notes of the stages, which work on the same garments one after another."""
        self._folder, self._stage = folder, stage

    def crashes(self, names: Sequence[str]) -> dict[str, int]:
        """Number of workers that crashed on each garment of a batch; garments without crashes are left out."""
        wanted, found = set(names), Counter[str]()
        for note in self._folder.names():
            if note.startswith(f"{self._stage}-"):
                with suppress(IGRError):  # a note that another worker has just removed
                    found.update(wanted & _names(self._folder.read(note)))
        return dict(found)

    def begin(self, names: Sequence[str], crashes: int = 0) -> str:
        """Write a note that work begins on garments on which `crashes` workers have crashed; returns its name."""
        key = json.dumps([crashes, *names])  # the new note must not replace that of a worker that crashed
        note = f"{self._stage}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
        self._folder.write(note, json.dumps(names).encode())
        return note

    def end(self, note: str) -> None:
        """Remove a note when the work has ended, with or without success."""
        self._folder.remove(note)


def guarded(
    ledger: Ledger,
    given: Sequence[Given],
    work: Callable[[Sequence[Given]], list[Made]],
    crashed: Callable[[Given], Made],
) -> Iterator[Made]:
    """Process garments together, except those on which a worker has crashed, which are processed one at a time.

    A garment on which two workers have crashed is not tried again: `crashed` provides its result. The notes of these
    crashes are kept, because another garment may cause the batch to be repeated; the run removes them at its end.
    """
    crashes = ledger.crashes([one.name for one in given])
    fresh = [one for one in given if one.name not in crashes]
    if fresh:
        yield from _noted(ledger, fresh, work, 0)
    for one in given:
        if crashes.get(one.name, 0) >= MOST_CRASHES:
            yield crashed(one)
        elif one.name in crashes:
            yield from _noted(ledger, [one], work, crashes[one.name])


def _noted(
    ledger: Ledger, given: Sequence[Given], work: Callable[[Sequence[Given]], list[Made]], crashes: int
) -> list[Made]:
    note = ledger.begin([one.name for one in given], crashes)
    try:
        return work(given)
    finally:  # also when the run is stopped, which is not a crash
        ledger.end(note)


def _names(note: bytes) -> set[str]:
    """The names in a note; none if the worker crashed while writing it."""
    try:
        found = json.loads(note)
    except (ValueError, RecursionError):
        return set()
    return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()
