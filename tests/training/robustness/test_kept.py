"""The stored measurement is complete, made with committed code, and matches its plot."""

from __future__ import annotations

from pathlib import Path

from training.robustness.corruptions import KINDS, LEVELS, TOLERANCE
from training.robustness.plan import KEPT
from training.robustness.plots import draw_robustness
from training.robustness.results import CLEAN, NO_MASK, condition_of, read_robustness


def test_the_stored_measurement_is_complete() -> None:
    found = read_robustness(KEPT)
    planned = [(CLEAN, None), *((kind, level) for kind in KINDS for level in LEVELS), (NO_MASK, None)]
    conditions = [condition_of(one) for one in found.results]
    assert [(one.kind, one.aim) for one in conditions] == planned
    for result, one in zip(found.results, conditions, strict=True):
        scores = [score.values for score in result.paired.values()]
        assert result.names == found.results[0].names
        assert all(len(values) == len(found.seeds) for values in (one.overlap, one.reached, *scores))
        if one.aim is not None:
            near = [abs(overlap - one.aim) <= TOLERANCE + 1e-4 for overlap in one.overlap]
            assert near == list(one.reached)
    assert not found.settings["revision"].endswith("-dirty")


def test_the_kept_measurement_is_drawn(tmp_path: Path) -> None:
    draw_robustness(tmp_path / "kept.png", read_robustness(KEPT))
    assert (tmp_path / "kept.png").stat().st_size < 150_000
