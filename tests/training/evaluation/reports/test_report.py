"""The report: every image that it shows exists, its numbers match the results, and no name breaks the page."""

from __future__ import annotations

import csv
import shutil
from html.parser import HTMLParser
from pathlib import Path
from statistics import mean
from urllib.parse import unquote

import pytest
from PIL import Image
from typer.testing import CliRunner

from igr_core.errors import IGRError
from tests.support.training.shown import METRICS, NAMES, TITLE, write_experiment
from tests.training.evaluation.experiments.test_running import run, write_inputs
from training.cli.app import app
from training.evaluation.metrics.registry import METRICS as ALL
from training.evaluation.reports.plots import TEXTURE
from training.evaluation.reports.report import SHOWN, write_report
from training.evaluation.result import Result


class Page(HTMLParser):
    """The page as parsed by a browser."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.images, self.tags, self.rows = path, [], set(), {}
        self.text, self._heading, self._inside, self._row = "", "", "", ""
        self.feed(path.read_text(encoding="utf-8"))

    images: list[tuple[str, str]]
    """Source and description of each."""
    rows: dict[str, list[str]]
    """First cell of each line of the tables under a heading."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._end_row()
        self.tags.add(tag)
        if tag == "img":
            self.images.append((found["src"] or "", found["alt"] or ""))
        if tag == "h2":
            self._heading = ""
        self._inside = "row" if tag == "th" and found.get("scope") == "row" else tag
        self._row = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._inside == "h2":
            self._heading += data
        if self._inside == "row":
            self._row += data

    def handle_endtag(self, tag: str) -> None:
        self._end_row()

    def _end_row(self) -> None:
        if self._inside == "row":
            self.rows.setdefault(self._heading, []).append(self._row)
        self._inside = ""

    def missing(self) -> list[str]:
        """Sources of images that do not exist."""
        return [source for source, _ in self.images if not (self.path.parent / unquote(source)).is_file()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Result]]:
    folder = tmp_path_factory.mktemp("report") / "experiment"
    return folder, write_experiment(folder)


@pytest.fixture(scope="module")
def page(made: tuple[Path, list[Result]]) -> Page:
    return Page(write_report(made[0]))


@pytest.fixture
def copy(made: tuple[Path, list[Result]], tmp_path: Path) -> Path:
    """The experiment again, to break it."""
    shutil.copytree(made[0].parent, tmp_path / "all")
    return tmp_path / "all" / made[0].name


def test_every_image_of_the_page_is_there(page: Page) -> None:
    assert len(page.images) > 3 * SHOWN * 6 and not page.missing()
    assert page.path.name == "index.html" and (page.path.parent / "summary.png").is_file()


def test_each_cell_shows_its_own_rows_image_of_its_own_pair(made: tuple[Path, list[Result]], page: Page) -> None:
    folder, results = made
    shown = {alt: (page.path.parent / unquote(source)).resolve() for source, alt in page.images}
    for name in NAMES:
        assert shown[f"person {name}"] == (folder / "persons" / f"{name}.png").resolve()
        assert shown[f"true garment of {name}"] == (folder / "truth" / f"{name}.png").resolve()
        assert shown[f"IGR, guidance 1, {name}"] == (folder / "rows" / "g1" / "pictures" / f"{name}.png").resolve()
        assert shown[f"others & <b>, {name}"] == (folder / "rows" / "others" / "pictures" / f"{name}.JPG").resolve()


def test_names_and_titles_are_text_and_never_markup(page: Page) -> None:
    assert not page.tags & {"script", "i", "b"}
    assert TITLE in page.text and "drawn <pairs>" in page.text and "stripes & dots" in page.text
    assert {row for rows in page.rows.values() for row in rows} >= {*NAMES, "others & <b>"}


def test_galleries_go_from_the_best_from_the_middle_and_from_the_worst(page: Page) -> None:
    by = " texture of “IGR, guidance 1”"
    assert page.rows[f"Best{by}"] == list(NAMES[:SHOWN])
    assert page.rows[f"Worst{by}"] == list(NAMES[::-1][:SHOWN])
    assert page.rows[f"Median{by}"] == list(NAMES[::-1][1 : 1 + SHOWN])


def test_the_table_has_models_before_controls_and_the_best_of_them_in_bold(
    made: tuple[Path, list[Result]], page: Page
) -> None:
    results = made[1]
    assert page.rows["All rows"] == [one.name for one in results]
    source = page.path.read_text(encoding="utf-8")
    for metric in ("ssim", TEXTURE, "masked_l1"):
        pick = max if ALL[metric].higher_is_better else min
        best = pick((one for one in results if one.kind != "control"), key=lambda one: one.paired[metric].mean)
        assert f"<td class=best>{best.cell(metric)}</td>" in source
        assert all(one.cell(metric) in source for one in results)


def test_the_page_explains_what_counts_as_garment(made: tuple[Path, list[Result]], page: Page) -> None:
    given = made[1][0].silhouettes is not None
    assert ("given masks" in page.text) is given
    assert ("everything in the reference except white background" in page.text) is not given


def test_csv_files_contain_the_results(made: tuple[Path, list[Result]], page: Page) -> None:
    results = {one.name: one for one in made[1]}
    with (page.path.parent / "results.csv").open(newline="", encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    assert len(lines) == len(results) * 3  # FID was not computed
    for line in lines:
        found = results[line["row"]].paired[line["metric"]]
        assert [float(line[key]) for key in ("value", "low", "high")] == [found.mean, found.low, found.high]
        assert line["n"] == "8" and line["spread"] == "" and line["kind"] == results[line["row"]].kind
    with (page.path.parent / "per_image.csv").open(newline="", encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    assert len(lines) == len(results) * len(NAMES) and {line["name"] for line in lines} == set(NAMES)
    for line in lines:
        result = results[line["row"]]
        for metric in METRICS:
            values = result.paired[metric].values if metric in result.paired else None
            wanted = "" if values is None else str(values[result.names.index(line["name"])])
            assert line[metric] == wanted


def test_missing_metrics_and_notes_for_the_reader_come_first(page: Page) -> None:
    head = page.text.split("Best by texture")[0]
    assert "Before you read the numbers" in head
    assert "Not computed: weights-inception-2015-12-05-6726825d.pth is missing" in head and "(FID)" in head
    assert "8 of the generated images are JPEG" in head and "(others & <b>)" in head


def test_scores_are_reported_label_by_label(made: tuple[Path, list[Result]], page: Page) -> None:
    first = made[1][0]
    values = dict(zip(first.names, first.paired[TEXTURE].values, strict=True))
    for odd, label in ((1, "stripes & dots"), (0, "none")):
        assert f"{mean(values[name] for name in NAMES[odd::2]):.3f} [" in page.text and label in page.text
    assert page.rows["Scores of “IGR, guidance 1” by attribute of the pairs"][1:] in (
        ["none", "stripes & dots"],
        ["stripes & dots", "none"],
    )


def test_provenance_contains_code_libraries_and_bundle(made: tuple[Path, list[Result]], page: Page) -> None:
    tail = page.text.split("Where the numbers come from")[1]
    assert "bundle tiny 0123456789ab" in tail and f"code {made[1][0].revision[:12]}" in tail and "torchmetrics " in tail


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("experiment.json", "is not an experiment"),
        ("labels.json", "is not an experiment"),
        ("persons/a.png", "a.png does not exist: run the experiment again."),
        ("truth/br[0]ck*t?.png", "br[0]ck*t?.png does not exist"),
        ("rows/g2/pictures/a.png", "has no image for a: run the experiment again."),
        ("rows/others/pictures/no#5.JPG", "has no image for no#5"),
    ],
)
def test_missing_files_are_named(gone: str, sentence: str, copy: Path) -> None:
    (copy / gone).unlink()
    done = CliRunner().invoke(app, ["evaluate", "report", str(copy)])
    assert done.exit_code == 1 and sentence in done.output and "Traceback" not in done.output


def test_an_experiment_without_results_is_named(copy: Path) -> None:
    shutil.rmtree(copy / "rows")
    with pytest.raises(IGRError, match="contains no results"):
        write_report(copy)


def test_a_run_ends_in_a_report_that_can_be_written_again(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_inputs(tmp_path_factory.mktemp("inputs"))
    rows = "rows=[{name: 'tiny, <whole>', bundle: tiny.safetensors, guidance: [1.0, 2.0]}]"
    changes = ("--set", rows, "--set", "controls=[white, blurred]")
    code, output = run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path), *changes)
    assert code == 0 and str(tmp_path / "report" / "index.html") in output
    page = Page(tmp_path / "report" / "index.html")
    assert page.images and not page.missing()
    assert {"guidance.png", "pairs.png"} <= {source for source, _ in page.images}
    before = {path.name: path.read_bytes() for path in page.path.parent.iterdir()}
    with Image.open(tmp_path / "report" / "summary.png") as picture:
        picture.load()
    shutil.rmtree(tmp_path / "report")
    done = CliRunner().invoke(app, ["evaluate", "report", str(tmp_path)])
    assert done.exit_code == 0 and done.output.strip() == str(page.path)
    assert {path.name: path.read_bytes() for path in page.path.parent.iterdir()} == before
