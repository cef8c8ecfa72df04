"""Plots: the rows that form a curve, and cases without anything to draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.support.training.shown import write_experiment
from training.evaluation.metrics.distribution import Spread
from training.evaluation.reports.plots import draw_pictures, draw_setting, setting_groups
from training.evaluation.result import Result


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    return write_experiment(tmp_path_factory.mktemp("plots") / "experiment")


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def test_rows_that_differ_in_guidance_alone_form_a_curve(results: list[Result]) -> None:
    assert {
        name: [one.known["guidance"] for one in group] for name, group in setting_groups(results, "guidance").items()
    } == {"IGR": [1.0, 2.0]}
    assert setting_groups(results[::-1], "guidance").keys() == {"IGR"}
    other = replace(results[1], known=results[1].known | {"weights_sha256": "another"})
    assert not setting_groups([results[0], other], "guidance")


def test_curves_have_a_panel_for_each_metric_that_was_computed(results: list[Result], tmp_path: Path) -> None:
    assert draw_setting(tmp_path / "two.png", results, "guidance")
    fid = {"kid": Spread(0.003, 0.001, 8, 8)}
    assert draw_setting(tmp_path / "three.png", [replace(one, distribution=fid) for one in results], "guidance")
    assert size(tmp_path / "three.png")[0] == pytest.approx(1.5 * size(tmp_path / "two.png")[0], abs=2)
    assert not draw_setting(tmp_path / "none.png", results[1:], "guidance") and not (tmp_path / "none.png").exists()


def test_pairs_are_drawn_beside_the_closest_control_where_there_is_one(results: list[Result], tmp_path: Path) -> None:
    assert draw_pictures(tmp_path / "both.png", results)
    assert draw_pictures(tmp_path / "alone.png", results[:2])
    assert size(tmp_path / "both.png")[0] == pytest.approx(2 * size(tmp_path / "alone.png")[0], abs=2)
    assert not draw_pictures(tmp_path / "none.png", results[3:]) and not (tmp_path / "none.png").exists()


def test_names_of_rows_are_not_parsed_as_formulas(results: list[Result], tmp_path: Path) -> None:
    named = [replace(one, name=rf"{one.name}, 5 $\frac$") for one in results]
    assert draw_pictures(tmp_path / "pairs.png", named) and draw_setting(tmp_path / "curves.png", named, "guidance")
