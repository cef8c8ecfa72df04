"""Throughput counts steps only, and rows of all processes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.training.prepared import tiny_config
from training.base.run_folder import RunFolder
from training.core.compute.throughput import Throughput
from training.core.trainer import Trainer


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


def test_a_run_logs_it(tmp_path: Path) -> None:
    trainer = Trainer(replace(tiny_config(tmp_path), steps=1), RunFolder(tmp_path / "run"))
    trainer.run_steps(None)
    trainer.run.close()
    assert "speed/rows_per_second" in (tmp_path / "run" / "metrics.csv").read_text()
