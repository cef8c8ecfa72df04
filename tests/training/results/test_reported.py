"""The pages match the stored JSON to the last digit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from tests.support.training.made_results import result
from training.evaluation.experiments.folder import keep_experiment
from training.evaluation.result import write_results
from training.results.reported import PAGES, RESULTS, keep, reported, write_tables


@pytest.fixture(scope="module")
def tables() -> dict[str, str]:
    return reported()


def test_the_pages_contain_the_tables_of_the_stored_results(tables: dict[str, str], tmp_path: Path) -> None:
    copies = []
    for number, page in enumerate(PAGES):
        copies.append(tmp_path / f"{number}.md")
        shutil.copy(page, copies[-1])
    write_tables(tables, copies)
    for page, copy in zip(PAGES, copies, strict=True):
        assert copy.read_text(encoding="utf-8") == page.read_text(encoding="utf-8"), page.name


def test_no_page_shows_a_table_that_is_not_kept(tables: dict[str, str]) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall(r"<!-- evidence:(\S+) -->", text)) == set(tables)


def test_an_experiment_is_kept_without_its_images(tmp_path: Path) -> None:
    experiment = tmp_path / "experiment"
    (experiment / "rows" / "one" / "pictures").mkdir(parents=True)
    (experiment / "rows" / "one" / "pictures" / "a.png").write_bytes(b"")
    with pytest.raises(IGRError, match="is not an experiment"):
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
    keep_experiment(tmp_path / "kept", tmp_path / "kept")  # stored results are kept
    assert (tmp_path / "kept" / "rows" / "one" / "result.json").is_file()


def test_every_set_of_an_experiment_is_kept_and_reported(tmp_path: Path) -> None:
    experiment, kept = tmp_path / "both", tmp_path / "kept"
    for number, name in enumerate(("drawn", "rendered")):
        write_results(experiment / name / "rows" / "a" / "result.json", [result("a", 0.1 * number)])
        (experiment / name / "rows.json").write_text('["a"]')
        described = f'{{"title": "", "data": "{name} pairs", "table": "", "unpaired": false}}'
        (experiment / name / "experiment.json").write_text(described)
    (experiment / "sets.json").write_text('["drawn", "rendered"]')
    assert keep(experiment, kept) == kept / "both"
    text = reported(kept)["both"]
    told = ("Held-out set `drawn`:", "drawn pairs.", "Held-out set `rendered`:", "| a | 0.1200 ")
    assert sorted(told, key=text.index) == list(told)


@pytest.mark.parametrize("name", ["robustness", "validity", "curation"])
def test_a_measurement_is_stored_completely_or_not_at_all(name: str, tables: dict[str, str], tmp_path: Path) -> None:
    file = RESULTS / name / f"{name}.json"
    assert keep(file, tmp_path) == tmp_path / name / f"{name}.json"
    assert (tmp_path / name / f"{name}.json").read_bytes() == file.read_bytes()
    assert reported(tmp_path)[name] == tables[name]
    broken = tmp_path / f"{name}.json"
    broken.write_text("{")
    with pytest.raises(IGRError, match=f"{name}.json"):
        keep(broken, tmp_path)
    assert (tmp_path / name / f"{name}.json").read_bytes() == file.read_bytes()


def test_missing_results_and_markers_are_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="contains no results"):
        reported(tmp_path)
    page = tmp_path / "page.md"
    page.write_text("<!-- evidence:a -->\n<!-- /evidence:a -->\n")
    with pytest.raises(IGRError, match="No page contains <!-- evidence:b -->"):
        write_tables({"a": "new", "b": "table"}, [page])
    assert "new" not in page.read_text()


@pytest.mark.parametrize("content", ["{}", None])
def test_a_file_that_is_not_a_measurement_is_named(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(IGRError, match=r"e\.json is not a measurement: use the folder of an experiment, or a file nam"):
        keep(file, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("name", ["robustness", "validity", "curation", "correspondence", "lettering", "detail_cost"])
def test_an_empty_measurement_is_named(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.json"
    file.write_text("{}")
    with pytest.raises(IGRError, match=f"{re.escape(str(file))} "):
        keep(file, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
