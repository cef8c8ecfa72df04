"""First steps on smaller images: separate data and batch size, and resuming during and after them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from igr_core.errors import IGRError
from tests.support.training.prepared import tiny_config, write_prepared
from training.base.run.run_folder import RunFolder
from training.base.train_config import LowResolutionConfig, TrainConfig
from training.core.trainer import Trainer
from training.prepared.latents import PreparedPairs


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A run with two of four steps on 32x48 images."""
    folder = tmp_path_factory.mktemp("data")
    config = tiny_config(folder)
    small = write_prepared(
        folder / "small",
        16,
        settings=PreparedPairs([config.data.validation]).settings[0],
        garment_latent=(4, 6, 4),
        person_latent=(4, 6, 4),
        mask=(1, 6, 4),
    )
    model = replace(config.model, native_size=(48, 64))
    low = LowResolutionConfig((str(small),), (32, 48), steps=2, pairs_per_batch=5)
    return replace(config, model=model, low_resolution=low, steps=4)


def sizes(trainer: Trainer, count: int) -> list[tuple[int, ...]]:
    batches = trainer._batches()
    return [tuple(next(batches)[1].garment_latent.shape) for _ in range(count)]


def test_small_images_come_first(config: TrainConfig, tmp_path: Path) -> None:
    trainer = Trainer(config, RunFolder(tmp_path))
    assert sizes(trainer, 4) == [(5, 4, 6, 4), (5, 4, 6, 4), (2, 4, 8, 6), (2, 4, 8, 6)]
    trainer.step = 1
    assert sizes(trainer, 2) == [(5, 4, 6, 4), (2, 4, 8, 6)]
    trainer.step = 3
    assert sizes(trainer, 1) == [(2, 4, 8, 6)]


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_resuming_is_exact_during_and_after_small_images(config: TrainConfig, tmp_path: Path, stop: int) -> None:
    whole = Trainer(config, RunFolder(tmp_path / "whole"))
    whole.run_steps(None)
    first = Trainer(config, RunFolder(tmp_path / "half"))
    first.config = replace(config, steps=stop, checkpoint_every=1)
    first.run_steps(None)
    second = Trainer(config, RunFolder(tmp_path / "half"))
    assert second.step == stop
    second.run_steps(None)
    for name, value in whole.bare.state_dict().items():
        assert torch.equal(value, second.bare.state_dict()[name]), name


def test_pairs_of_another_size_are_refused(config: TrainConfig, tmp_path: Path) -> None:
    assert config.low_resolution is not None
    wrong = replace(config, low_resolution=replace(config.low_resolution, train=config.data.train))
    with pytest.raises(IGRError, match="different latent shape"):
        Trainer(wrong, RunFolder(tmp_path))
