"""Masks for TryOffAnyone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from igr_core.errors import IGRError
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.labels import LIP
from tests.support.models.tiny_parser import save_parser
from tests.support.models.tiny_rivals import garment_mask, photo
from training.baselines.garment_masks import MaskFolder, ParsedMasks
from training.baselines.method import Item

SIZE = (48, 64)


def item(category: str = "upper", name: str = "00001_00") -> Item:
    return Item(0, f"test_{name}", name, category, photo(0))


@pytest.mark.parametrize("name", ["00001_00.png", "test_00001_00.png", "00001_00.PNG"])
def test_a_mask_is_found_by_the_name_of_the_photo_or_pair(name: str, tmp_path: Path) -> None:
    garment_mask(0).save(tmp_path / name)
    found = MaskFolder(tmp_path).of(item(), photo(0).resize(SIZE))
    expected = np.asarray(garment_mask(0).resize(SIZE))
    assert found.mode == "L" and found.size == SIZE and np.array_equal(np.asarray(found), expected)


def test_the_pairs_mask_takes_precedence_over_the_photos(tmp_path: Path) -> None:
    """Two garments in one photo have a pair each."""
    garment_mask(1).save(tmp_path / "00001_00.png")
    garment_mask(0).save(tmp_path / "test_00001_00.png")
    found = MaskFolder(tmp_path).of(item(), photo(0).resize(SIZE))
    assert np.array_equal(np.asarray(found), np.asarray(garment_mask(0).resize(SIZE)))


def test_a_mask_of_another_shape_is_refused(tmp_path: Path) -> None:
    garment_mask(0).rotate(90, expand=True).save(tmp_path / "00001_00.png")
    with pytest.raises(IGRError, match=r"00001_00\.png is 97×73, but its photo is 73×97: use a mask of the same shape"):
        MaskFolder(tmp_path).of(item(), photo(0).resize(SIZE))


def test_masks_whose_names_differ_only_by_case_are_refused(tmp_path: Path) -> None:
    for name in ("anna.png", "Anna.png"):
        garment_mask(0).save(tmp_path / name)
    with pytest.raises(IGRError, match=r"has [Aa]nna\.png and [Aa]nna\.png: remove one of them"):
        MaskFolder(tmp_path)


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    garment_mask(0).save(tmp_path / "other.png")
    with pytest.raises(IGRError, match="has no mask named 00001_00: add it, or omit --masks"):
        MaskFolder(tmp_path).of(item(), photo(0))
    with pytest.raises(IGRError, match="is not a folder"):
        MaskFolder(tmp_path / "none")


@pytest.mark.parametrize(
    ("sees", "category", "whole"),
    [
        ("upper-clothes", "upper", True),
        ("dress", "upper", True),
        ("dress", "full", True),
        ("pants", "lower", True),
        ("skirt", "lower", True),
        ("pants", "upper", False),
        ("upper-clothes", "lower", False),
    ],
)
def test_a_parser_finds_the_garment_of_the_category(sees: str, category: str, whole: bool, tmp_path: Path) -> None:
    masks = ParsedMasks(HumanParser.from_folder(save_parser(tmp_path / "parser", sees=[sees])))
    found = np.asarray(masks.of(item(category), photo(0)))
    assert found.shape == (97, 73) and set(np.unique(found)) <= {0, 255}
    assert (found.mean() > 250) == whole and (found.mean() == 0) == (not whole)


def test_a_parser_with_other_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match=r"labels of LIP-20: use segformer_b3_clothes \(ATR-18\)"):
        ParsedMasks(HumanParser.from_folder(save_parser(tmp_path / "parser", LIP)))
