"""`training detail fit` and `measure`, from prepared pairs to the bundle and the scores."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle
from tests.support.models.tiny import save_runnable
from tests.support.training.prepared import tell_places, write_prepared
from training.base.statistics import auroc
from training.cli.app import app
from training.data.synthetic import make_pair
from training.detail.cost import Cost
from training.detail.kept import read_kept, table_of
from training.detail.lettering import LetteringScores
from training.detail.measuring import DetailScores


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_runnable(tmp_path_factory.mktemp("bundle") / "tiny.safetensors")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_prepared(tmp_path_factory.mktemp("pairs") / "train", 12)
    tell_places(folder)
    return folder


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["detail", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_fitted_bundle_has_the_same_weights_and_a_readout(bundle: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "fitted.safetensors"
    said = run(
        *("fit", str(bundle), "--pairs", str(pairs), "--out", str(out)),
        *("--count", "8", "--runs", "12", "--steps", "3"),
    )
    before, after = Bundle.open(bundle), Bundle.open(out)
    assert after.info.detail is not None
    assert len(after.info.detail.evidence.coefficients) == 9
    assert "nats" in said
    for name, value in before.tensors("denoiser").items():
        assert torch.equal(value, after.tensors("denoiser")[name])


def test_fitting_stops_before_the_work_if_the_bundle_does_not_fit_on_the_disk(
    bundle: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def full(*arguments: object) -> None:
        asked.extend(arguments)
        raise IGRError("The disk is full.")

    monkeypatch.setattr("training.base.files.check_space", full)
    monkeypatch.setattr("training.detail.fitting.fit_detail", lambda *_: pytest.fail("the work began"))
    done = CliRunner().invoke(app, ["detail", "fit", str(bundle), "--pairs", str(pairs), "--out", str(tmp_path / "x")])
    assert done.exit_code == 1 and "The disk is full." in done.output, done.output
    assert asked[:2] == [tmp_path, bundle.stat().st_size]


def test_measuring_writes_the_printed_scores(bundle: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    said = run("measure", str(bundle), "--pairs", str(pairs), "--count", "12", "--steps", "3", "--out", str(out))
    scores = json.loads(out.read_text())
    found = scores["scores"]
    assert f"AUROC {found['evidence']['auroc']:.3f}" in said
    assert found["places"]["all"]["pairs"] > found["places"]["upper"]["pairs"]
    assert scores["measured"]["data"] == "prepared pairs of train" and scores["measured"]["steps"] == 3
    assert table_of(read_kept(out, DetailScores)).strip() in said
    with pytest.raises(IGRError, match="unknown entries evidence"):
        read_kept(out, LetteringScores)


def test_pairs_without_correspondence_are_refused(bundle: Path, tmp_path: Path) -> None:
    plain = write_prepared(tmp_path / "plain", 4)
    out = tmp_path / "fitted.safetensors"
    done = CliRunner().invoke(app, ["detail", "fit", str(bundle), "--pairs", str(plain), "--out", str(out)])
    assert done.exit_code == 1
    assert "No pair has a correspondence" in done.output
    assert not out.exists()


def test_auroc_counts_pairs_in_the_right_order() -> None:
    assert auroc(torch.tensor([0.9, 0.8, 0.1, 0.2]), torch.tensor([1.0, 1.0, 0.0, 0.0])) == 1
    assert auroc(torch.tensor([0.9, 0.1, 0.8, 0.2]), torch.tensor([1.0, 1.0, 0.0, 0.0])) == 0.5
    assert auroc(torch.full((4,), 0.5), torch.tensor([1.0, 0.0, 1.0, 0.0])) == 0.5


def test_the_cost_of_evidence_and_details_is_a_fraction_of_a_restoration(bundle: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "pairs.yaml", tmp_path / "detail_cost.json"
    config.write_text("data: {layout: synthetic, synthetic: {start: 10000000, count: 2, size: [96, 128]}}\n")
    output = run("cost", str(bundle), "--data", str(config), "--rounds", "2", "--size", "96x128", "--out", str(out))
    rows = re.findall(r"^\| (evidence|details|both) \| (-?[\d.]+)% \(", output, re.MULTILINE)
    assert [name for name, _ in rows] == ["evidence", "details", "both"]
    assert float(rows[1][1]) > 0
    assert table_of(read_kept(out, Cost)).strip() in output


def test_the_sheet_has_a_column_for_each_image_and_ends_with_the_truth(bundle: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "pairs.yaml", tmp_path / "new" / "sheet.png"
    config.write_text("data: {layout: synthetic, synthetic: {start: 10000000, count: 3, size: [96, 128]}}\n")
    run("sheet", str(bundle), "--data", str(config), "--out", str(out), "--size", "96x128", "--steps", "2")
    sheet = Image.open(out).convert("RGB")
    column, block = 96 + 6, 5 * (96 + 6) + 12
    assert sheet.size == (2 * block, 22 + 2 * (128 + 6))
    photo, restored, *_, truth = (
        np.asarray(sheet.crop((x, 22, x + 96, 150)), np.float32) for x in range(0, 5 * column, column)
    )
    own = make_pair(seed=10_000_000, size=(96, 128)).garment.convert("RGB")
    assert np.abs(truth - np.asarray(own, np.float32)).mean() < 2
    assert photo.std() > 10 and np.abs(photo - restored).mean() > 10
    last = np.asarray(sheet.crop((block, 22 + 134, 2 * block, 22 + 262)))
    assert (last == 255).all(), "three pairs leave the last place empty"
