"""A launcher only starts processes; the config alone determines how a step is computed."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import accelerate
import pytest
import torch
import yaml

from igr_core.errors import IGRError
from igr_core.processes import Processes
from tests.support.training.prepared import tiny_config
from tests.support.training.stopping import logged
from tests.training.core.test_processes import ENVIRONMENT, write_config
from training.base.provenance import ROOT
from training.base.train_config import TrainConfig
from training.core.compute import engine
from training.core.compute.launcher import take_over


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return replace(tiny_config(tmp_path_factory.mktemp("data")), steps=2)


def test_what_would_override_the_config_is_removed_and_reported(
    config: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    environment = {
        "ACCELERATE_MIXED_PRECISION": "fp16",
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
        "ACCELERATE_DYNAMO_BACKEND": "INDUCTOR",
        "ACCELERATE_DYNAMO_MODE": "max-autotune",
        "ACCELERATE_DEEPSPEED_CONFIG_FILE": "zero3.json",
        "ACCELERATE_USE_CPU": "true",
        "FSDP_OFFLOAD_PARAMS": "true",
        "OMP_NUM_THREADS": "1",
        "LOCAL_RANK": "0",
    }
    with caplog.at_level(logging.WARNING):
        take_over(config, environment)
    assert environment == {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "LOCAL_RANK": "0"}
    told = caplog.text
    assert "ACCELERATE_MIXED_PRECISION=fp16 from the launcher: the config has precision: no" in told
    assert "ACCELERATE_GRADIENT_ACCUMULATION_STEPS=4 from the launcher: the config has accumulation: 1" in told
    assert "DEEPSPEED_CONFIG_FILE=zero3.json from the launcher: the config has sharding: none" in told
    assert told.count("from the launcher") == 4


def test_defaults_of_a_launcher_are_not_reported(config: TrainConfig, caplog: pytest.LogCaptureFixture) -> None:
    usual = {
        "ACCELERATE_MIXED_PRECISION": "no",
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1",
        "ACCELERATE_DYNAMO_BACKEND": "no",
    }
    with caplog.at_level(logging.WARNING):
        take_over(replace(config, precision="bf16", accumulation=2), usual)
    assert not caplog.text and not usual


@pytest.mark.parametrize("name", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_MEGATRON_LM"])
def test_an_engine_that_the_trainer_lacks_is_refused_with_both_values(config: TrainConfig, name: str) -> None:
    with pytest.raises(IGRError, match=rf"\({name}=true\), but the config has sharding: none"):
        take_over(config, {name: "true"})


@pytest.mark.parametrize("device", ["meta", "auto", "nonsense", "cuda:99"])
def test_a_device_that_cannot_compute_is_refused(config: TrainConfig, device: str) -> None:
    with pytest.raises(IGRError, match=f"ACCELERATE_TORCH_DEVICE={device} does not name a usable device: unset it"):
        take_over(config, {"ACCELERATE_TORCH_DEVICE": device})
    take_over(config, {"ACCELERATE_TORCH_DEVICE": "cpu"})


def test_a_switch_that_is_neither_on_nor_off_is_refused(config: TrainConfig) -> None:
    with pytest.raises(IGRError, match="ACCELERATE_USE_CPU is 'perhaps'.* set it to true or false"):
        take_over(config, {"ACCELERATE_USE_CPU": "perhaps"})


def test_every_variable_that_accelerate_reads_is_known(config: TrainConfig) -> None:
    """Variables of new releases are removed by their prefix; those to keep are listed."""
    root, variable = Path(accelerate.__file__).parent, re.compile(r'"((?:ACCELERATE|FSDP|MEGATRON_LM)_[A-Z0-9_]+)"')
    files = ("accelerator.py", "state.py", "utils/launch.py", "utils/dataclasses.py")
    names = {name for file in files for name in variable.findall((root / file).read_text(encoding="utf-8"))}
    assert len(names) > 25
    environment = dict.fromkeys(names, "0") | {"ACCELERATE_TORCH_DEVICE": "cpu"}
    take_over(config, environment)
    assert set(environment) <= {
        "ACCELERATE_USE_CPU",
        "ACCELERATE_TORCH_DEVICE",
        "ACCELERATE_CPU_AFFINITY",
        "ACCELERATE_DEBUG_MODE",
        "ACCELERATE_BYPASS_DEVICE_MAP",
    }


@pytest.mark.parametrize(
    "options", [["--mixed_precision=fp16"], ["--mixed_precision=bf16", "--gradient_accumulation_steps=7"]]
)
def test_accelerate_launch_trains_as_the_config_says(config: TrainConfig, tmp_path: Path, options: list[str]) -> None:
    """The real launcher with a different precision or accumulation gives the losses of a plain start."""
    launch = tmp_path / "launch.yaml"
    settings = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "NO", "num_processes": 1, "use_cpu": True}
    launch.write_text(yaml.safe_dump(settings))
    rows = []
    for name, start in (
        ("plain", ["-m"]),
        ("launched", ["-m", "accelerate.commands.launch", "--config_file", str(launch), *options, "-m"]),
    ):
        path = write_config(config, tmp_path / name)
        command = [sys.executable, *start, "training", "train", str(path), "--run", str(tmp_path / name / "run")]
        environment = ENVIRONMENT | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        rows.append(logged(tmp_path / name / "run"))
    assert rows[0] == rows[1]


def test_processes_that_cannot_share_a_run_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes started by torchrun on a Mac would each train on their own and overwrite each other's checkpoints."""
    monkeypatch.setattr(engine, "launched_processes", lambda: Processes(rank=0, count=2, local_rank=0, launched=True))
    with pytest.raises(IGRError, match="started 2 processes, which cannot share a run on mps.*ACCELERATE_USE_CPU=true"):
        engine._check_joined(SimpleNamespace(num_processes=1, device=torch.device("mps")))
    engine._check_joined(SimpleNamespace(num_processes=2, device=torch.device("cpu")))
