"""Garments that kill their workers are found, and the others are not blamed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from igr_core.catalogue.ledger import Ledger, guarded
from igr_core.storage import Folder


@dataclass(frozen=True)
class Garment:
    name: str


class Killed(BaseException):
    """Stands for a worker's death, after which no code of it runs."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Folder(tmp_path))


def work_until_done(ledger: Ledger, names: str, deadly: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list]:
    """Repeat a batch until no worker dies, as an engine does; returns the results and every piece of work."""
    begun: list[str] = []

    def work(given: Sequence[Garment]) -> list[str]:
        begun.append("".join(one.name for one in given))
        if set(begun[-1]) & set(deadly):
            monkeypatch.setattr(Ledger, "end", lambda self, name: None)  # no code of a dead worker runs
            raise Killed
        monkeypatch.undo()
        return [one.name for one in given]

    garments = [Garment(name) for name in names]
    for _ in range(20):
        monkeypatch.undo()
        try:
            return sorted(guarded(ledger, garments, work, lambda one: one.name.upper())), begun
        except Killed:
            continue
    raise AssertionError("the batch never ends")


def test_a_batch_without_deaths_is_worked_on_together(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert work_until_done(ledger, "abc", "", monkeypatch) == (["a", "b", "c"], ["abc"])


@pytest.mark.parametrize("deadly", ["a", "b", "d", "ac", "abcd"])
def test_garments_that_kill_two_workers_are_left_out_and_the_others_are_not(
    ledger: Ledger, deadly: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, begun = work_until_done(ledger, "abcd", deadly, monkeypatch)
    assert done == sorted(name.upper() if name in deadly else name for name in "abcd")
    assert all(begun.count(name) == 1 for name in deadly)  # alone once, after the batch


def test_a_worker_that_is_stopped_leaves_no_note(ledger: Ledger, tmp_path: Path) -> None:
    def stop(given: object) -> list[str]:
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(guarded(ledger, [Garment("a"), Garment("b")], stop, lambda one: ""))
    assert not list(tmp_path.iterdir())


def test_a_damaged_note_counts_as_one_death(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "b").write_bytes(b"2")
    assert ledger.deaths(["a", "b", "c"]) == {"a": 1, "b": 2}
