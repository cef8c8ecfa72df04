"""Throughput only counts steps, with the rows of all processes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.training.prepared import tiny_config, write_prepared
from training.base.run.run_folder import RunFolder
from training.base.train_config import LowResolutionConfig
from training.core.compute.estimate import estimate
from training.core.compute.throughput import Throughput
from training.core.trainer import Trainer
from training.prepared.latents import PreparedPairs


def test_rows_a_second_are_those_of_the_steps(tmp_path: Path) -> None:
    config = replace(tiny_config(tmp_path), accumulation=2)
    clock = Throughput(config, config.model, 3, torch.device("cpu"))
    assert clock.logged() == {}
    for _ in range(2):
        with clock.step():
            time.sleep(0.1)
        time.sleep(0.2)
    values = clock.logged()
    assert set(values) == {"speed/rows_per_second"}
    assert values["speed/rows_per_second"] == pytest.approx(24 / 0.1, rel=0.5)
    assert clock.logged() == {}


def test_a_run_logs_its_throughput(tmp_path: Path) -> None:
    trainer = Trainer(replace(tiny_config(tmp_path), steps=1), RunFolder(tmp_path / "run"))
    trainer.run_steps(None)
    trainer.run.close()
    assert "speed/rows_per_second" in (tmp_path / "run" / "metrics.csv").read_text()


def test_steps_at_low_resolution_have_their_own_clock(tmp_path: Path) -> None:
    """The clock counts the rows of the batches of smaller images."""
    config = tiny_config(tmp_path)
    settings = PreparedPairs([str(config.data.validation)]).settings[0]
    shapes = {"garment_latent": (4, 6, 4), "person_latent": (4, 6, 4), "mask": (1, 6, 4)}
    small = write_prepared(tmp_path / "small", 16, settings=settings, **shapes)
    low = LowResolutionConfig((str(small),), (32, 48), steps=2, pairs_per_batch=5)
    config = replace(config, model=replace(config.model, native_size=(48, 64)), low_resolution=low, steps=4)
    trainer = Trainer(config, RunFolder(tmp_path / "run"))
    rows = []
    for clock in trainer.clocks:
        assert clock is not None
        clock._seconds, clock._steps = 1.0, 1
        rows.append(clock.logged()["speed/rows_per_second"])
    assert rows == [5 * 2, 2 * 2]
    assert trainer.throughput is trainer.clocks[0]
    trainer.step = 2
    assert trainer.throughput is trainer.clocks[1]
    work = [
        estimate(replace(config, data=replace(config.data, pairs_per_batch=5)), model, 1).teraflops
        for model in (replace(config.model, native_size=(32, 48)), config.model)
    ]
    assert work[0] < 0.6 * work[1]
