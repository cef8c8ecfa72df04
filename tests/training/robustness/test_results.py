"""Paired differences over photos that reached the target, JSON round trip, and the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from igr_core.errors import IGRError
from tests.support.training.made_results import result
from tests.support.training.robustness_made_up import measurement
from training.evaluation.result import write_results
from training.robustness.results import (
    read_condition,
    read_robustness,
    robustness_table,
    write_robustness,
)


def test_json_round_trip(tmp_path: Path) -> None:
    found = measurement()
    write_robustness(tmp_path / "a" / "robustness.json", found)
    assert read_robustness(tmp_path / "a" / "robustness.json") == found
    write_results(tmp_path / "one.json", [found.results[3]])
    assert read_condition(tmp_path / "one.json") == found.results[3]
    (tmp_path / "half.json").write_text('{"results": [{"name": "holes"')
    assert read_condition(tmp_path / "half.json") is None and read_condition(tmp_path / "none.json") is None
    with pytest.raises(IGRError, match=r"half\.json contains no measurement"):
        read_robustness(tmp_path / "half.json")
    write_results(tmp_path / "other.json", [result("a bundle", 0.5)])
    with pytest.raises(IGRError, match=r"other\.json contains no measurement"):
        read_robustness(tmp_path / "other.json")


def test_differences_use_the_photos_that_reached_the_target() -> None:
    found = measurement()
    everything = found.difference(found.result("shift", 0.5), "ssim")
    assert everything.mean == pytest.approx(-0.5 * 1.15) and everything.low <= everything.mean <= everything.high
    two = found.difference(found.result("dilation", 0.7), "ssim")
    assert two.mean == pytest.approx(-0.3 * 2 / 4 * 1.05), "the first two photos alone"
    with pytest.raises(IGRError, match=r"holes 0\.6 was not measured"):
        found.result("holes", 0.6)


def test_the_table_contains_means_changes_and_counts() -> None:
    lines = robustness_table(measurement()).splitlines()
    assert lines[2].startswith("| clean | 1.00 |  | 4 | 0.650 |")
    assert lines[3].startswith("| erosion | 0.95 | 5.0% | 4 | -0.014 [")
    assert any(line.startswith("| dilation | 0.70 | 30.0% | 2 | -0.158 [") for line in lines)
    assert any(line.startswith("| dilation | 0.50 |  | 1 |  |") or line.startswith("| dilation | 0.50 | 50.0% | 1 |  |")
               for line in lines)  # fmt: skip
    assert lines[-1].endswith("measured at commit `bbbbbbbbbbbb`.")
