"""DressCode: three categories, pair files of the category or of the root, maps, joints at half size."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from tests.training.conftest import SIZE
from training.data.layouts.dresscode import FOLDERS, DressCode
from training.data.synthetic import make_pair

Tree = Callable[[str], Path]


def test_every_category_with_its_mask_and_joints(tree: Tree) -> None:
    source = DressCode(tree("dresscode"), "train")
    assert [entry.category for entry in source.entries] == ["upper"] * 2 + ["lower"] * 2 + ["full"] * 2
    names = [entry.name for entry in source.entries]
    assert names[0] == "train/upper_body/000000_0" and names[5] == "train/dresses/000009_0"
    for seed, (index, entry) in zip((0, 1, 4, 5, 8, 9), enumerate(source.entries), strict=True):
        pair = make_pair(seed, SIZE, category=entry.category)
        assert np.abs(np.array(source.garment(index), float) - np.array(pair.garment, float)).mean() < 4
        mask, drawn = np.array(source.mask(index)) > 127, np.array(pair.garment_mask) > 127
        assert (mask & drawn).sum() / (mask | drawn).sum() > 0.85
        keypoints = source.keypoints(index)
        assert keypoints is not None and set(keypoints.joints) == set(pair.joints) - {"mid_hip"}
        for name, joint in keypoints.joints.items():
            assert (joint.x, joint.y) == pytest.approx(pair.joints[name][:2], abs=0.01)


def test_the_test_split_is_paired(tree: Tree) -> None:
    source = DressCode(tree("dresscode"), "test")
    for files in source.files:
        assert files.garment is not None
        assert files.person.name.removesuffix("_0.jpg") == files.garment.name.removesuffix("_1.jpg")
    assert len(source) == 6


@pytest.mark.parametrize("left", ["root", "unpaired"])
def test_other_pair_files_give_the_same_test_split(copy: Tree, left: str) -> None:
    root = copy("dresscode")
    expected = [entry.name for entry in DressCode(root, "test").entries]
    for folder in FOLDERS.values():
        (root / folder / "test_pairs_paired.txt").unlink()
        if left == "root":
            (root / folder / "test_pairs_unpaired.txt").unlink()
    if left == "unpaired":
        (root / "test_pairs_paired.txt").unlink()
    source = DressCode(root, "test")
    assert [entry.name for entry in source.entries] == expected
    assert [len(source.missing(index)) for index in range(6)] == [0] * 6
    assert all(files.garment and files.garment.name[:6] == files.person.name[:6] for files in source.files)


def test_folders_of_other_categories_are_not_needed(copy: Tree) -> None:
    root = copy("dresscode")
    shutil.rmtree(root / "upper_body")
    source = DressCode(root, "train", categories=("full", "lower"))
    assert {entry.category for entry in source.entries} == {"lower", "full"}
    with pytest.raises(IGRError, match=r"upper_body/images does not exist"):
        DressCode(root, "train")


def test_own_masks_may_be_by_category_or_in_one_folder(copy: Tree, tmp_path: Path) -> None:
    root = copy("dresscode")
    parsed = DressCode(root, "train")
    for index, files in enumerate(parsed.files):
        for folder in (root / files.person.parts[-3] / "masks", tmp_path / "all"):
            folder.mkdir(exist_ok=True, parents=True)
            parsed.mask(index).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / f"{files.person.stem}.png")
    for folder in ("masks", str(tmp_path / "all")):
        source = DressCode(root, "train", mask_folder=folder)
        for index in range(len(source)):
            flipped = source.mask(index).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            assert flipped.tobytes() == parsed.mask(index).tobytes()


def test_invalid_settings_are_reported_in_one_sentence(copy: Tree) -> None:
    root = copy("dresscode")
    with pytest.raises(IGRError, match="no published agnostic masks"):
        DressCode(root, "train", mask="agnostic")
    path = root / "dresses" / "keypoints" / "000008_2.json"
    path.write_text('{"keypoints": [[1, 2, 3]]}')
    with pytest.raises(IGRError, match=r"000008_2\.json does not contain 25 or 18 joints of 4"):
        DressCode(root, "train").keypoints(4)
    for folder in (root, *(root / name for name in FOLDERS.values())):
        (folder / "train_pairs.txt").unlink()
    with pytest.raises(IGRError, match=r"upper_body/train_pairs\.txt does not exist, nor do .*train_pairs_paired"):
        DressCode(root, "train")
    (root / "train_pairs.txt").write_text("000000_0.jpg 000000_1.jpg\n")
    with pytest.raises(IGRError, match="no third column"):
        DressCode(root, "train")
