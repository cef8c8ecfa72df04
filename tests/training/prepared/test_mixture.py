"""Several sets of pairs as one: order, fractions by weight, and batches that depend on the step alone."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import torch

from tests.support.training.prepared import write_prepared
from training.prepared.latents import PreparedPairs, batch_indices
from training.prepared.mixture import BLOCK, MixedSets, block_shares, mixed_indices


def test_joined_sets_are_read_as_one(tmp_path: Path) -> None:
    folders = [write_prepared(tmp_path / "a", 4), write_prepared(tmp_path / "b", 3, seed=1)]
    joined, whole = MixedSets([PreparedPairs([folder]) for folder in folders]), PreparedPairs(folders)
    asked = [6, 0, 3, 4]
    found, wanted = joined.finish(joined.read(asked)), whole.batch(asked)
    assert len(joined) == 7 and joined.sizes == (4, 3) and joined.seeds() == whole.seeds()
    assert torch.equal(found.garment_latent, wanted.garment_latent)
    assert found.categories == wanted.categories


def test_without_weights_every_pair_comes_once_an_epoch() -> None:
    assert list(islice(mixed_indices((4, 3), None, 2, 5, 1), 4)) == list(islice(batch_indices(7, 2, 5, 1), 4))


def test_weights_are_fractions_and_no_pair_is_repeated_before_all_have_been_drawn() -> None:
    sizes, weights = (50, 400), (3.0, 1.0)
    drawn = [pair for batch in islice(mixed_indices(sizes, weights, 8, 1, 0), BLOCK // 8) for pair in batch]
    first = [pair for pair in drawn if pair < 50]
    assert len(first) == BLOCK * 3 // 4
    assert set(Counter(first).values()) == {len(first) // 50}
    assert max(Counter(pair for pair in drawn if pair >= 50).values()) == 1


def test_a_resumed_run_draws_the_same_batches() -> None:
    whole = list(islice(mixed_indices((5, 7), (1.0, 2.0), 3, 4, 0), 700))
    assert list(islice(mixed_indices((5, 7), (1.0, 2.0), 3, 4, 650), 50)) == whole[650:]


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 1.0, 1.0), (1.0, 1e-9), (0.1, 0.7, 0.2)])
def test_fractions_fill_a_block(weights: tuple[float, ...]) -> None:
    shares = block_shares(weights)
    assert shares.sum() == BLOCK and shares.min() >= 1
