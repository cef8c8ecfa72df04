"""VITON-HD: the published layout, its older release, the paired test, the left-out names, and damage."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from tests.training.conftest import SIZE
from training.data.layouts.leaks import VITON_HD_LEFT_OUT
from training.data.layouts.viton_hd import VitonHD
from training.data.synthetic import make_pair

Tree = Callable[[str], Path]


def near(first: Image.Image, second: Image.Image, tolerance: float = 4) -> bool:
    return float(np.abs(np.array(first, np.float32) - np.array(second, np.float32)).mean()) < tolerance


def test_pairs_equal_the_drawn_ones(tree: Tree) -> None:
    source = VitonHD(tree("viton_hd"), "train")
    assert [entry.name for entry in source.entries] == [f"train/{number:05d}_00" for number in range(6)]
    assert {entry.category for entry in source.entries} == {"upper"} and source.has_garments
    for index in range(6):
        pair = make_pair(index, SIZE, category="upper")
        assert near(source.person(index), pair.person) and near(source.garment(index), pair.garment)
        assert source.mask(index).tobytes() == pair.agnostic_mask.tobytes()
        cover = source.garment_cover(index)
        assert cover is not None and near(cover, pair.garment_silhouette)
        keypoints = source.keypoints(index)
        assert keypoints is not None and set(keypoints.joints) == set(pair.joints)
        joint = keypoints.joints["neck"]
        assert (joint.x, joint.y, joint.confidence) == pytest.approx(pair.joints["neck"])
        assert source.missing(index) == []


def test_the_mask_from_the_parsing_map_is_the_visible_garment(tree: Tree) -> None:
    source = VitonHD(tree("viton_hd"), "train", mask="garment")
    for index in range(6):
        drawn = np.array(make_pair(index, SIZE, category="upper").garment_mask) > 127
        mask = np.array(source.mask(index)) > 127
        assert (mask & drawn).sum() / (mask | drawn).sum() > 0.9
        parsing = source.parsing(index)
        assert parsing is not None and (parsing.garment("upper") == mask).all()


def test_the_test_split_is_paired_although_its_file_is_not(tree: Tree) -> None:
    root = tree("viton_hd")
    lines = (root / "test_pairs.txt").read_text().splitlines()
    assert all(line.split()[0] != line.split()[1] for line in lines)
    source = VitonHD(root, "test")
    assert [files.person.name for files in source.files] == [line.split()[0] for line in lines]
    assert [files.garment and files.garment.name for files in source.files] == [line.split()[0] for line in lines]
    assert near(source.garment(0), make_pair(6, SIZE, category="upper").garment)


def test_known_duplicates_and_leaks_are_skipped(copy: Tree) -> None:
    assert {split: len(names) for split, names in VITON_HD_LEFT_OUT.items()} == {"train": 95, "test": 42}
    root = copy("viton_hd")
    for folder, ending in (("image", ".jpg"), ("cloth", ".jpg"), ("agnostic-mask", "_mask.png")):
        for path, stem in (("00007_00", "02015_00"), ("00008_00", "07309_00")):
            shutil.move(root / "test" / folder / f"{path}{ending}", root / "test" / folder / f"{stem}{ending}")
    text = (root / "test_pairs.txt").read_text().replace("00007_00", "02015_00").replace("00008_00", "07309_00")
    (root / "test_pairs.txt").write_text(text)
    source = VitonHD(root, "test")
    assert len(source) == 4 and source.left_out == ("test/02015_00", "test/07309_00")
    kept = VitonHD(root, "test", keep_leaks=True)
    assert len(kept) == 6 and kept.left_out == ()
    assert kept.garment(1).size == SIZE


def test_the_older_release_with_colour_maps_and_its_names(copy: Tree) -> None:
    root = copy("viton_hd")
    expected = VitonHD(root, "train", mask="garment")
    masks = [expected.mask(index).tobytes() for index in range(6)]
    part = root / "train"
    for path in (part / "image-parse-v3").iterdir():
        Image.open(path).convert("RGB").save(path)
    (part / "image-parse-v3").rename(part / "image-parse")
    (part / "openpose_json").rename(part / "openpose-json")
    shutil.rmtree(part / "agnostic-mask")
    shutil.rmtree(part / "cloth-mask")
    older = VitonHD(root, "train", mask="garment")
    assert [older.mask(index).tobytes() for index in range(6)] == masks
    assert older.keypoints(0) is not None and older.garment_cover(0) is None
    with pytest.raises(IGRError, match=r"agnostic-mask does not exist: set mask to garment"):
        VitonHD(root, "train")


def test_uppercase_endings_windows_lines_and_a_third_column(copy: Tree) -> None:
    root = copy("viton_hd")
    for folder in ("image", "cloth"):
        for path in (root / "train" / folder).iterdir():
            path.rename(path.with_suffix(".JPG"))
    path = root / "train_pairs.txt"
    path.write_bytes(b"\r\n\r\n".join(line.encode() + b" 0" for line in path.read_text().splitlines()) + b"\r\n")
    source = VitonHD(root, "train")
    assert len(source) == 6 and source.person(5).size == source.garment(5).size == SIZE


def test_a_mask_folder_of_the_user(copy: Tree, tmp_path: Path) -> None:
    root = copy("viton_hd")
    shutil.copytree(root / "train" / "agnostic-mask", root / "train" / "mine")
    shutil.copytree(root / "train" / "agnostic-mask", tmp_path / "elsewhere" / "train")
    for folder in ("mine", str(tmp_path / "elsewhere"), str(tmp_path / "elsewhere" / "train")):
        source = VitonHD(root, "train", mask_folder=folder)
        assert source.mask_kind == "file"
        assert source.mask(2).tobytes() == VitonHD(root, "train").mask(2).tobytes()
    with pytest.raises(IGRError, match="Mask folder nothing was not found"):
        VitonHD(root, "train", mask_folder="nothing")
    with pytest.raises(IGRError, match="set mask_folder"):
        VitonHD(root, "train", mask="file")
    with pytest.raises(IGRError, match="set mask to file, or omit mask_folder"):
        VitonHD(root, "train", mask="agnostic", mask_folder="mine")


def test_the_most_confident_of_several_people_is_used(copy: Tree) -> None:
    root = copy("viton_hd")
    path = root / "train" / "openpose_json" / "00000_00_keypoints.json"
    content = json.loads(path.read_text())
    ghost = {"pose_keypoints_2d": [1.0, 2.0, 0.01] * 25}
    path.write_text(json.dumps({"people": [ghost, *content["people"]]}))
    (path.parent / "00001_00_keypoints.json").write_text('{"people": []}')
    (path.parent / "00002_00_keypoints.json").write_text('{"people": [{"pose_keypoints_2d": [1, 2]}]}')
    (path.parent / "00003_00_keypoints.json").unlink()
    source = VitonHD(root, "train")
    keypoints = source.keypoints(0)
    assert keypoints is not None and keypoints.joints["neck"].confidence > 0.3
    assert source.keypoints(1) is None and source.keypoints(3) is None
    with pytest.raises(IGRError, match=r"00002_00_keypoints\.json does not contain 25 or 18 joints"):
        source.keypoints(2)


def test_damage_is_named_by_file(copy: Tree) -> None:
    root = copy("viton_hd")
    part = root / "train"
    jpeg = part / "image" / "00000_00.jpg"
    jpeg.write_bytes(jpeg.read_bytes()[:-200])
    (part / "cloth" / "00001_00.jpg").unlink()
    Image.new("L", (48, 64), 255).save(part / "agnostic-mask" / "00002_00_mask.png")
    Image.new("L", (48, 64), 5).save(part / "image-parse-v3" / "00003_00.png")
    Image.new("L", SIZE, 0).save(part / "agnostic-mask" / "00004_00_mask.png")
    Image.open(part / "image" / "00005_00.jpg").convert("L").save(part / "image" / "00005_00.jpg")
    source = VitonHD(root, "train")
    with pytest.raises(IGRError, match=r"image/00000_00\.jpg is truncated"):
        source.person(0)
    assert source.missing(1) == [str(part / "cloth" / "00001_00.jpg")]
    with pytest.raises(IGRError, match=r"cloth/00001_00\.jpg does not exist"):
        source.garment(1)
    with pytest.raises(IGRError, match=r"00002_00_mask\.png is 48x64, but its photo is 96x128"):
        source.mask(2)
    with pytest.raises(IGRError, match=r"image-parse-v3/00003_00\.png is 48x64"):
        source.parsing(3)
    with pytest.raises(IGRError, match=r"00004_00_mask\.png marks no garment"):
        source.mask(4)
    assert source.person(5).mode == "RGB"


def test_missing_files_are_reported_before_anything_is_read(copy: Tree) -> None:
    root = copy("viton_hd")
    (root / "test_pairs.txt").unlink()
    with pytest.raises(IGRError, match=r"test_pairs\.txt does not exist"):
        VitonHD(root, "test")
    shutil.rmtree(root / "train" / "cloth")
    with pytest.raises(IGRError, match=r"train/cloth does not exist"):
        VitonHD(root, "train")
    with pytest.raises(IGRError, match="no split 'val'"):
        VitonHD(root, "val")
