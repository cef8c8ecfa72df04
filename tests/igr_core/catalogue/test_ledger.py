"""Garments that crash their workers are identified, and the others are not blamed."""

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
    """Simulates the death of a worker, after which none of its code runs."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Folder(tmp_path), "restore")


def work_until_done(ledger: Ledger, names: str, deadly: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list]:
    """Repeat a batch until no worker dies, as an engine does; returns the results and every piece of work."""
    begun: list[str] = []

    def work(given: Sequence[Garment]) -> list[str]:
        begun.append("".join(one.name for one in given))
        if set(begun[-1]) & set(deadly):
            monkeypatch.setattr(Ledger, "end", lambda self, note: None)  # no code of a dead worker runs
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


@pytest.mark.parametrize(
    ("names", "deadly"), [("abcd", "a"), ("abcd", "b"), ("abcd", "d"), ("abcd", "ac"), ("abcd", "abcd")]
)
def test_garments_that_crash_two_workers_are_left_out_and_the_others_are_not(
    ledger: Ledger, names: str, deadly: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, begun = work_until_done(ledger, names, deadly, monkeypatch)
    assert done == sorted(name.upper() if name in deadly else name for name in names)
    assert all(begun.count(name) == 1 for name in deadly)  # alone once, after the batch


def test_a_garment_that_is_alone_in_its_batch_is_left_out_too(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert work_until_done(ledger, "a", "a", monkeypatch) == (["A"], ["a", "a"])


def test_a_worker_that_is_stopped_leaves_no_note(ledger: Ledger, tmp_path: Path) -> None:
    def stop(given: object) -> list[str]:
        assert len(list(tmp_path.iterdir())) == 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(guarded(ledger, [Garment("a"), Garment("b")], stop, lambda one: ""))
    assert not list(tmp_path.iterdir())


def test_stages_do_not_remove_or_count_each_others_notes(ledger: Ledger, tmp_path: Path) -> None:
    left = ledger.begin(["a", "b"])
    loading = Ledger(Folder(tmp_path), "load")
    assert loading.crashes(["a"]) == {}
    assert list(guarded(loading, [Garment("a")], lambda given: [one.name for one in given], lambda one: "")) == ["a"]
    assert ledger.crashes(["a", "c"]) == {"a": 1}
    ledger.end(left)
    assert ledger.crashes(["a"]) == {}


def test_a_damaged_note_counts_for_no_garment(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "restore-1.json").write_bytes(b"")
    (tmp_path / "restore-2.json").write_bytes(b"3")
    (tmp_path / "restore-3.json").write_bytes(b'["a"]')
    assert ledger.crashes(["a", "b"]) == {"a": 1}
