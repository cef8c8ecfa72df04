"""The cache of drawn pairs: seeds to bytes, growing, resuming, bad folders."""

from pathlib import Path

import numpy as np
import pytest
import torch

from igr_core.errors import IGRError
from training.data import drawn
from training.data.drawn import FIELDS, DrawConfig, DrawnPairs, draw, draw_shards

TINY = DrawConfig(size=(24, 32), photo_size=(48, 64), crop_size=16)


def test_a_seed_always_gives_the_same_bytes() -> None:
    first, second = draw(3, TINY), draw(3, TINY)
    assert first.label == second.label
    for name in FIELDS:
        assert np.array_equal(first.pictures[name], second.pictures[name])


def test_folder_grows_and_keeps_whole_shards(tmp_path: Path) -> None:
    assert draw_shards(tmp_path, 3, 10, TINY, workers=1, shard_size=2) == 3
    whole = tmp_path / "pairs-000000010.safetensors"
    before = whole.stat().st_mtime_ns
    assert draw_shards(tmp_path, 5, 10, TINY, workers=1, shard_size=2) == 3  # the half shard again, and one more
    assert whole.stat().st_mtime_ns == before
    pairs = DrawnPairs(tmp_path)
    assert pairs.seeds == [10, 11, 12, 13, 14]
    assert draw_shards(tmp_path, 5, 10, TINY, workers=1, shard_size=2) == 0


def test_pictures_and_labels_belong_together(tmp_path: Path) -> None:
    draw_shards(tmp_path, 3, 0, TINY, workers=1, shard_size=2)
    pairs = DrawnPairs(tmp_path)
    expected = draw(2, TINY)
    for name in FIELDS:
        assert torch.equal(pairs[2][name], torch.from_numpy(expected.pictures[name]))
    assert pairs.categories[2] == expected.label["category"]
    assert pairs.visible[2] == expected.label["visible"]
    assert pairs.take("person", [0, 2]).shape == (2, 3, 32, 24)
    assert pairs.take("mask", [0, 2]).shape == (2, 1, 32, 24)
    assert pairs.take("crop", [1]).shape == (1, 3, 16, 16)
    assert len(DrawnPairs(tmp_path, limit=1)) == 1


def test_workers_draw_the_same_as_one_process(tmp_path: Path) -> None:
    draw_shards(tmp_path / "one", 2, 0, TINY, workers=1, shard_size=2)
    draw_shards(tmp_path / "two", 2, 0, TINY, workers=2, shard_size=2)
    one, two = DrawnPairs(tmp_path / "one"), DrawnPairs(tmp_path / "two")
    assert (one.seeds, one.attributes) == (two.seeds, two.attributes)
    assert all(torch.equal(one[row][name], two[row][name]) for row in range(2) for name in FIELDS)


def test_interruption_leaves_whole_shards_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = drawn.draw

    def killed(seed: int, config: DrawConfig) -> drawn.Drawn:
        if seed == 3:
            raise KeyboardInterrupt
        return real(seed, config)

    monkeypatch.setattr(drawn, "draw", killed)
    with pytest.raises(KeyboardInterrupt):
        draw_shards(tmp_path, 4, 0, TINY, workers=1, shard_size=2)
    assert [path.name for path in tmp_path.iterdir()] == ["pairs-000000000.safetensors"]
    monkeypatch.setattr(drawn, "draw", real)
    assert draw_shards(tmp_path, 4, 0, TINY, workers=1, shard_size=2) == 2


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="no drawn pairs"):
        DrawnPairs(tmp_path)
    draw_shards(tmp_path, 1, 0, TINY, workers=1, shard_size=1)
    with pytest.raises(IGRError, match="other settings"):
        draw_shards(tmp_path, 1, 0, DrawConfig(size=(48, 64), photo_size=(48, 64)), workers=1, shard_size=1)
    shard = next(tmp_path.iterdir())
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(IGRError, match=shard.name):
        DrawnPairs(tmp_path)
