"""Notes on which garments are being worked on, so that a garment that kills its worker is found and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from ..storage import Folder

MOST_DEATHS = 2
"""Number of workers that must die at a garment before it is left out."""


class Named(Protocol):
    """Anything that belongs to one garment."""

    @property
    def name(self) -> str:
        """Name of the garment."""
        ...


Given = TypeVar("Given", bound=Named)
Made = TypeVar("Made")


class Ledger:
    """Notes in a folder: a file for each garment that is being worked on, with the number of times work has begun.

    A file that exists before work begins was left by a worker that died.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def deaths(self, names: Sequence[str]) -> dict[str, int]:
        """Number of workers that died at each garment."""
        left = set(self._folder.names()) & set(names)
        return {name: _number(self._folder.read(name)) for name in left}

    def begin(self, name: str, deaths: int = 0) -> None:
        """Note that work on a garment begins, at which `deaths` workers have died."""
        self._folder.write(name, str(deaths + 1).encode())

    def end(self, name: str) -> None:
        """Note that work on a garment has ended, with or without success."""
        self._folder.remove(name)


def guarded(
    ledger: Ledger,
    given: Sequence[Given],
    work: Callable[[Sequence[Given]], list[Made]],
    crashed: Callable[[Given], Made],
) -> Iterator[Made]:
    """Work on garments together, except those at which a worker has died: these are worked on alone.

    If a second worker dies at a garment that is alone, the result is `crashed` without any more work. Its note is kept,
    because the batch may be repeated for another garment; it must be removed once the result is recorded.
    """
    deaths = ledger.deaths([one.name for one in given])
    fresh = [one for one in given if one.name not in deaths]
    if fresh:
        yield from _noted(ledger, fresh, work, 0)
    for one in given:
        count = deaths.get(one.name, 0)
        if count >= MOST_DEATHS:
            yield crashed(one)
        elif count:
            yield from _noted(ledger, [one], work, count)


def _noted(
    ledger: Ledger, given: Sequence[Given], work: Callable[[Sequence[Given]], list[Made]], deaths: int
) -> list[Made]:
    for one in given:
        ledger.begin(one.name, deaths)
    try:
        return work(given)
    finally:  # also when the run is stopped, which is not a death
        for one in given:
            ledger.end(one.name)


def _number(data: bytes) -> int:
    """The number in a note; 1 if the worker died while writing it."""
    return int(data) if data.isdigit() else 1
