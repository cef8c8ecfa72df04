"""Lettering: words that OCR finds in photos and restored garments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling
from tests.support.models.tiny import save_runnable
from training.cli.app import app
from training.data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from training.detail.lettering import (
    DETAILED,
    IMAGES,
    PHOTO,
    TRUTH,
    Read,
    WordReader,
    contains,
    lettered,
    lettering_table,
    read_lettering,
    score_lettering,
)
from training.detail.runs import RunSettings
from training.evaluation.images.subjects import Subjects


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_runnable(tmp_path_factory.mktemp("bundle") / "tiny.safetensors")


@pytest.fixture(scope="module")
def subjects() -> Subjects:
    return Subjects(SyntheticPairs(SyntheticConfig(start=10_000_000, count=24, size=(96, 128))))


def written(text: str) -> torch.Tensor:
    page = Image.new("RGB", (384, 160), "white")
    ImageDraw.Draw(page).text((30, 40), text, "black", ImageFont.load_default(64))
    return torch.from_numpy(np.array(page)).movedim(-1, 0) / 255


@pytest.mark.parametrize("text", ["GARMENT", "Studio 54"])
def test_the_reader_reads_plain_words_and_no_others(text: str) -> None:
    lines = WordReader()(written(text))
    assert all(contains(lines, word) for word in text.upper().split())
    assert not contains(lines, "SHIRT")
    assert WordReader()(torch.ones(3, 64, 64)) == ()


def test_words_count_if_they_are_whole() -> None:
    assert contains(("THE RED-CAT",), "RED") and contains(("THE RED-CAT",), "CAT")
    assert not contains(("TIRED",), "RED")
    assert contains(("NEWYORK CITY",), "YORK")  # long words may be joined with their neighbours
    assert not contains(("NEW YOR",), "YORK")


def test_only_garments_with_words_are_read(subjects: Subjects) -> None:
    rows = lettered(subjects, 3)
    assert len(rows) == 3
    assert all(subjects.source.printed_words(row) for row in rows)
    assert not any(subjects.source.printed_words(row) for row in range(rows[-1]) if row not in rows)
    plain = Subjects(SyntheticPairs(SyntheticConfig(start=10_000_000, count=4, size=(96, 128))))
    with pytest.raises(IGRError, match="use a data set with at least 2"):
        lettered(plain, 3)


def test_every_image_is_read_at_the_same_height(bundle: Path, subjects: Subjects) -> None:
    rows = lettered(subjects, 2)
    restorer = GarmentRestorer.from_bundle(bundle)
    sizes: list[tuple[int, ...]] = []

    def reader(image: torch.Tensor) -> tuple[str, ...]:
        sizes.append(tuple(image.shape))
        return ("NOTHING",)

    found = list(read_lettering(restorer, subjects, rows, reader, (96, 128), RunSettings(Sampling(steps=1))))
    assert [one.name for one, _ in found] == [subjects.names[row] for row in rows]
    assert {shape[1] for shape in sizes} == {128} and len(sizes) == len(rows) * len(IMAGES)
    assert all(set(images) == set(IMAGES) for _, images in found)
    assert torch.equal(found[0][1][TRUTH], subjects.truth(rows[0]))


def test_scores_are_fractions_of_all_words_and_of_those_legible_in_the_truth() -> None:
    half = {name: ("ONE",) for name in IMAGES}
    read = [
        Read("a", ("ONE", "TWO"), {**half, TRUTH: ("ONE", "TWO"), PHOTO: ()}),
        Read("b", ("ONE",), {**half, DETAILED: ()}),
    ]
    scores = score_lettering(read, (96, 128))
    assert {name: one.mean for name, one in scores.shares.items()} == {
        "photo": 0.5,
        "restored": 0.75,
        "restored with details": 0.25,
        "truth": 1.0,
    }
    assert scores.of_truth["restored with details"] == 0.25
    assert "| photo | 50.0% [0.0%, 100.0%] | 50% |" in lettering_table(scores)


def test_the_command_writes_scores_and_a_sheet(bundle: Path, tmp_path: Path) -> None:
    config = tmp_path / "pairs.yaml"
    config.write_text("data: {layout: synthetic, synthetic: {start: 10000000, count: 24, size: [96, 128]}}\n")
    command = ["detail", "lettering", str(bundle), "--data", str(config), "--count", "2", "--steps", "1"]
    command += ["--size", "96x128", "--out", str(tmp_path / "scores.json"), "--sheet", str(tmp_path / "sheet.png")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "2 garments with lettering, read at 96x128." in done.output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (4 * 96, 2 * 128)
    assert '"of_truth"' in (tmp_path / "scores.json").read_text()
