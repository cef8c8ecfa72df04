"""The bench takes real steps with every variant that this machine supports, in turn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner

from igr_core.model.config import to_json
from tests.support.training.prepared import tiny_config
from training.base.train_config import TrainConfig
from training.cli.app import app
from training.core.bench import Runner, table, variants


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("data"))


def test_variants_differ_and_the_chosen_one_is_among_them(config: TrainConfig) -> None:
    found = variants(config, torch.device("cpu"), everything=False)
    assert found[0].acceleration.memory_format == "contiguous" and found[0].acceleration.precision == "no"
    assert {"chosen by auto", "chosen by auto, 1 draw per pair"} <= {one.name for one in found}
    assert any(one.acceleration.precision == "bf16" for one in variants(config, torch.device("cpu"), everything=True))


def test_rows_and_ratios_are_those_of_the_median_step(config: TrainConfig) -> None:
    one, three = (
        Runner(config, variant, torch.device("cpu"))
        for variant in variants(config, torch.device("cpu"), False)
        if variant.name in ("chosen by auto", "chosen by auto, 3 draws per pair")
    )
    one.seconds, three.seconds = [1.0, 9.0, 2.0], [3.0, 3.0, 3.0]
    lines = table([one, three]).splitlines()[2:]
    assert lines[0].endswith("| 2.00 | 2.00 | 1.00 | 1.00 |")  # 2 pairs of 2 draws in 2 s
    assert lines[1].endswith("| 3.00 | 2.00 | 0.67 | 1.00 |")


def test_the_command_prints_a_table(config: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    settings = json.loads(json.dumps(to_json(config)))
    settings["optimizer"]["name"] = "muon"
    path.write_text(yaml.safe_dump(settings))
    done = CliRunner().invoke(app, ["bench", str(path), "--rounds", "1", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert "auto picks: " in done.output and "| float32, torch's Muon |" in done.output
    assert "| chosen by auto, 3 draws per pair |" in done.output
