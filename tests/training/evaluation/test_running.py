"""Experiments from end to end on the fixture trees: rows, controls, unpaired sets, resuming, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from igr_core.restore import GarmentRestorer
from tests.igr_core.tiny import save_runnable
from training.data.fixtures import write_fixture
from training.evaluate import app
from training.evaluation.experiment import ExperimentConfig
from training.evaluation.results import Result, read_results
from training.evaluation.running import experiment_results, slug
from training.run import load_config

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / "training" / "configs" / "evaluation"
runner = CliRunner()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inputs(tmp_path_factory.mktemp("experiment"))


def write_inputs(place: Path) -> Path:
    """The data sets and the bundles where the shipped configs look for them."""
    write_fixture("viton_hd", place / "data" / "VITON-HD", 4, 0, (96, 128))
    write_fixture("streettryon", place / "data" / "street_tryon", 3, 50, (96, 128))
    bundle = save_runnable(place / "tiny.safetensors")
    for run in ("hqft", "coarse", "no_garmnet"):
        (place / "runs" / run).mkdir(parents=True)
        shutil.copy(bundle, place / "runs" / run / "bundle.safetensors")
    return place


def run(place: Path, monkeypatch: pytest.MonkeyPatch, config: str, *arguments: str) -> tuple[int, str]:
    monkeypatch.chdir(place)
    command = ["run", str(CONFIGS / config), "--set", "steps=1", "--device", "cpu"]
    if config.startswith("viton_hd"):
        command += ["--set", "protocol=native"]  # at the tiny bundle's size instead of 768x1024
    command += arguments
    done = runner.invoke(app, command)
    return done.exit_code, done.output


def results_of_others(place: Path, data: str, names: list[str]) -> None:
    """Folders where Table 1 looks for the other methods' pictures."""
    for method in ("cfld", "ootd", "idm", "tryoffdiff"):
        folder = place / "results" / data / method
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.new("RGB", (48, 64), "white").save(folder / f"{name}.png")


def same_scores(one: Result, other: Result) -> None:
    """Batches of other sizes round pixels otherwise here and there, and that is all."""
    assert one.names == other.names and one.known == other.known and one.reference == other.reference
    for metric, found in one.paired.items():
        assert found.values == pytest.approx(other.paired[metric].values, abs=2e-3), metric


def test_table_3_on_viton_hd(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = run(place, monkeypatch, "table3_viton_hd.yaml", "--out", str(tmp_path), "--set", "data.limit=2")
    assert code == 0, output
    found = experiment_results(tmp_path)
    assert [one.name for one in found[:4]] == [f"IGR, guidance {g:g}" for g in (1, 1.5, 2, 2.5)]
    assert [one.name for one in found[4:]] == [
        "plain white",
        "truth, rotated by 5°",
        "truth, blurred",
        "worn garment pasted",
        "nearest training garment",
    ]
    assert {one.protocol["name"] for one in found} == {"igr"}
    assert all(set(one.skipped) == {"lpips_alex", "lpips_vgg", "dists", "fid", "clip_fid", "kid"} for one in found)
    assert all(len(one.names) == 2 and one.paired["ssim"].mean <= 1 for one in found)
    # Each guidance of the paper has its measured row right below; the paper's numbers are told as such.
    lines = [line.split(" | ")[:2] for line in output.splitlines() if line.startswith("| ")]
    at = lines.index(["| 2.0", "paper"])
    assert lines[at + 1] == ["| IGR, guidance 2", "measured"]
    assert "| 1.5 | paper | 0.7895 | 0.2946 | 0.2045 | 13.14 | 5.07 | 2.97 |" in output
    assert "data/VITON-HD" not in (tmp_path / "rows" / slug("IGR, guidance 1") / "result.json").read_text()


def test_table_2_puts_the_bundles_beside_the_papers_rows(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = run(
        place,
        monkeypatch,
        "table2_viton_hd.yaml",
        "--out",
        str(tmp_path),
        "--set",
        "controls=[]",
        "--set",
        "data.limit=2",
    )
    assert code == 0, output
    names = [line.split(" | ")[0] for line in output.splitlines() if line.startswith("| ")]
    assert names[2:] == [
        "| w/o GarmNet",
        "| without GarmNet",
        "| w/o HQFT",
        "| without HQFT",
        "| Ours",
        "| IGR",
    ]


def test_table_1_on_street_photos_is_unpaired(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    code, output = run(place, monkeypatch, "table1_street.yaml", "--out", str(tmp_path))
    assert code == 1 and "results/street/cfld" in output
    subjects = [path.stem for path in (place / "data" / "street_tryon" / "validation" / "image").iterdir()]
    results_of_others(place, "street", subjects)
    encoder = ("--set", f"encoder={place / 'tiny.safetensors'}")
    code, output = run(place, monkeypatch, "table1_street.yaml", "--out", str(tmp_path), *encoder)
    assert code == 0, output
    found = experiment_results(tmp_path)
    assert [one.kind for one in found] == ["folder"] * 4 + ["bundle"] + ["control"] * 3
    assert all(not one.paired and not one.names for one in found)
    assert all(one.distribution["encoder_fd"].n_reference == 4 for one in found)
    assert "| CFLD | paper | 62.11 | 12.80 | 35.75 |" in output


def test_a_stopped_run_goes_on_and_gives_the_same(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = ("--set", "rows=[{name: a, bundle: tiny.safetensors}]", "--set", "controls=[white]")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(whole), *changes)[0] == 0
    real, calls = GarmentRestorer.restore, []

    def failing(self: GarmentRestorer, *args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(GarmentRestorer, "restore", failing)
    one_by_one = (*changes, "--set", "batch=1")
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(stopped), *one_by_one)[0] != 0
    assert len(list((stopped / "rows" / "a" / "pictures").glob("*.png"))) == 2
    monkeypatch.setattr(GarmentRestorer, "restore", real)
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(stopped), *one_by_one)[0] == 0
    one, other = (read_results([folder / "rows" / "a" / "result.json"])[0] for folder in (whole, stopped))
    same_scores(one, other)


def test_other_settings_never_mix_with_what_is_there(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ("--set", "rows=[{name: a, bundle: tiny.safetensors}]", "--set", "controls=[white]")
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path), *changes)[0] == 0
    code, output = run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path), *changes, "--set", "steps=2")
    assert code == 1 and "row.json tells of other settings" in output
    code, output = run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path), *changes, "--set", "seed=5")
    assert code == 1 and "experiment.json tells of other settings" in output


def test_processes_share_the_pictures(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = ["--set", "rows=[{name: a, bundle: tiny.safetensors}]", "--set", "controls=[white]", "--set", "steps=1"]
    command = ["run", str(CONFIGS / "viton_hd.yaml"), *changes, "--device", "cpu", "--set", "protocol=native", "--out"]
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path / "alone"), *changes)[0] == 0
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "--"]
        + ["training.evaluate", *command, str(tmp_path / "shared")],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for one, other in zip(*(experiment_results(tmp_path / name) for name in ("alone", "shared")), strict=True):
        same_scores(one, other)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("rows=[]", "has no rows"),
        ("rows=[{name: a}]", "needs a bundle or a folder"),
        ("rows=[{name: a, bundle: nothing.safetensors}]", "nothing.safetensors"),
        ("rows=[{name: a, pictures: nowhere}]", "nowhere is no folder"),
        ("protocol=mine", "There is no protocol 'mine'"),
        ("metrics=[fidd]", "There is no metric 'fidd'"),
        ("controls=[black]", "black"),
        ("nearest=null", "needs training pairs"),
        ("data.root=elsewhere", "elsewhere"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, sentence: str
) -> None:
    out = tmp_path / "out"
    code, output = run(place, monkeypatch, "viton_hd.yaml", "--out", str(out), "--set", change)
    assert code == 1 and sentence in output and "Traceback" not in output
    assert not out.exists()


def test_tables_go_into_a_page(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "small"
    changes = ("--set", "rows=[{name: a, bundle: tiny.safetensors, paper: Ours}]", "--set", "controls=[white]")
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(out), *changes)[0] == 0
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- evidence:small -->\n<!-- /evidence:small -->\nafter\n")
    done = runner.invoke(app, ["tables", str(out), "--into", str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "| Ours | paper | 0.7895 |" in text
    done = runner.invoke(app, ["tables", str(tmp_path / "nothing")])
    assert done.exit_code == 1 and "holds no results" in done.output


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_can_be_read(path: Path) -> None:
    config = load_config(ExperimentConfig, path)
    assert config.rows and json.dumps(config.title)
