"""The drawn data sets have exactly the published names, modes and numbers."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.data.fixtures import write_fixture
from training.data.layouts.leaks import VITON_HD_LEFT_OUT

Tree = Callable[[str], Path]


def names(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_viton_hd(tree: Tree) -> None:
    root = tree("viton_hd")
    expected = {"train_pairs.txt", "test_pairs.txt"}
    for split, first in (("train", 0), ("test", 6)):
        for stem in (f"{number:05d}_00" for number in range(first, first + 6)):
            expected |= {f"{split}/{folder}/{stem}.jpg" for folder in ("image", "cloth", "cloth-mask")}
            expected |= {f"{split}/agnostic-mask/{stem}_mask.png", f"{split}/image-parse-v3/{stem}.png"}
            expected |= {f"{split}/openpose_img/{stem}_rendered.png", f"{split}/openpose_json/{stem}_keypoints.json"}
    assert names(root) == expected
    parsing = Image.open(root / "train/image-parse-v3/00000_00.png")
    assert parsing.mode == "P" and {0, 5, 13} <= set(np.unique(parsing)) <= set(range(20))
    people = json.loads((root / "train/openpose_json/00000_00_keypoints.json").read_text())["people"]
    assert len(people) == 1 and len(people[0]["pose_keypoints_2d"]) == 75
    sticks = Image.open(root / "train/openpose_img/00000_00_rendered.png").convert("RGB")
    assert np.array(sticks).any() and sticks.getpixel((0, 0)) == (0, 0, 0)


def test_dresscode(tree: Tree) -> None:
    root = tree("dresscode")
    lists = {"train_pairs.txt", "test_pairs_paired.txt", "test_pairs_unpaired.txt"}
    expected = set(lists)
    for first, folder in ((0, "upper_body"), (4, "lower_body"), (8, "dresses")):
        expected |= {f"{folder}/{name}" for name in lists}
        for number in range(first, first + 4):
            ends = (
                "images/{}_0.jpg",
                "images/{}_1.jpg",
                "label_maps/{}_4.png",
                "skeletons/{}_5.jpg",
                "keypoints/{}_2.json",
            )
            expected |= {f"{folder}/{end.format(f'{number:06d}')}" for end in ends}
    assert names(root) == expected
    points = json.loads((root / "dresses/keypoints/000008_2.json").read_text())["keypoints"]
    assert len(points) == 18 and {len(point) for point in points} == {4}
    assert max(point[1] for point in points) > 128  # relative to 512, not to the image's 128
    third = [line.split()[2] for line in (root / "train_pairs.txt").read_text().splitlines()]
    assert third == ["0", "0", "1", "1", "2", "2"]


def test_streettryon(tree: Tree) -> None:
    root = tree("streettryon")
    expected = {f"annotations/{split}_image_list.txt" for split in ("train", "validation")}
    expected |= {f"annotations/street2street_test_pairs_{kind}.csv" for kind in ("top", "dress")}
    for split, first in (("train", 1), ("validation", 5)):
        for number in range(first, first + 4):
            ends = ("image/{}.jpg", "segm_atr_labels/{}.png", "raw_bbox/{}.jpg.json")
            expected |= {f"{split}/{end.format(f'{number:06d}')}" for end in ends}
    assert names(root) == expected


def test_folder_and_tars(tree: Tree) -> None:
    stems = [f"look-{number:03d}" for number in range(1, 7)]
    expected = {"category.csv", *(f"person/{stem}.jpg" for stem in stems)}
    expected |= {f"{folder}/{stem}.png" for folder in ("garment", "mask") for stem in stems}
    assert names(tree("folder")) == expected
    shards = {"shard-000000.tar", "shard-000001.tar"}
    assert names(tree("tars")) == shards | {f"{name}.index.json" for name in shards}


def test_the_same_seed_gives_the_same_files(tree: Tree, tmp_path: Path) -> None:
    write_fixture("folder", tmp_path / "again", 6, 0, (96, 128))
    for name in names(tree("folder")):
        assert (tmp_path / "again" / name).read_bytes() == (tree("folder") / name).read_bytes()


def test_names_that_are_skipped_by_default_are_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(VITON_HD_LEFT_OUT, "train", frozenset({"00000_00"}))
    write_fixture("viton_hd", tmp_path, 1, 0, (24, 32))
    assert (tmp_path / "train_pairs.txt").read_text() == "00001_00.jpg 00001_00.jpg\n"


def test_what_cannot_be_drawn_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="Unknown layout 'voc'"):
        write_fixture("voc", tmp_path / "a")
    with pytest.raises(IGRError, match="3:4 size"):
        write_fixture("folder", tmp_path / "a", size=(100, 100))
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine.txt").touch()
    with pytest.raises(IGRError, match="is not empty"):
        write_fixture("folder", tmp_path)
