"""Shards of records: random access, and one sentence for every invalid shard."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from tests.support.rendered import stand_in
from training.data.files.tar_index import INDEX_ENDING
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating.generate import generate
from training.data.rendered.records import shards
from training.data.rendered.records.record import to_members
from training.data.rendered.records.shards import RecordShards, is_shard_name

TINY = RenderSettings(size=stand_in.SIZE, photos=2)


def render(folder: Path, seeds: range, settings: RenderSettings = TINY) -> None:
    generate(folder, seeds, settings, 1, per_shard=4, maker=stand_in.make_record)


def test_records_are_read_by_their_seed_with_and_without_the_index(tmp_path: Path) -> None:
    render(tmp_path, range(8))
    for index in (True, False):
        found = RecordShards(str(tmp_path))
        assert found.seeds == tuple(range(8))
        for seed in (6, 1):
            made, rejects = stand_in.make_record(seed, TINY)
            assert to_members(found.read(seed), rejects) == to_members(made, rejects)
            assert found.metadata(seed)["category"] == made.category and "keypoints" not in found.metadata(seed)
        if index:
            for path in tmp_path.glob(f"*{INDEX_ENDING}"):
                path.unlink()


def test_one_shard_or_a_pattern_is_enough(tmp_path: Path) -> None:
    render(tmp_path, range(8))
    assert RecordShards(str(tmp_path / "records-000000004.tar")).seeds == (4, 5, 6, 7)
    assert RecordShards(str(tmp_path / "records-00000000{0,4}.tar")).seeds == tuple(range(8))
    assert is_shard_name("records-000000004.tar") and not is_shard_name("records-000000004.tar.parts")


def test_invalid_folders_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match=r"contains no rendered records: run python -m training data render"):
        RecordShards(str(tmp_path))
    render(tmp_path / "a", range(4))
    render(tmp_path / "b", range(4, 8), replace(TINY, samples=4))
    shutil.copy(tmp_path / "a" / "records-000000000.tar", tmp_path / "b" / "records-000000009.tar")
    with pytest.raises(
        IGRError, match=r"records-000000009\.tar and .*000004\.tar were rendered with different settings"
    ):
        RecordShards(str(tmp_path / "b"))
    shutil.copy(tmp_path / "a" / "records-000000000.tar", tmp_path / "a" / "records-000000009.tar")
    with pytest.raises(IGRError, match=r"both contain seed 0: delete one of them"):
        RecordShards(str(tmp_path / "a"))


def test_other_tars_and_truncated_shards_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "records-000000000.tar").write_bytes(shards.tar_bytes([("look", {"json": b"{}", "mask.png": b""})]))
    with pytest.raises(IGRError, match="is not a shard of rendered records"):
        RecordShards(str(tmp_path))
    render(tmp_path / "torn", range(4))
    path = tmp_path / "torn" / "records-000000000.tar"
    path.write_bytes(path.read_bytes()[:-20000])
    with pytest.raises(IGRError, match="its index was made for"):
        RecordShards(str(tmp_path / "torn"))
