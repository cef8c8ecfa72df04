"""Prepared shards: reading, mixing, and batches that depend on the step alone."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from tests.support.training.prepared import write_prepared
from training.prepared.latents import PreparedPairs, batch_indices


def test_folders_are_read_as_one(tmp_path: Path) -> None:
    pairs = PreparedPairs([write_prepared(tmp_path / "a", 4), write_prepared(tmp_path / "b", 3, seed=1)])
    assert len(pairs) == 7
    batch = pairs.batch([0, 6])
    assert batch.garment_latent.shape == (2, 4, 8, 6) and batch.mask.shape == (2, 1, 8, 6)
    assert batch.categories == ["upper", "full"]


def test_limit_keeps_the_first(tmp_path: Path) -> None:
    assert len(PreparedPairs([write_prepared(tmp_path / "a", 4)], limit=2)) == 2


def test_empty_folder_and_damaged_shard_are_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match=f"{tmp_path} has no prepared pairs"):
        PreparedPairs([tmp_path])
    folder = write_prepared(tmp_path / "a", 4)
    (shard,) = folder.iterdir()
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(IGRError, match=shard.name):
        PreparedPairs([folder])


def test_a_pair_that_two_shards_contain_is_reported(tmp_path: Path) -> None:
    folder = write_prepared(tmp_path / "a", 4)
    (shard,) = folder.iterdir()
    (folder / "latents-000000000-9.safetensors").write_bytes(shard.read_bytes())
    with pytest.raises(IGRError, match=r"contains pair 0 twice, in latents-000000000-4\.safetensors"):
        PreparedPairs([folder])


def test_every_epoch_sees_every_pair_once_in_a_fresh_order() -> None:
    batches = list(islice(batch_indices(12, 4, seed=1, start_step=0), 6))
    first, second = (sum(batches[i : i + 3], []) for i in (0, 3))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_batches_depend_on_the_step_alone() -> None:
    whole = list(islice(batch_indices(13, 4, seed=1, start_step=0), 9))
    assert list(islice(batch_indices(13, 4, seed=1, start_step=5), 4)) == whole[5:]
    assert list(islice(batch_indices(13, 4, seed=2, start_step=0), 9)) != whole


def test_too_few_pairs_for_a_step_are_reported() -> None:
    with pytest.raises(IGRError, match="3 pairs, but a step needs 4"):
        next(batch_indices(3, 4, seed=0, start_step=0))
