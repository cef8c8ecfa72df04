"""Rounds of data: each starts at its step, a run resumes in any of them, and past ones may be deleted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.model.config import to_json
from tests.support.training.prepared import tiny_config, write_prepared
from training.base.run.run_folder import RunFolder
from training.base.train_config import DataConfig, LowResolutionConfig, TrainConfig
from training.cli.app import app
from training.core.trainer import Trainer
from training.prepared.latents import PreparedPairs

SMALL = {"garment_latent": (4, 6, 4), "person_latent": (4, 6, 4), "mask": (1, 6, 4)}


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """Five steps on three rounds of two steps each; the pairs of round r are numbered from 100 r."""
    config = tiny_config(tmp_path)
    settings = PreparedPairs([config.data.validation]).settings[0]
    for number in range(3):
        write_prepared(tmp_path / f"round-{number:03d}", 16, number, start=100 * number, settings=settings)
    data = replace(config.data, train=(str(tmp_path / "round-{round}"),), round_steps=2)
    return replace(config, data=data, steps=5)


def seeds(trainer: Trainer, count: int) -> list[int]:
    """The round at the model's own size that is open in each of the next steps; -1 before the first."""
    found = []
    batches = trainer._batches()
    for _ in range(count):
        next(batches)
        opened = [one for key, one in trainer.batches._opened.items() if not key[0]]
        found.append(min(opened[0].seeds()) // 100 if opened else -1)
    return found


def test_each_round_takes_over_at_its_step(config: TrainConfig, tmp_path: Path) -> None:
    trainer = Trainer(config, RunFolder(tmp_path / "run"))
    assert seeds(trainer, 5) == [0, 0, 1, 1, 2]
    trainer.step = 3
    assert seeds(trainer, 2) == [1, 2]


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_run_resumes_exactly_and_needs_no_past_round(config: TrainConfig, tmp_path: Path, stop: int) -> None:
    whole = Trainer(config, RunFolder(tmp_path / "whole"))
    whole.run_steps(None)
    Trainer(config, RunFolder(tmp_path / "half")).run_steps(None, until=stop)
    for number in range(stop // 2):
        shutil.rmtree(tmp_path / f"round-{number:03d}")
    second = Trainer(config, RunFolder(tmp_path / "half"))
    assert second.step == stop
    second.run_steps(None)
    for name, value in whole.bare.state_dict().items():
        assert torch.equal(value, second.bare.state_dict()[name]), name


def test_a_finished_run_opens_its_last_round(config: TrainConfig, tmp_path: Path) -> None:
    config = replace(config, steps=6)
    Trainer(config, RunFolder(tmp_path / "run")).run_steps(None)
    again = Trainer(config, RunFolder(tmp_path / "run"))
    again.run_steps(None)
    assert again.step == 6


def test_a_round_that_is_not_prepared_is_named(config: TrainConfig, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "round-001")
    trainer = Trainer(config, RunFolder(tmp_path / "run"))
    with pytest.raises(IGRError, match="round-001 has no prepared pairs"):
        trainer.run_steps(None)


def test_rounds_are_counted_from_the_first_low_resolution_step(config: TrainConfig, tmp_path: Path) -> None:
    settings = PreparedPairs([config.data.validation]).settings[0]
    small = write_prepared(tmp_path / "small", 16, settings=settings, **SMALL)
    low = LowResolutionConfig((str(small),), (32, 48), steps=3, pairs_per_batch=5)
    model = replace(config.model, native_size=(48, 64))
    trainer = Trainer(replace(config, model=model, low_resolution=low), RunFolder(tmp_path / "run"))
    assert seeds(trainer, 5)[3:] == [1, 2]


def test_rounds_at_the_models_own_size_may_be_prepared_later(config: TrainConfig, tmp_path: Path) -> None:
    settings = PreparedPairs([config.data.validation]).settings[0]
    write_prepared(tmp_path / "small-000", 16, settings=settings, **SMALL)
    low = LowResolutionConfig((str(tmp_path / "small-{round}"),), (32, 48), steps=2, pairs_per_batch=2)
    both = replace(config, model=replace(config.model, native_size=(48, 64)), low_resolution=low)
    whole = Trainer(both, RunFolder(tmp_path / "whole"))
    whole.run_steps(None)
    later = tmp_path / "later"
    (tmp_path / "round-001").rename(later)
    Trainer(both, RunFolder(tmp_path / "half")).run_steps(None, until=2)
    with pytest.raises(IGRError, match="round-001 has no prepared pairs"):
        Trainer(both, RunFolder(tmp_path / "half"))
    later.rename(tmp_path / "round-001")
    second = Trainer(both, RunFolder(tmp_path / "half"))
    second.run_steps(None)
    for name, value in whole.bare.state_dict().items():
        assert torch.equal(value, second.bare.state_dict()[name]), name


def test_round_and_its_length_belong_together() -> None:
    with pytest.raises(IGRError, match="round_steps and the placeholder .round. in"):
        DataConfig(train=("latents",), validation="", vae="", image_encoder="", round_steps=2)
    with pytest.raises(IGRError, match="round_steps and the placeholder .round. in"):
        DataConfig(train=("latents-{round}",), validation="", vae="", image_encoder="")


def test_until_stops_a_run_that_the_same_command_resumes_with(config: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    Trainer(config, RunFolder(tmp_path / "run")).run_steps(None, until=1)
    path.write_text(json.dumps(to_json(config)))
    first = CliRunner().invoke(app, ["train", str(path), "--run", str(tmp_path / "run"), "--until", "3"])
    assert first.exit_code == 0, first.output
    assert Trainer(config, RunFolder(tmp_path / "run")).step == 3
