"""The summary image: one line for each pair, with every image complete and in its position."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from igr_core.errors import IGRError
from tests.support.training.shown import NAMES
from training.evaluation.experiments.scoring import Scoring, score_folders
from training.evaluation.metrics.protocols import PROTOCOLS
from training.evaluation.reports.sheet import CELL, write_sheet
from training.evaluation.result import Result

COLOURS = {"persons": "red", "truth": "lime", "row": "blue"}


@pytest.fixture
def results(tmp_path: Path) -> list[Result]:
    for kind, colour in COLOURS.items():
        (tmp_path / kind).mkdir()
        for name in NAMES[:2]:
            Image.new("RGB", (90, 120), colour).save(tmp_path / kind / f"{name}.png")
    scoring = Scoring(PROTOCOLS["native"], ("masked_l1",))
    return [score_folders(scoring, tmp_path / "row", tmp_path / "truth", name=name) for name in ("one", "a long name")]


@pytest.mark.parametrize("with_truth", [True, False])
def test_people_truths_and_rows_are_side_by_side(with_truth: bool, results: list[Result], tmp_path: Path) -> None:
    truth = tmp_path / "truth" if with_truth else None
    write_sheet(
        tmp_path / "sheet.png",
        tmp_path / "persons",
        truth,
        results,
        NAMES[:2],
        lambda row, name: tmp_path / "row" / f"{name}.png",
    )
    wanted = ["red", *(["lime"] if with_truth else []), "blue", "blue"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        columns, lines = sheet.width // CELL[0], sheet.height // CELL[1]
        assert (columns, lines) == (len(wanted), 2)
        gap = (sheet.width - columns * CELL[0]) / (columns + 1)
        head = sheet.height - lines * (CELL[1] + gap)
        for line in range(lines):
            for column, colour in enumerate(wanted):
                left, top = gap + column * (CELL[0] + gap), head + line * (CELL[1] + gap)
                middle = (int(left + CELL[0] / 2), int(top + CELL[1] / 2))
                assert sheet.getpixel(middle) == Image.new("RGB", (1, 1), colour).getpixel((0, 0)), (line, column)


def test_an_image_that_is_missing_or_broken_is_named(results: list[Result], tmp_path: Path) -> None:
    for content in (None, b"broken"):
        path = tmp_path / "truth" / f"{NAMES[1]}.png"
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(
            IGRError, match=rf"{NAMES[1]}\.png (does not exist|is not a supported image).*run the experiment again"
        ):
            write_sheet(tmp_path / "s.png", tmp_path / "persons", tmp_path / "truth", [], NAMES[:2], lambda *_: path)
        path.touch()
    assert not (tmp_path / "s.png").exists()
