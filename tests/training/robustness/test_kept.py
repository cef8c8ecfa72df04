"""The measurement that pages tell of: whole, from committed code, and drawn as it stands."""

from __future__ import annotations

from pathlib import Path

from training.robustness.plots import draw_robustness
from training.robustness.results import CLEAN, KEPT, NO_MASK, read_robustness
from training.robustness.spoilers import KINDS, LEVELS, TOLERANCE


def test_the_kept_measurement_is_whole() -> None:
    found = read_robustness(KEPT)
    planned = [(CLEAN, None), *((kind, level) for kind in KINDS for level in LEVELS), (NO_MASK, None)]
    assert [(one.kind, one.aim) for one in found.conditions] == planned
    for one in found.conditions:
        assert all(len(values) == len(found.seeds) for values in (one.overlap, one.reached, *one.scores.values()))
        if one.aim is not None:
            near = [abs(overlap - one.aim) <= TOLERANCE + 1e-4 for overlap in one.overlap]
            assert near == list(one.reached)
    assert not found.settings["revision"].endswith("-dirty")


def test_the_kept_measurement_is_drawn(tmp_path: Path) -> None:
    draw_robustness(tmp_path / "kept.png", read_robustness(KEPT))
    assert (tmp_path / "kept.png").stat().st_size < 150_000
