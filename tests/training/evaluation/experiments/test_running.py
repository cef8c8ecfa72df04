"""Experiments from end to end on the fixture trees: rows, controls, unpaired sets, resuming, and what is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from igr_core.model.bundle import Bundle, save_bundle
from igr_core.model.config import ViewConfig
from igr_core.restore.restorer import GarmentRestorer
from tests.support.models.tiny import save_runnable
from training.cli.app import app
from training.data.fixtures import write_fixture
from training.evaluation.experiments.folder import experiment_results, sets_of
from training.evaluation.images.demo import PAIRS
from training.evaluation.result import Result, read_results

ROOT = Path(__file__).parents[4]
CONFIGS = ROOT / "training" / "configs" / "evaluation"
runner = CliRunner()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inputs(tmp_path_factory.mktemp("experiment"))


def write_inputs(place: Path) -> Path:
    """The data sets and bundles at the paths of the shipped configs."""
    write_fixture("viton_hd", place / "data" / "VITON-HD", 4, 0, (96, 128))
    write_fixture("streettryon", place / "data" / "street_tryon", 4, 50, (96, 128))
    bundle = save_runnable(place / "tiny.safetensors")
    (place / PAIRS.relative_to(ROOT)).parent.mkdir(parents=True)
    (place / PAIRS.relative_to(ROOT)).symlink_to(PAIRS)
    for config in CONFIGS.glob("*.yaml"):
        for row in yaml.safe_load(config.read_text(encoding="utf-8"))["rows"]:
            if row.get("bundle", "igr-small") != "igr-small":
                for seed in row.get("seeds", [None]):
                    path = place / row["bundle"].replace("{seed}", str(seed))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(bundle, path)
    return place


def run(place: Path, monkeypatch: pytest.MonkeyPatch, config: str, *arguments: str) -> tuple[int, str]:
    monkeypatch.chdir(place)
    command = ["run", str(CONFIGS / config), "--set", "steps=1", "--device", "cpu"]
    if config in ("viton_hd.yaml", "table1_viton_hd.yaml"):
        command += ["--set", "protocol=native"]  # at the tiny bundle's size instead of 768x1024
    command += arguments
    done = runner.invoke(app, ["evaluate", *command])
    return done.exit_code, done.output


def results_of_others(place: Path, data: str, names: list[str]) -> None:
    """Folders in which Table 1 expects the other methods' images."""
    for method in ("cfld", "ootd", "idm", "tryoffdiff", "tryoffdiff_v2", "tryoffanyone"):
        folder = place / "results" / data / method
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.new("RGB", (48, 64), "grey").save(folder / f"{name}.png")


def told(folder: Path) -> str:
    """All text files that an experiment has written, joined."""
    kinds = (".json", ".html", ".csv", ".md")
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.suffix in kinds)


def same_scores(one: Result, other: Result) -> None:
    """Check that scores agree up to rounding, because another batch size changes a few pixels."""
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
    # Each guidance of the paper has its measured row right below; the paper's numbers are marked as such.
    lines = [line.split(" | ")[:2] for line in output.splitlines() if line.startswith("| ")]
    at = lines.index(["| 2.0", "paper"])
    assert lines[at + 1] == ["| IGR, guidance 2", "measured"]
    assert "| 1.5 | paper | 0.7895 | 0.2946 | 0.2045 | 13.14 | 5.07 | 2.97 |" in output


def test_table_2_shows_the_bundles_beside_the_papers_rows(
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
    photos = sorted(path.stem for path in (place / "data" / "street_tryon" / "validation" / "image").iterdir())
    results_of_others(place, "street", [*photos[:3], "a picture of nobody"])
    encoder = ("--set", f"encoder={place / 'tiny.safetensors'}")
    code, output = run(place, monkeypatch, "table1_street.yaml", "--out", str(tmp_path), *encoder)
    assert code == 0, output
    found = experiment_results(tmp_path)
    assert [one.kind for one in found] == ["folder"] * 6 + ["bundle"] + ["control"] * 3
    assert all(not one.paired and not one.names for one in found)
    assert all(one.distribution["encoder_fd"].n_reference == 4 for one in found)
    assert "| CFLD | paper | 62.11 | 12.80 | 35.75 |" in output
    # Three photos have an image; the fourth cells of the report are empty, and the image without a photo is left out.
    assert [one.generated.count for one in found] == [3] * 6 + [4] * 4
    assert "1 pair in the experiment has no image in cfld." in found[0].warnings
    assert "1 image of cfld does not belong to any pair in the experiment and was skipped." in found[0].warnings
    assert (tmp_path / "report" / "index.html").read_text(encoding="utf-8").count("<td></td>") == 6


def test_table_1_on_viton_hd_finds_images_by_their_photos(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    garments = place / "data" / "VITON-HD" / "test" / "cloth"
    stems = sorted(path.stem for path in garments.iterdir())
    results_of_others(place, "viton_hd", [*stems, "99999_00"])
    for stem in (*stems, "99999_00"):  # TryOffDiff's own squares, fitted to the garments' canvas as in the README
        (place / "squares").mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), "grey").save(place / "squares" / f"{stem}.png")
    (place / "squares" / "99999_00.png").unlink()
    shutil.rmtree(place / "results" / "viton_hd" / "tryoffdiff")
    words = ["squares", "--method", "tryoffdiff", "--reference", str(garments)]
    done = runner.invoke(app, ["evaluate", "cutout", "adapt", *words, "--out", "results/viton_hd/tryoffdiff"])
    assert done.exit_code == 0, done.output

    out, root = tmp_path / "out", place / "data" / "VITON-HD"
    changes = ["--set", "controls=[]", "--set", f"data.root={root}"]
    lost = place / "results" / "viton_hd" / "idm" / f"{stems[1]}.png"
    lost.rename(tmp_path / "kept.png")
    Image.new("L", (48, 64)).save(place / "results" / "viton_hd" / "ootd" / f"{stems[0]}.png")
    Image.new("RGB", (64, 64)).save(place / "results" / "viton_hd" / "ootd" / f"{stems[1]}.png")
    (place / "results" / "viton_hd" / "ootd" / f"{stems[2]}.png").write_bytes(b"none")
    code, output = run(place, monkeypatch, "table1_viton_hd.yaml", "--out", str(out), *changes)
    assert code == 1 and not out.exists()
    assert f"there is no image for test_{stems[1]} (nor one named {stems[1]})" in output
    for sentence in ("is grey (L)", "a different shape", "is not a supported image"):
        assert sentence in output
    assert "3 of results/viton_hd/ootd, 1 of results/viton_hd/idm" in output.replace("\n", " ")

    (tmp_path / "kept.png").rename(lost)
    results_of_others(place, "viton_hd", stems)
    code, output = run(place, monkeypatch, "table1_viton_hd.yaml", "--out", str(out), *changes)
    assert code == 0, output
    found = experiment_results(out)
    assert [one.kind for one in found] == ["folder"] * 6 + ["bundle"]
    assert {one.names for one in found} == {tuple(f"test_{stem}" for stem in stems)}
    extra = "1 image of idm does not belong to any pair in the experiment and was skipped."
    assert extra in found[2].warnings and extra in output
    # The folder is self-contained: it contains the other methods' images, and no paths on this machine.
    assert len(list((out / "rows" / "TryOffDiff" / "pictures").iterdir())) == len(stems)
    assert str(place) not in told(out) and str(place) not in output.replace(str(out), "")
    assert "on VITON-HD, test, 4 pairs of the folder VITON-HD (4 images" in output
    folders = f"rows=[{{name: a, pictures: {out / 'rows' / 'IGR' / 'pictures'}}}]"
    code, output = run(place, monkeypatch, "table1_viton_hd.yaml", "--out", str(out), "--set", folders, *changes)
    assert code == 1 and "is inside the experiment's own folder" in output


SMALL = (
    *("data.synthetic.count=3", "data.synthetic.size=[96, 128]"),
    *("nearest.synthetic.count=2", "nearest.synthetic.size=[96, 128]"),
)
"""Settings for drawn pairs that make an experiment small; those for data sets that it does not use are left out."""
FEW_OF_SETS = ("sets.rendered.limit=3", "sets.drawn.synthetic.count=3", "sets.drawn.synthetic.size=[96, 128]")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_runs(path: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tiny bundle in place of igr-small, few pairs, one paired metric and one metric of sets."""
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    changes = ["protocol=native", "metrics=[masked_l1, encoder_fd]", "encoder=tiny.safetensors"]
    if "sets" in settings:
        changes += FEW_OF_SETS
    elif "synthetic" in settings.get("data", {}):
        changes += [one for one in SMALL if one.partition(".")[0] in settings]
    else:
        changes.append("nearest.limit=2")
    rows = [
        row | ({"bundle": "tiny.safetensors"} if row.get("bundle") == "igr-small" else {}) for row in settings["rows"]
    ]
    changes.append(f"rows={json.dumps(rows)}")
    for data, images in (("viton_hd", "VITON-HD/test/cloth"), ("street", "street_tryon/validation/image")):
        results_of_others(place, data, [path.stem for path in (place / "data" / images).iterdir()])
    code, output = run(
        place, monkeypatch, path.name, "--out", str(tmp_path), *(word for one in changes for word in ("--set", one))
    )
    assert code == 0, output
    for folder in sets_of(tmp_path).values():
        _check(folder, settings, rows, path.name)


def _check(folder: Path, settings: dict[str, Any], rows: list[dict[str, Any]], name: str) -> None:
    found = experiment_results(folder)
    measured = [row["name"] for row in rows for _ in product(row.get("guidance", [0]), row.get("seeds", [0]))]
    assert [re.split(", guidance|, seed", one.name)[0] for one in found[: len(measured)]] == measured
    assert all("encoder_fd" in one.distribution for one in found)
    controls = len(settings["controls"]) if "controls" in settings else 3 if "street" in name else 5
    assert [one.kind for one in found].count("control") == controls
    assert (folder / "report" / "index.html").is_file()


def test_a_stopped_run_resumes_and_gives_the_same(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    first, _ = sorted((stopped / "rows" / "a" / "pictures").glob("*.png"))
    first.write_bytes(b"damaged")
    monkeypatch.setattr(GarmentRestorer, "restore", real)
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(stopped), *one_by_one)[0] == 0
    one, other = (read_results([folder / "rows" / "a" / "result.json"])[0] for folder in (whole, stopped))
    same_scores(one, other)


def test_other_settings_never_mix_with_existing_images(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ("--set", "rows=[{name: a, bundle: tiny.safetensors}]", "--set", "controls=[white]")
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path), *changes)[0] == 0
    code, output = run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path), *changes, "--set", "steps=2")
    assert code == 1 and "row.json records different settings" in output
    code, output = run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path), *changes, "--set", "seed=5")
    assert code == 1 and "experiment.json records different settings" in output


def write_changed(path: Path, source: Path, view: ViewConfig, times: float) -> None:
    """Write a bundle again with another view and its image encoder's weights multiplied."""
    bundle = Bundle.open(source)
    parts = {one["part"]: bundle.tensors(one["part"]) for one in bundle.summary()}
    parts["image_encoder"] = {name: value * times for name, value in parts["image_encoder"].items()}
    save_bundle(path, replace(bundle.info, model=replace(bundle.info.model, view=view)), parts)


def test_no_image_with_other_settings_remains(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ("--set", "rows=[{name: a, bundle: tiny.safetensors}]", "--set", "metrics=[masked_l1]")

    def again(config: str, out: str, *changes: str) -> tuple[int, str]:
        words = [word for one in changes for word in ("--set", one)]
        return run(place, monkeypatch, config, "--out", str(tmp_path / out), *rows, *words)

    assert again("viton_hd.yaml", "viton", "controls=[nearest]")[0] == 0
    code, output = again("viton_hd.yaml", "viton", "controls=[nearest]", "nearest.limit=2")
    assert code == 1 and "nearest/row.json records different settings" in output.replace("\n", "")
    assert again("viton_hd.yaml", "viton", "controls=[white]", "nearest.limit=2")[0] == 0
    write_changed(place / "other.safetensors", place / "tiny.safetensors", ViewConfig(), 1.5)
    other = "rows=[{name: b, bundle: other.safetensors}]"
    code, output = again("viton_hd.yaml", "viton", other, "controls=[nearest]")
    assert code == 1 and "nearest/row.json records different settings" in output.replace("\n", "")
    write_changed(place / "seen.safetensors", place / "tiny.safetensors", ViewConfig("focused"), 1.0)
    code, output = again("viton_hd.yaml", "viton", "rows=[{name: b, bundle: seen.safetensors}]", "controls=[white]")
    assert code == 1 and "persons/settings.json records different settings" in output.replace("\n", "")
    street = ("controls=[white]", "metrics=[encoder_fd]", "encoder=tiny.safetensors")
    assert again("street.yaml", "street", *street)[0] == 0
    code, output = again("street.yaml", "street", *street, "references.limit=2")
    assert code == 1 and "references/settings.json records different settings" in output.replace("\n", "")


def test_removed_rows_leave_the_table(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = (f"{{name: {name}, bundle: tiny.safetensors}}" for name in "ab")
    for rows, controls, names in (
        (f"{a}, {b}", "white, pasted", ["a", "b"]),
        (b, "white", ["b"]),
        (f"{b}, {a}", "", "ba"),
    ):
        changes = ("--set", f"rows=[{rows}]", "--set", f"controls=[{controls}]", "--set", "metrics=[masked_l1]")
        code, output = run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path), *changes)
        assert code == 0, output
        found = [one.name for one in experiment_results(tmp_path)]
        assert found[: len(names)] == list(names) and len(found) == len(names) + len(controls.split(",")) * bool(
            controls
        )


def test_processes_divide_the_images(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = ["--set", "rows=[{name: a, bundle: tiny.safetensors}]", "--set", "controls=[white]", "--set", "steps=1"]
    command = ["run", str(CONFIGS / "viton_hd.yaml"), *changes, "--device", "cpu", "--set", "protocol=native", "--out"]
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(tmp_path / "alone"), *changes)[0] == 0
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "--"]
        + ["training", "evaluate", *command, str(tmp_path / "shared")],
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
        ("rows=[{name: a}]", "needs either a bundle or a folder"),
        ("rows=[{name: a, bundle: nothing.safetensors}]", "nothing.safetensors"),
        ("rows=[{name: a, pictures: nowhere}]", "nowhere is not a folder"),
        ("rows=[{name: ..., bundle: tiny.safetensors}]", "has an unusable name"),
        ("rows=[{name: a b, bundle: tiny.safetensors}, {name: a_b, bundle: tiny.safetensors}]", "share the folder"),
        ("rows=[{name: a, bundle: tiny.safetensors, guidance: [2, 2]}]", "share the folder"),
        ("rows=[{name: White, bundle: tiny.safetensors}]", "has the name of a control"),
        ("protocol=mine", "Unknown protocol 'mine'"),
        ("metrics=[fidd]", "Unknown metric 'fidd'"),
        ("controls=[black]", "black"),
        ("nearest=null", "needs training pairs"),
        ("data.root=elsewhere", "elsewhere"),
        ("rows=[{name: a, bundle: tiny.safetensors, start: flat, steps: [300]}]", "300 steps from the flat"),
    ],
)
def test_mistakes_are_reported_before_anything_is_written(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, sentence: str
) -> None:
    out = tmp_path / "out"
    code, output = run(place, monkeypatch, "viton_hd.yaml", "--out", str(out), "--set", change)
    assert code == 1 and sentence in output and "Traceback" not in output
    assert not out.exists()


def test_tables_go_into_a_page(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "small"
    entries = ("rows=[{name: a, bundle: tiny.safetensors, paper: Ours}]", "controls=[white]", "table=table1")
    changes = [word for entry in entries for word in ("--set", entry)]
    assert run(place, monkeypatch, "viton_hd.yaml", "--out", str(out), *changes)[0] == 0
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- evidence:small -->\n<!-- /evidence:small -->\nafter\n")
    done = runner.invoke(app, ["evaluate", "tables", str(out), "--into", str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "| Ours | paper | 0.7895 |" in text
    done = runner.invoke(app, ["evaluate", "tables", str(tmp_path / "nothing")])
    assert done.exit_code == 1 and "contains no results" in done.output
    for damage in ("{", "[]", "3", '{"title": "", "data": "", "table": "table9", "unpaired": false}', None):
        (out / "experiment.json").unlink() if damage is None else (out / "experiment.json").write_text(damage)
        done = runner.invoke(app, ["evaluate", "tables", str(out)])
        assert done.exit_code == 1 and "experiment.json is missing or damaged" in done.output.replace("\n", " ")
        assert isinstance(done.exception, SystemExit)
