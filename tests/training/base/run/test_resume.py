"""Configs of resumed runs."""

import pytest

from igr_core.errors import IGRError
from training.base.run.resume import check_same_run

BEFORE = {"seed": 0, "low": None, "loss": {"place": 1.0, "place_at": [1, 2]}, "run": "a"}


def test_free_entries_may_differ() -> None:
    check_same_run(BEFORE, {**BEFORE, "run": "b"}, {"run"}, "runs/a")
    check_same_run(BEFORE, {**BEFORE, "loss": {"place": 2.0, "place_at": (1, 2)}}, {"loss"}, "runs/a")
    check_same_run(BEFORE, {**BEFORE, "added": None}, set(), "runs/a")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"seed": 1}, "runs/a was trained with seed = 0, but the config has 1: change it back"),
        ({"low": {"size": 2}}, "runs/a was trained with low.size = None"),
        ({"loss": {"place": 1.0, "place_at": [1, 2], "light": 1.0}}, "was started before loss.light existed"),
        ({"added": 3}, "runs/a was started before added existed.*finish it with the version that started it"),
    ],
)
def test_an_entry_that_differs_is_named(change: dict, problem: str) -> None:
    with pytest.raises(IGRError, match=problem):
        check_same_run(BEFORE, {**BEFORE, **change}, set(), "runs/a")
