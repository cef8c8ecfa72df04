"""The commands write the plot and the examples from the JSON and the garments of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.support.training.robustness_made_up import measurement
from training.cli.app import app
from training.robustness.examples import draw_examples
from training.robustness.plan import RESULT
from training.robustness.plots import draw_robustness
from training.robustness.results import condition_of, write_robustness

runner = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run: results, and a garment of the first photo for each condition."""
    folder = tmp_path_factory.mktemp("run")
    found = measurement()
    write_robustness(folder / RESULT, found)
    for one in map(condition_of, found.results):
        (folder / "garments" / one.name).mkdir(parents=True)
        Image.new("RGB", (48, 64), "red").save(folder / "garments" / one.name / f"{found.seeds[0]}.png")
    return folder


def run(*arguments: object) -> tuple[int, str]:
    done = runner.invoke(app, ["evaluate", "robustness", *(str(one) for one in arguments)])
    return done.exit_code, done.output


def test_the_plot_is_written_from_the_json(folder: Path, tmp_path: Path) -> None:
    assert run("plot", tmp_path / "a.png", "--result", folder / RESULT) == (0, f"{tmp_path / 'a.png'}\n")
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert picture.shape[1] > 800 and picture.std() > 5
    draw_robustness(tmp_path / "b.png", measurement())
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes(), "the same JSON, the same bytes"


def test_examples_show_the_garments_of_the_run(folder: Path, tmp_path: Path) -> None:
    code, _ = run("examples", folder, tmp_path / "a.jpg")
    assert code == 0
    picture = np.asarray(Image.open(tmp_path / "a.jpg")).astype(int)
    red = (picture[..., 0] > 230) & (picture[..., 1:] < 30).all(-1)
    assert red.mean() > 0.2, "14 of the 29 cells"


def test_mistakes_are_reported_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (["plot", tmp_path / "a.png", "--result", tmp_path / "none.json"], "none.json contains no measurement"),
        (["examples", folder, tmp_path / "a.jpg", "--seed", 7], "Seed 7 was not measured"),
        (["examples", folder, tmp_path / "a.jpg", "--seed", 10_000_001], "10000001.png does not exist"),
    ):
        code, output = run(*arguments)
        assert code == 1 and words in output.replace("\n", " ")
    assert not (tmp_path / "a.png").exists() and not (tmp_path / "a.jpg").exists()


def test_a_person_is_shown_whatever_the_working_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_examples(tmp_path / "b.jpg", measurement(), folder / "garments")
    assert (tmp_path / "b.jpg").stat().st_size > 10_000
