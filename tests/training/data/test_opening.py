"""Opening a data set from its config: detecting the layout, checking files, limits and categories."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.model.config import from_json
from tests.training.conftest import SIZE
from training.data.fixtures import FIXTURES
from training.data.layouts.names import LAYOUTS
from training.data.layouts.synthetic_pairs import SyntheticConfig
from training.data.opening import DataSetConfig, build_source, detect_layout, open_data_set, splits_in

Tree = Callable[[str], Path]


@pytest.mark.parametrize("layout", FIXTURES)
def test_every_layout_is_detected_and_opened(tree: Tree, layout: str) -> None:
    root = str(tree(layout))
    assert detect_layout(root) == layout and layout in LAYOUTS
    for split in ("train", "test"):
        source = open_data_set(DataSetConfig(root=root, split=split))
        assert source.layout == layout and len(source) > 0
        for index in range(len(source)):
            assert source.mask(index).size == source.person(index).size
            assert source.has_garments is (layout != "streettryon")


def test_splits_on_disk(tree: Tree, tmp_path: Path) -> None:
    both = ("train", "test")
    assert [splits_in(str(tree(name)), name) for name in ("viton_hd", "dresscode", "streettryon")] == [both] * 3
    assert [splits_in(str(tree(name)), name) for name in ("folder", "tars")] == [("train",)] * 2
    (tmp_path / "test").mkdir()
    shutil.copy(tree("tars") / "shard-000000.tar", tmp_path / "test")
    assert detect_layout(str(tmp_path)) == "tars" and splits_in(str(tmp_path), "tars") == ("test",)
    assert len(open_data_set(DataSetConfig(root=str(tmp_path), split="test"))) == 3
    assert detect_layout("s3://bucket/{a,b}.tar") == "tars" and splits_in("s3://bucket/{a,b}.tar", "tars") == ("train",)


@pytest.mark.parametrize(
    ("layout", "below"),
    [("viton_hd", "train"), ("viton_hd", "train/image"), ("dresscode", "dresses"), ("streettryon", "validation/image")],
)
def test_a_folder_too_low_is_reported_with_the_right_one(tree: Tree, layout: str, below: str) -> None:
    root = tree(layout)
    with pytest.raises(IGRError, match=f"is not itself a data set: specify {root} "):
        detect_layout(str(root / below))


def test_a_folder_too_high_is_reported_with_the_right_ones(copy: Tree) -> None:
    root = copy("viton_hd").parent
    shutil.move(copy("folder"), root / "another")
    with pytest.raises(IGRError, match=rf"specify {root}/another \(a plain folder\) or {root}/viton_hd \(VITON-HD\)\."):
        detect_layout(str(root))


def test_an_unknown_folder_is_refused_with_the_layouts_tried(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    with pytest.raises(
        IGRError, match=r"not a data set in any of these layouts: VITON-HD \(.*DressCode \(.*WebDataset shards"
    ):
        detect_layout(str(tmp_path / "a" / "b" / "c"))
    with pytest.raises(IGRError, match="is not an existing folder"):
        detect_layout(str(tmp_path / "none"))


def test_missing_files_are_reported_when_it_is_opened(copy: Tree) -> None:
    root = copy("viton_hd")
    for number in range(5):
        (root / "train" / "cloth" / f"0000{number}_00.jpg").unlink()
    config = DataSetConfig(root=str(root))
    with pytest.raises(IGRError, match=r"cloth/00000_00\.jpg, .*cloth/00002_00\.jpg and 2 more files cannot be found"):
        open_data_set(config)
    assert len(build_source(config)) == 6


def test_photos_without_a_line_are_reported_when_it_is_opened(copy: Tree) -> None:
    root = copy("folder")
    text = (root / "category.csv").read_text().splitlines()
    (root / "category.csv").write_text("\n".join(text[:-1]))
    with pytest.raises(IGRError, match=r"look-006\.jpg is not listed in"):
        open_data_set(DataSetConfig(root=str(root)))


def test_a_limit_is_spread_over_the_set_and_categories_are_kept(tree: Tree) -> None:
    root = str(tree("dresscode"))
    source = open_data_set(DataSetConfig(root=root, limit=3))
    assert [entry.category for entry in source.entries] == ["upper", "lower", "full"]
    assert source.layout == "dresscode"
    whole = open_data_set(DataSetConfig(root=root))
    for index, row in enumerate((0, 2, 4)):
        assert source.entries[index] == whole.entries[row]
        assert source.garment(index).tobytes() == whole.garment(row).tobytes()
        assert source.keypoints(index) == whole.keypoints(row) and source.missing(index) == []
    kept = open_data_set(DataSetConfig(root=root, categories=("full",)))
    assert {entry.category for entry in kept.entries} == {"full"}
    with pytest.raises(IGRError, match="has no lower pairs"):
        open_data_set(DataSetConfig(root=str(tree("viton_hd")), categories=("lower",)))


def test_drawn_pairs_by_their_config() -> None:
    config = DataSetConfig(layout="synthetic", mask="agnostic", synthetic=SyntheticConfig(5, 4, SIZE), limit=2)
    source = open_data_set(config)
    assert [entry.name for entry in source.entries] == ["seed-000000005", "seed-000000007"]


def test_configs_are_read_from_plain_data(tree: Tree) -> None:
    data = {"root": str(tree("tars")), "split": "test", "categories": ["lower"], "synthetic": {"size": [48, 64]}}
    config = from_json(DataSetConfig, data)
    assert config.categories == ("lower",) and config.synthetic.size == (48, 64)
    assert len(open_data_set(config)) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"root": "x", "categories": ("dresses",)}, "Unknown category 'dresses'"),
        ({"root": "x", "limit": 0}, "limit is 0"),
        ({}, "has no root"),
    ],
)
def test_invalid_configs_are_refused(options: dict, said: str) -> None:
    with pytest.raises(IGRError, match=said):
        DataSetConfig(**options)


def test_shards_and_drawn_pairs_bring_their_masks(tree: Tree) -> None:
    with pytest.raises(IGRError, match="omit mask_folder"):
        open_data_set(DataSetConfig(layout="synthetic", mask_folder="masks"))
    with pytest.raises(IGRError, match="set mask to auto or file, not garment"):
        open_data_set(DataSetConfig(root=str(tree("tars")), mask="garment"))


def test_a_tar_beside_the_folders_of_the_splits_is_named(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    shutil.copy(tree("tars") / "shard-000000.tar", tmp_path / "train" / "a.TAR")
    assert len(open_data_set(DataSetConfig(root=str(tmp_path)))) == 3
    shutil.copy(tree("tars") / "shard-000001.tar", tmp_path / "b.tar")
    (tmp_path / "c.tar.zst").touch()
    assert build_source(DataSetConfig(root=str(tmp_path))).unlisted == (
        f"{tmp_path}/b.tar is not used: move it into {tmp_path}/train, or away.",
        f"{tmp_path}/c.tar.zst is a compressed tar, which is not read: unpack it to a .tar, or move it away.",
    )
    with pytest.raises(IGRError, match=r"b\.tar is not used"):
        open_data_set(DataSetConfig(root=str(tmp_path)))


def test_compressed_tars_alone_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").touch()
    with pytest.raises(IGRError, match=r"a\.tar\.gz is a compressed tar, which cannot be read at random: unpack it"):
        detect_layout(str(tmp_path / "a.tar.gz"))
    with pytest.raises(IGRError, match=r"a\.tar\.gz is a compressed tar, which is not read: unpack it"):
        detect_layout(str(tmp_path))
