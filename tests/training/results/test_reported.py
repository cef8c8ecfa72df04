"""What the README reports is what the kept JSON says, to the last digit."""

from __future__ import annotations

from pathlib import Path

import pytest

from igr_core.errors import IGRError
from training.evaluation.tables.markdown import fill_markers
from training.results.reported import PAGE, keep_experiment, reported


def test_the_readme_holds_the_tables_of_the_kept_results(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    tables = reported()
    assert set(tables) == {"table2", "table2_demo", "eval", "robustness"}
    for name, text in tables.items():
        fill_markers(page, name, text)
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_an_experiment_is_kept_without_its_pictures(tmp_path: Path) -> None:
    experiment = tmp_path / "experiment"
    (experiment / "rows" / "one" / "pictures").mkdir(parents=True)
    (experiment / "rows" / "one" / "pictures" / "a.png").write_bytes(b"")
    with pytest.raises(IGRError, match="is no experiment"):
        keep_experiment(experiment, tmp_path / "kept")
    (experiment / "experiment.json").write_text('{"title": "", "data": "", "table": "", "unpaired": false}')
    (experiment / "rows.json").write_text('["one"]')
    (experiment / "rows" / "left").mkdir()
    (experiment / "rows" / "left" / "result.json").write_text("{}")
    (experiment / "rows" / "one" / "result.json").write_text("{}")
    (tmp_path / "kept" / "rows" / "older").mkdir(parents=True)
    keep_experiment(experiment, tmp_path / "kept")
    kept = sorted(path.relative_to(tmp_path / "kept").as_posix() for path in (tmp_path / "kept").rglob("*.*"))
    assert kept == ["experiment.json", "rows.json", "rows/one/result.json"]
    keep_experiment(tmp_path / "kept", tmp_path / "kept")  # what is kept already stays
    assert (tmp_path / "kept" / "rows" / "one" / "result.json").is_file()


def test_missing_results_are_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="holds no results: training/configs/evidence/run.sh"):
        reported(tmp_path)
