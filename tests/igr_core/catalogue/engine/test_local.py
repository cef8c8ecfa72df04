"""The engine in this process: order, memory, and stopping."""

import threading
import weakref
from collections.abc import Sequence

import pytest

from igr_core.catalogue.engine.local import AHEAD, Stages, run_here
from igr_core.catalogue.report.outcome import RESTORED, Outcome
from igr_core.catalogue.stages.loading import Loaded
from igr_core.catalogue.stages.restoring import Restored
from igr_core.catalogue.table.items import Item, Photo


def items(count: int) -> list[Item]:
    return [Item(f"{number:03}", "upper", (Photo("a.png"),)) for number in range(count)]


def write(given: Sequence[Restored]) -> list[Outcome]:
    return [Outcome(one.name, RESTORED, "") for one in given]


def restore(given: Sequence[Loaded]) -> list[Restored]:
    return [Restored(one.item) for one in given]


def load(given: Sequence[Item]) -> list[Loaded]:
    return [Loaded(one) for one in given]


@pytest.mark.parametrize("count", [0, 1, 4, 9, 40])
def test_every_garment_is_restored_once_in_batches(count: int) -> None:
    sizes: list[int] = []

    def counted(given: Sequence[Loaded]) -> list[Restored]:
        sizes.append(len(given))
        return restore(given)

    found = [one.name for one in run_here(items(count), Stages(load, counted, write), 4)]
    assert found == [one.name for one in items(count)]
    assert sizes == [4] * (count // 4) + ([count % 4] if count % 4 else [])


def test_memory_does_not_grow_with_the_number_of_garments() -> None:
    alive: weakref.WeakSet[Loaded] = weakref.WeakSet()
    most, lock = 0, threading.Lock()

    def counted(given: Sequence[Item]) -> list[Loaded]:
        nonlocal most
        made = load(given)
        with lock:
            alive.update(made)
            most = max(most, len(alive))
        return made

    assert len(list(run_here(items(200), Stages(counted, restore, write), 4))) == 200
    assert most <= 4 * (AHEAD + 3)  # read ahead, taken for the next batch, and being restored


def test_large_photos_are_read_and_restored_in_smaller_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos of 100 bytes with room for 1,000 are restored in batches of 3, of which the last is not read ahead."""
    monkeypatch.setattr(Loaded, "size", 100)
    alive: weakref.WeakSet[Loaded] = weakref.WeakSet()
    most, sizes, lock = 0, [], threading.Lock()

    def counted(given: Sequence[Item]) -> list[Loaded]:
        nonlocal most
        made = load(given)
        with lock:
            alive.update(made)
            most = max(most, len(alive))
        return made

    def noted(given: Sequence[Loaded]) -> list[Restored]:
        sizes.append(len(given))
        return restore(given)

    assert len(list(run_here(items(60), Stages(counted, noted, write), 16, memory=1000))) == 60
    assert set(sizes) == {3} and 3 < most <= 13


def test_when_a_run_is_stopped_restored_batches_are_still_written() -> None:
    written: list[str] = []
    batches = 0

    def stop(given: Sequence[Loaded]) -> list[Restored]:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise KeyboardInterrupt
        return restore(given)

    def note(given: Sequence[Restored]) -> list[Outcome]:
        written.extend(one.name for one in given)
        return write(given)

    with pytest.raises(KeyboardInterrupt):
        list(run_here(items(100), Stages(load, stop, note), 4))
    assert written == [one.name for one in items(8)]


@pytest.mark.parametrize("stage", ["load", "restore", "write"])
def test_an_error_of_a_stage_ends_the_run(stage: str) -> None:
    def fail(given: object) -> list:
        raise RuntimeError(stage)

    stages = {"load": load, "restore": restore, "write": write, stage: fail}
    with pytest.raises(RuntimeError, match=stage):
        list(run_here(items(20), Stages(**stages), 4))
