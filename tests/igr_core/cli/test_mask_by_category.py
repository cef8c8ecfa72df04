"""The command `mask` by category, with a tiny real parser and a tiny real SAM 2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from igr_core.cli import mask_by_category
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.overlay import overlay
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.labels import AUTO, FASHN
from igr_core.segmentation.refinement import describe, refine_mask
from igr_core.segmentation.segmenter import Segmenter
from tests.support.cli_kit import fails, files, invoke, write_pair
from tests.support.models.tiny_parser import change_config, save_parser
from tests.support.models.tiny_sam2 import save_sam2


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parser that finds only tops and skirts."""
    return save_parser(tmp_path_factory.mktemp("parser") / "tiny", sees=("upper-clothes", "skirt"))


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sam2(tmp_path_factory.mktemp("sam2") / "tiny")


@pytest.fixture
def person(tmp_path: Path) -> Path:
    return write_pair(tmp_path, "anna.png")[0]


def mask(person: Path, out: Path, *more: object):
    return invoke("mask", person, "--out", out, "--device", "cpu", *more)


@pytest.mark.parametrize("category", ["upper", "lower", "full", None])
def test_the_parsers_own_mask_is_written(tmp_path: Path, parser: Path, person: Path, category: str | None) -> None:
    out, shown = tmp_path / "new" / "mask.png", tmp_path / "overlay.png"
    asked = () if category is None else ("--category", category)
    result = mask(person, out, "--parser", parser, "--overlay", shown, *asked)
    assert result.exit_code == 0, result.output
    photo = load_photo(person)
    own, (found,), (certainty,) = HumanParser.from_folder(parser).garments(photo, category or AUTO)
    assert 0 < own.mean() and torch.equal(load_mask(out), own)
    assert f": {describe(found, own, None, certainty)}." in result.stdout
    assert (load_photo(shown) - overlay(photo, own)).abs().max() <= 0.5 / 255 + 1e-6
    assert found == (category or found) and found in ("upper", "lower", "full")


def test_a_segmenter_draws_the_edges(tmp_path: Path, parser: Path, sam: Path, person: Path) -> None:
    out = tmp_path / "mask.png"
    result = mask(person, out, "--parser", parser, "--category", "upper", "--segmenter", sam)
    assert result.exit_code == 0, result.output
    photo, segmenter = load_photo(person), Segmenter.from_folder(sam)
    own, *_ = HumanParser.from_folder(parser).garments(photo, "upper")
    embedding = segmenter.embed(photo)
    clean = refine_mask(own, lambda prompt: segmenter.masks(embedding, prompt))
    assert torch.equal(load_mask(out), clean.mask) and not torch.equal(clean.mask, own)
    assert f"SAM 2 found {clean.found:.0%} of the parser's mask" in result.stdout


def test_a_doubtful_mask_is_reported(tmp_path: Path) -> None:
    """A blank photo, in which the included parser still finds something."""
    blank = tmp_path / "blank.png"
    Image.new("RGB", (80, 120), "white").save(blank)
    result = mask(blank, tmp_path / "mask.png", "--category", "upper")
    assert result.exit_code == 0, result.output
    assert re.search(r"of the photo; the parser is only \d\d% sure, so check the mask\.", result.stdout)


def test_the_included_one_is_used_if_only_a_category_is_named(
    tmp_path: Path, parser: Path, person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mask.png"
    monkeypatch.setattr(mask_by_category, "INCLUDED_PARSER", tmp_path / "none")
    fails(
        mask(person, out, "--category", "upper"),
        2,
        "none does not exist: use --parser with the folder of a human parser",
    )
    monkeypatch.setattr(mask_by_category, "INCLUDED_PARSER", parser)
    result = mask(person, out, "--category", "upper")
    assert result.exit_code == 0 and out.is_file()
    assert "not trained on photos; for photos, use --parser" in result.stderr


def test_wrong_commands_are_reported_before_anything_starts(tmp_path: Path, parser: Path, person: Path) -> None:
    before = files(tmp_path)

    def wrong(*words: object) -> str:
        result = mask(person, tmp_path / "mask.png", *words)
        fails(result, 2)
        return result.stderr

    by_category = ("--parser", parser / "never")
    for marks in (("--point", "3,4"), ("--not", "3,4"), ("--box", "1,2,30,40"), ("--rough", person)):
        said = wrong(*by_category, *marks)
        assert f"{marks[0]} cannot be combined with --parser or --category" in said and "\n" not in said.strip()
    assert "--candidate cannot be combined" in wrong(*by_category, "--candidate", "merged")
    assert "--point, --box cannot be combined" in wrong("--category", "upper", "--point", "3,4", "--box", "1,2,30,40")
    assert "--category" in wrong("--parser", parser, "--category", "shoes")
    assert "overwrite an input" in invoke("mask", person, "--out", person, *by_category).stderr
    assert files(tmp_path) == before


def test_parsers_and_photos_that_cannot_be_used(tmp_path: Path, parser: Path, sam: Path, person: Path) -> None:
    out = tmp_path / "mask.png"
    fails(
        mask(person, out, "--parser", tmp_path / "gone"), 1, "gone does not exist: specify the folder of a human parser"
    )
    fails(mask(person, out, "--parser", sam), 1, "is not a known human parser")
    foreign = save_parser(tmp_path / "foreign")
    change_config(foreign, id2label={"0": "wall", "1": "sky"})
    fails(mask(person, out, "--parser", foreign), 1, "labels in its config.json are wall, sky")
    legs = save_parser(tmp_path / "legs", FASHN, sees=("legs",))
    fails(mask(person, out, "--parser", legs), 1, "found no garment in the photo: choose another category, or paint")
    asked = ("--parser", legs, "--category", "lower")
    fails(mask(person, out, *asked), 1, "found no garment of category lower in the photo")
    fails(mask(person, out, "--parser", parser, "--segmenter", tmp_path / "gone.safetensors"), 1, "gone.safetensors")
    assert not out.exists()
