"""Checking a data set: each problem is reported once, counts are right, the sheet shows every category."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.data.checking import CELL, check_pairs, summary, write_sheet
from training.data.layouts.dresscode import DressCode
from training.data.layouts.streettryon import StreetTryOn
from training.data.layouts.viton_hd import VitonHD

Tree = Callable[[str], Path]


def test_each_wrong_file_is_named_once(copy: Tree) -> None:
    root = copy("viton_hd")
    part = root / "train"
    (part / "image" / "00000_00.jpg").write_bytes(b"no picture")
    (part / "cloth" / "00001_00.jpg").unlink()
    Image.new("L", (48, 64), 255).save(part / "cloth-mask" / "00002_00.jpg")
    (part / "openpose_json" / "00003_00_keypoints.json").write_text("{")
    (part / "openpose_json" / "00004_00_keypoints.json").unlink()
    source = VitonHD(root, "train")
    reports = check_pairs(source, 2)
    assert [len(report.problems) for report in reports] == [1, 1, 1, 1, 0, 0]
    for report, name in zip(reports, ("image/00000", "cloth/00001", "cloth-mask/00002", "00003_00_key"), strict=False):
        assert name in report.problems[0]
    text = summary(source, reports)
    assert "6 pairs; upper 6" in text and "photos 96x128 (5)" in text and "joints for 4" in text
    assert "parsing maps for 5" in text


def test_the_summary_says_what_was_skipped_and_sizes(copy: Tree, tree: Tree) -> None:
    root = copy("viton_hd")
    for path in (root / "test").rglob("00006_00*"):
        path.rename(path.with_name(path.name.replace("00006", "02015")))
    for path in (root / "test").rglob("00007_00*"):
        if path.suffix in (".jpg", ".png"):
            with Image.open(path) as image:
                half = image.resize((48, 64), Image.Resampling.NEAREST)
            half.save(path)
    text = (root / "test_pairs.txt").read_text().replace("00006", "02015")
    (root / "test_pairs.txt").write_text(text)
    source = VitonHD(root, "test")
    said = summary(source, check_pairs(source, 1))
    assert "skipped known duplicates and train / test leaks: 1" in said
    assert "photos 96x128 (4), 48x64 (1)" in said
    street = StreetTryOn(tree("streettryon"))
    said = summary(street, check_pairs(street, 1))
    assert "no flat garments" in said and "left out" not in said


def test_the_sheet_shows_whole_pairs_of_every_category(copy: Tree, tmp_path: Path) -> None:
    root = copy("dresscode")
    (root / "upper_body" / "images" / "000000_0.jpg").write_bytes(b"")
    source = DressCode(root, "train")
    reports = check_pairs(source, 2)
    path = tmp_path / "out" / "sheet.png"
    assert write_sheet(path, source, reports, per_category=1) == 3
    with Image.open(path) as sheet:
        pixels = np.array(sheet)
    assert pixels.shape[1] > 6 * CELL[0] and pixels.shape[0] > 2 * CELL[1]
    assert (pixels == (255, 0, 255)).all(-1).sum() > 300  # outlines of masks
    first = pixels[20 : CELL[1] + 20, 4 : CELL[0] + 4].astype(int)  # below the caption
    drawn = np.array(source.person(1).resize(CELL)).astype(int)
    assert np.abs(first - drawn).mean() < 12  # the pair that can be read, not the broken one
    assert write_sheet(path, source, reports, per_category=9) == 5


def test_sheet_needs_pairs_and_an_image_name(tree: Tree, tmp_path: Path) -> None:
    source = VitonHD(tree("viton_hd"), "train")
    with pytest.raises(IGRError, match="supported image type"):
        write_sheet(tmp_path / "sheet.pdf", source, [])
    with pytest.raises(IGRError, match="no readable pair"):
        write_sheet(tmp_path / "sheet.png", source, [])
