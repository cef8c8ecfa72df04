"""Shards: packing any data set, and reading it back at random and from a URL."""

import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.data.contract.pairs import PairSource
from training.data.layouts.dresscode import DressCode
from training.data.layouts.folder import PlainFolder
from training.data.layouts.streettryon import StreetTryOn
from training.data.layouts.tars import TarPairs, write_tars
from training.data.layouts.viton_hd import VitonHD

Tree = Callable[[str], Path]


def assert_same(first: PairSource, second: PairSource) -> None:
    assert first.entries == second.entries and first.has_garments == second.has_garments
    for index in reversed(range(len(first))):
        assert np.abs(np.array(first.person(index), float) - np.array(second.person(index), float)).mean() < 4
        assert first.mask(index).tobytes() == second.mask(index).tobytes()
        one, other = first.parsing(index), second.parsing(index)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert (one.labels == other.labels).all() and one.table is other.table
        assert first.keypoints(index) == second.keypoints(index)
        cover = first.garment_cover(index)
        assert cover is None or cover.tobytes() == second.garment_cover(index).tobytes()  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [VitonHD, DressCode, StreetTryOn, PlainFolder])
def test_any_data_set_is_read_back_from_its_shards(tree: Tree, tmp_path: Path, kind: type[PairSource]) -> None:
    source = kind(tree(kind.layout), "test")  # type: ignore[call-arg]
    paths = write_tars(source, tmp_path / "out", pairs_per_tar=4)
    assert len(paths) == -(-len(source) // 4)
    assert_same(source, TarPairs(str(tmp_path / "out")))
    for path in paths:  # the shards are also read without their index
        path.with_name(f"{path.name}.index.json").unlink()
    assert_same(source, TarPairs(f"{tmp_path}/out/shard-{{000000..{len(paths) - 1:06d}}}.tar"))


def test_shards_at_a_url(tree: Tree) -> None:
    root = tree("tars")
    for path in root.iterdir():
        with fsspec.open(f"memory://set/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    assert_same(TarPairs(str(root)), TarPairs("memory://set/shard-{000000..000001}.tar"))


def test_whole_shards_are_kept_and_others_refused(tree: Tree, tmp_path: Path) -> None:
    source = TarPairs(str(tree("tars")))
    first, second = write_tars(source, tmp_path, pairs_per_tar=3)
    before = first.stat().st_mtime_ns
    second.unlink()
    write_tars(source, tmp_path, pairs_per_tar=3)
    assert first.stat().st_mtime_ns == before and second.exists()
    with pytest.raises(IGRError, match=r"shard-000000\.tar already exists with other pairs"):
        write_tars(source, tmp_path, pairs_per_tar=2)


def test_only_the_requested_categories_are_read(tree: Tree) -> None:
    source = TarPairs(str(tree("tars")), categories=("lower",))
    assert len(source) == 4 and {entry.category for entry in source.entries} == {"lower"}


def sample(**members: bytes) -> dict[str, bytes]:
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "white").save(picture, "PNG")
    parts = {"a.json": b'{"category": "upper"}', "a.person.png": picture.getvalue(), "a.mask.png": picture.getvalue()}
    return {**parts, **{name.replace("_", "."): data for name, data in members.items()}}


def write(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_samples_of_other_categories_only_need_person_mask_and_category(tmp_path: Path) -> None:
    write(tmp_path / "s.tar", sample())
    source = TarPairs(str(tmp_path / "s.tar"))
    assert source.entries[0].name == "a" and not source.has_garments
    assert source.person(0).size == (32, 32) and source.mask(0).getextrema() == (255, 255)
    assert source.keypoints(0) is None and source.parsing(0) is None
    with pytest.raises(IGRError, match="no flat garments"):
        source.garment(0)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (sample(a_json=b'{"category": "shirt"}'), r'a\.json must exist and contain \{"category"'),
        (
            {name: data for name, data in sample().items() if "mask" not in name},
            r"s\.tar: a has no mask: add a\.mask\.png",
        ),
        ({name: data for name, data in sample().items() if "json" not in name}, r"a\.json must exist"),
    ],
)
def test_an_incomplete_sample_is_named_when_it_is_opened(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    write(tmp_path / "s.tar", members)
    with pytest.raises(IGRError, match=said):
        TarPairs(str(tmp_path / "s.tar"))


def test_errors_within_a_sample_are_named_when_it_is_read(tmp_path: Path) -> None:
    label = b'{"category": "upper", "keypoints": {"neck": 3}, "parsing": "none"}'
    write(tmp_path / "s.tar", sample(a_json=label, a_parsing_png=b"x", a_garment_jpg=b"x"))
    source = TarPairs(str(tmp_path / "s.tar"))
    with pytest.raises(IGRError, match=r"s\.tar:a\.json: keypoints must be"):
        source.keypoints(0)
    with pytest.raises(IGRError, match=r"a\.parsing\.png has no label table: set `parsing` in its JSON to one of LIP"):
        source.parsing(0)
    with pytest.raises(IGRError, match=r"a\.garment\.jpg is not a supported image"):
        source.garment(0)


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity", "1" + "0" * 400])
def test_joints_that_are_not_finite_are_named(tmp_path: Path, number: str) -> None:
    label = f'{{"category": "upper", "keypoints": {{"nose": [{number}, 1, 0.5]}}}}'
    write(tmp_path / "s.tar", sample(a_json=label.encode()))
    with pytest.raises(IGRError, match=r"s\.tar:a\.json: keypoints must be .* with finite numbers"):
        TarPairs(str(tmp_path / "s.tar")).keypoints(0)


def test_names_that_are_not_utf_8_can_be_written_down(tmp_path: Path) -> None:
    """In a manifest, prepared shards and file names."""
    odd = os.fsdecode(b"n\xe9")
    members = {name.replace("a.", f"{odd}.", 1): data for name, data in sample().items()}
    with tarfile.open(tmp_path / "s.tar", "w", encoding="utf-8", errors="surrogateescape") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    source = TarPairs(str(tmp_path / "s.tar"))
    assert source.entries[0].name == r"n\xe9" and source.person(0).size == (32, 32)
    write(tmp_path / "t.tar", sample(a_json=rb'{"category": "upper", "name": "n\ud800\n"}'))
    assert TarPairs(str(tmp_path / "t.tar")).entries[0].name == r"n\ud800\n"


def test_names_that_differ_only_in_dots_are_refused_before_anything_is_written(tree: Tree, tmp_path: Path) -> None:
    source = PlainFolder(tree("folder"), "test")
    first, second, *rest = source.entries
    source.entries = (replace(first, name="shirt.1"), replace(second, name="shirt_1"), *rest)
    with pytest.raises(IGRError, match=r"shirt_1 and shirt\.1 differ only in dots, which shards replace: rename one"):
        write_tars(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def two(path: Path, **members: bytes) -> None:
    """Write a shard of the samples a and b, with more members for a."""
    other = {name.replace("a.", "b.", 1): data for name, data in sample().items()}
    write(path, {**sample(**members), **other})


def test_one_sample_without_a_garment_does_not_hide_the_others(tmp_path: Path) -> None:
    two(tmp_path / "s.tar", a_garment_png=sample()["a.person.png"])
    source = TarPairs(str(tmp_path / "s.tar"))
    assert source.has_garments and source.garment(0).size == (32, 32) and source.missing(0) == []
    assert source.missing(1) == [f"{tmp_path}/s.tar:b.garment.jpg"]
    with pytest.raises(IGRError, match=r"s\.tar: b has no garment: add b\.garment\.jpg, or write the shard without b"):
        source.garment(1)
    two(tmp_path / "t.tar")
    assert TarPairs(str(tmp_path / "t.tar")).missing(1) == []


@pytest.mark.parametrize("name", ["s-1.tar.gz", "s-1.TGZ", "s-1.tar.bz2", "s-1.tar.zst"])
def test_compressed_tars_beside_the_shards_are_named(tmp_path: Path, name: str) -> None:
    write(tmp_path / "s.tar", sample())
    (tmp_path / name).touch()
    (sentence,) = TarPairs(str(tmp_path)).unlisted
    assert (
        sentence == f"{tmp_path / name} is a compressed tar, which is not read: unpack it to a .tar, or move it away."
    )


def test_shards_packed_with_other_masks_are_refused(tree: Tree, tmp_path: Path) -> None:
    root = tree("viton_hd")
    write_tars(VitonHD(root, "test"), tmp_path)
    with pytest.raises(IGRError, match=r"shard-000000\.tar was packed with other options, or before a file of test/"):
        write_tars(VitonHD(root, "test", "garment"), tmp_path)


@pytest.mark.parametrize("part", ["person", "garment", "mask"])
def test_shards_packed_before_a_file_was_changed_are_refused(copy: Tree, tmp_path: Path, part: str) -> None:
    root = copy("folder")
    write_tars(PlainFolder(root), tmp_path)
    write_tars(PlainFolder(root), tmp_path)
    path = next(path for path in (root / part).iterdir() if path.stem == "look-002")
    Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    with pytest.raises(IGRError, match=r"before a file of look-002 was changed: delete it, or pack into an empty"):
        write_tars(PlainFolder(root), tmp_path)


def test_shards_of_a_set_that_shrank_are_refused_before_anything_is_written(copy: Tree, tmp_path: Path) -> None:
    root = copy("folder")
    first, second, *_ = write_tars(PlainFolder(root), tmp_path, pairs_per_tar=2)
    table = root / "category.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:3]))
    first.unlink()
    with pytest.raises(
        IGRError, match=rf"{second.name} does not belong to these pairs: delete it, or pack into an empty"
    ):
        write_tars(PlainFolder(root), tmp_path, pairs_per_tar=2)
    assert not first.exists()


def test_shards_that_do_not_record_their_source_are_refused(tree: Tree, tmp_path: Path) -> None:
    write(tmp_path / "shard-000000.tar", sample(a_json=b'{"category": "upper", "name": "a"}'))
    source = TarPairs(str(tmp_path / "shard-000000.tar"))
    with pytest.raises(IGRError, match=r"shard-000000\.tar does not record what it was packed from: delete it, or"):
        write_tars(source, tmp_path)
