"""A memory-mapped file that changes during a run raises an error, because reading it could kill the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import DrawnPairs, draw_shards
from training.data.caches.parsed import ParsedPhotos, draw_parsed
from training.data.files.unchanged import Unchanged


def test_changes_in_place_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(100))
    seen = Unchanged(path)
    seen.check()
    os.truncate(path, 50)
    with pytest.raises(IGRError, match="a was changed while it was in use"):
        seen.check()
    with pytest.raises(IGRError, match="does not exist"):
        Unchanged(tmp_path / "nothing")


def test_a_file_that_is_replaced_or_removed_may_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(100))
    seen = Unchanged(path)
    (tmp_path / "b").write_bytes(bytes(50))
    os.replace(tmp_path / "b", path)  # as when a folder is extended
    seen.check()
    path.unlink()
    seen.check()


def test_a_shard_of_pairs_or_photos_that_is_truncated_in_a_run_is_named(tmp_path: Path) -> None:
    draw_shards(tmp_path, 2, 0, DrawConfig(size=(24, 32), photo_size=(48, 64), crop_size=16), workers=1)
    draw_parsed(tmp_path, range(2), (48, 64))
    pairs, photos = DrawnPairs(tmp_path), ParsedPhotos(tmp_path)
    assert len(pairs.take("garment", [0, 1])) == len(photos.take([0, 1])[0]) == 2
    for path in tmp_path.glob("*.safetensors"):
        os.truncate(path, 2000)
    with pytest.raises(IGRError, match=r"pairs-.*was changed while it was in use"):
        pairs.take("garment", [0])
    with pytest.raises(IGRError, match=r"photos-.*was changed while it was in use"):
        photos.take([1])
