"""A plain folder of your own pairs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from tests.training.conftest import SIZE
from training.data.layouts.folder import PlainFolder
from training.data.synthetic import make_pair

Tree = Callable[[str], Path]


def test_pairs_by_name(tree: Tree) -> None:
    source = PlainFolder(tree("folder"))
    assert [entry.name for entry in source.entries] == [f"look-{number:03d}" for number in range(1, 7)]
    for index, entry in enumerate(source.entries):
        pair = make_pair(index, SIZE)
        assert entry.category == pair.category
        assert source.garment(index).tobytes() == pair.garment.tobytes()
        assert source.mask(index).tobytes() == pair.garment_mask.tobytes()
        assert source.parsing(index) is None and source.keypoints(index) is None
    assert source.unlisted == ()


def test_names_without_endings_with_dots_and_no_heading(copy: Tree) -> None:
    root = copy("folder")
    for folder, ending in (("person", "jpg"), ("garment", "png"), ("mask", "png")):
        (root / folder / f"look-001.{ending}").rename(root / folder / f"look.v1.{ending}")
    text = (
        (root / "category.csv").read_text().replace("look-001.jpg", "look.v1.jpg").replace("look-002.jpg", "look-002")
    )
    (root / "category.csv").write_text(text.removeprefix("name,category\n"))
    source = PlainFolder(root)
    assert [entry.name for entry in source.entries][:2] == ["look.v1", "look-002"]
    assert all(not source.missing(index) for index in range(6))
    assert source.garment(0).size == source.person(1).size == SIZE


def test_only_the_ending_of_an_image_counts_as_one(copy: Tree) -> None:
    root = copy("folder")
    for folder, ending in (("person", "jpg"), ("garment", "png"), ("mask", "png")):
        (root / folder / f"look-001.{ending}").rename(root / folder / f"anna.v2.{ending}")
    text = (root / "category.csv").read_text()
    (root / "category.csv").write_text(text.replace("look-001.jpg", "anna.v2"))
    source = PlainFolder(root)
    assert source.entries[0].name == "anna.v2" and not source.missing(0) and not source.unlisted
    assert source.person(0).size == SIZE


def test_a_folder_without_garments_has_only_photos_and_masks(copy: Tree) -> None:
    root = copy("folder")
    shutil.rmtree(root / "garment")
    source = PlainFolder(root)
    assert not source.has_garments
    with pytest.raises(IGRError, match="no flat garments"):
        source.garment(0)


def test_splits_are_in_separate_folders(copy: Tree, tmp_path: Path) -> None:
    root = tmp_path / "both"
    shutil.copytree(copy("folder"), root / "train")
    shutil.copytree(root / "train", root / "test")
    lines = (root / "test" / "category.csv").read_text().splitlines()
    (root / "test" / "category.csv").write_text("\n".join(lines[:3]))
    assert len(PlainFolder(root, "train")) == 6
    source = PlainFolder(root, "test")
    assert len(source) == 2
    assert source.unlisted[0] == f"{root}/test/person/look-003.jpg is not listed in {root}/test/category.csv."


def test_a_photo_turned_by_exif_and_its_mask(copy: Tree) -> None:
    root = copy("folder")
    exif = Image.Exif()
    exif[0x0112] = 8
    path = root / "person" / "look-001.jpg"
    upright = Image.open(path).copy()
    upright.transpose(Image.Transpose.ROTATE_270).save(path, exif=exif, quality=95)
    source = PlainFolder(root)
    assert source.person(0).size == source.mask(0).size == SIZE
    assert np.abs(np.array(source.person(0), float) - np.array(upright, float)).mean() < 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("look-001.jpg,shirt\n", r"category\.csv, line 1: write NAME,CATEGORY with upper, lower or full"),
        ("name,category\nlook-001.jpg\n", r"category\.csv, line 2: write NAME,CATEGORY"),
        ("a,shirt\nb,upper\nc,top\n", r"line 1: .*, not 'a,shirt'; also correct line 3\.$"),
        ("a,shirt\nb,x\nc,y\nd,z\n", r"line 1: .*; also correct lines 2, 3 and 4\.$"),
        ("".join(f"{n},shirt\n" for n in range(14)), r"also correct lines 2, 3, .*, 10, 11 and 3 others\.$"),
        ("look-001.jpg,upper\nlook-001.png,upper\n", r"category\.csv, line 2 lists look-001\.png a second time"),
        ("", r"category\.csv is empty"),
    ],
)
def test_a_wrong_list_is_named_by_line(copy: Tree, text: str, said: str) -> None:
    root = copy("folder")
    (root / "category.csv").write_text(text)
    with pytest.raises(IGRError, match=said):
        PlainFolder(root)


def test_what_is_missing_is_reported(copy: Tree) -> None:
    root = copy("folder")
    with pytest.raises(IGRError, match="only has mask files"):
        PlainFolder(root, mask="agnostic")
    (root / "category.csv").unlink()
    with pytest.raises(IGRError, match=r"category\.csv does not exist"):
        PlainFolder(root)
    shutil.rmtree(root / "mask")
    with pytest.raises(IGRError, match=r"/mask does not exist: a folder of pairs has"):
        PlainFolder(root)


def test_ambiguous_files_are_named(copy: Tree) -> None:
    """The mask with the photo's exact name is used, but the data set is rejected until only one of the files is
    left."""
    root = copy("folder")
    for folder, name, other in (
        ("person", "look-001.jpg", "look-001.webp"),
        ("garment", "look-002.png", "look-002.jpg"),
        ("mask", "look-003.png", "look-003_mask.png"),
    ):
        shutil.copy(root / folder / name, root / folder / other)
    source = PlainFolder(root)
    assert source.files[2].mask == root / "mask" / "look-003.png"
    assert set(source.unlisted) == {
        f"{root}/garment has look-002.jpg and look-002.png for the same pair: keep one of them.",
        f"{root}/mask has look-003.png and look-003_mask.png for the same pair: keep one of them.",
        f"{root}/person/look-001.webp is not listed in {root}/category.csv.",
    }
    text = (root / "category.csv").read_text()
    (root / "category.csv").write_text(text.replace("look-001.jpg", "look-001"))
    assert any(f"{root}/person has look-001.jpg and look-001.webp" in one for one in PlainFolder(root).unlisted)


def test_a_mask_of_another_photo_is_not_ambiguous(copy: Tree) -> None:
    root = copy("folder")
    for folder, ending in (("person", "jpg"), ("garment", "png"), ("mask", "png")):
        (root / folder / f"look-002.{ending}").rename(root / folder / f"look-001_mask.{ending}")
    text = (root / "category.csv").read_text()
    (root / "category.csv").write_text(text.replace("look-002.jpg", "look-001_mask.jpg"))
    source = PlainFolder(root)
    assert [one.mask.name for one in source.files[:2] if one.mask] == ["look-001.png", "look-001_mask.png"]
    assert not source.unlisted
