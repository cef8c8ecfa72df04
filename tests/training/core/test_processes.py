"""A step is the same with any number of processes and any engine, and all processes stop together (gloo on CPU)."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import Dinov2Config, Dinov2Model

from igr_core.model.config import to_json
from tests.support.training.prepared import tell_places, tiny_config
from training.base.provenance import ROOT
from training.base.run.checkpoints import load_latest
from training.base.run.run_folder import RunFolder
from training.base.train_config import ExtraLossConfig, TrainConfig
from training.core.trainer import Trainer

ENVIRONMENT = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}


WITHOUT_GPU = {name: value for name, value in ENVIRONMENT.items() if name != "ACCELERATE_USE_CPU"} | {
    "CUDA_VISIBLE_DEVICES": ""
}
"""As on a machine without a GPU, where torchrun alone starts the processes."""


def launch(
    config: TrainConfig, folder: Path, processes: int = 2, environment: dict[str, str] = ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    path = write_config(config, folder)
    return subprocess.run(
        command(path, folder, processes), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400
    )


def write_config(config: TrainConfig, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(to_json(config)))))
    return path


def command(config: Path, folder: Path, processes: int) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "--"]
    start = [sys.executable, *(launcher if processes > 1 else ["-m"]), "training", "train"]
    return [*start, str(config), "--run", str(folder / "run")]


def curve(folder: Path, name: str = "loss") -> dict[int, float]:
    """A logged number by step."""
    with (folder / "run" / "metrics.csv").open() as handle:
        return {int(row["step"]): float(row["value"]) for row in csv.DictReader(handle) if row["metric"] == name}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found = load_latest(RunFolder(folder / "run"), resume=False)
    assert found is not None
    return found.state["model"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, Path]:
    """A run of one process with a global batch of four pairs, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    config = tiny_config(folder)
    config = replace(config, steps=4, data=replace(config.data, pairs_per_batch=4), checkpoint_every=2)
    done = launch(config, folder, processes=1)
    assert done.returncode == 0, done.stderr
    assert "1 process on cpu" in done.stdout
    return config, folder


def halved(config: TrainConfig, **changes: object) -> TrainConfig:
    return replace(config, data=replace(config.data, pairs_per_batch=2), **changes)  # type: ignore[arg-type]


def same(one: Path, other: Path) -> None:
    assert curve(one).keys() == curve(other).keys()
    assert list(curve(one).values()) == pytest.approx(list(curve(other).values()), abs=1e-5)
    left, right = weights(one), weights(other)
    # AdamW's first steps follow the gradient's sign, which rounding can flip near 0, so means are compared
    off = torch.cat([(left[name] - right[name]).abs().flatten() for name in left])
    assert float(off.mean()) < 1e-6, float(off.mean())


def test_accumulation_is_the_same_step(whole: tuple[TrainConfig, Path], tmp_path: Path) -> None:
    config, folder = whole
    done = launch(halved(config, accumulation=2), tmp_path, processes=1)
    assert done.returncode == 0, done.stderr
    same(folder, tmp_path)


@pytest.mark.parametrize("environment", [ENVIRONMENT, WITHOUT_GPU], ids=["chosen", "without a GPU"])
def test_two_processes_are_the_same_step(
    whole: tuple[TrainConfig, Path], tmp_path: Path, environment: dict[str, str]
) -> None:
    config, folder = whole
    done = launch(halved(config), tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "2 processes, DistributedDataParallel on cpu" in done.stdout
    same(folder, tmp_path)


def test_added_losses_are_the_same_step_in_two_processes(tmp_path: Path) -> None:
    """Pairs differ in how much of them a photo shows, and only the least noisy rows of the step are decoded."""
    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        tmp_path / "dino"
    )
    config = tiny_config(tmp_path / "data")
    tell_places(Path(config.data.train[0]))
    extra = ExtraLossConfig(dino=1.0, dino_model=str(tmp_path / "dino"), below=1.0, rows=3)
    config = replace(
        config,
        steps=3,
        extra_losses=extra,
        correspondence_weight=1.0,
        correspondence_heads=("down_blocks.0.attentions.0:0", "down_blocks.1.attentions.0:1"),
        data=replace(config.data, pairs_per_batch=4),
    )
    for name, one, processes in (("whole", config, 1), ("halves", halved(config), 2)):
        done = launch(one, tmp_path / name, processes)
        assert done.returncode == 0, done.stderr
    same(tmp_path / "whole", tmp_path / "halves")
    for name in ("extra_losses", "correspondence/loss", "correspondence/within_5_percent", "total_loss"):
        whole, halves = (curve(tmp_path / place, name) for place in ("whole", "halves"))
        assert len(whole) == 3 and list(whole.values()) == pytest.approx(list(halves.values()), rel=1e-3)


def test_zero2_accumulates(whole: tuple[TrainConfig, Path], tmp_path: Path) -> None:
    config, folder = whole
    quarter = replace(config, sharding="zero2", accumulation=2, data=replace(config.data, pairs_per_batch=1))
    done = launch(quarter, tmp_path)
    assert done.returncode == 0, done.stderr
    same(folder, tmp_path)


def test_zero2_is_the_same_step_and_resumes(whole: tuple[TrainConfig, Path], tmp_path: Path) -> None:
    """DeepSpeed's engine is used, not accelerate's fallback, and a stopped run resumes exactly."""
    config, folder = whole
    config = halved(config, sharding="zero2")
    done = launch(config, tmp_path / "through")
    assert done.returncode == 0, done.stderr
    assert "2 processes, DeepSpeed ZeRO-2 on cpu" in done.stdout
    same(folder, tmp_path / "through")
    shares = sorted(path.name for path in (tmp_path / "through" / "run" / "checkpoints").glob("step-000000004.*"))
    assert shares == ["step-000000004.pt", "step-000000004.rank-00000.pt", "step-000000004.rank-00001.pt"]
    half = tmp_path / "half"
    first = launch(replace(config, steps=2), half)
    assert first.returncode == 0, first.stderr
    alone = launch(config, half, processes=1)
    assert alone.returncode != 0 and "choose values whose product is 4" in alone.stderr
    done = launch(config, half)
    assert done.returncode == 0 and "starting at step 2" in done.stdout, done.stderr
    same(folder, half)


def test_a_killed_worker_ends_the_run_which_then_resumes_exactly(
    whole: tuple[TrainConfig, Path], tmp_path: Path
) -> None:
    """Losses and weights are those of an uninterrupted single process."""
    config = replace(whole[0], steps=30)
    (tmp_path / "unbroken").mkdir()
    unbroken = Trainer(config, RunFolder(tmp_path / "unbroken" / "run"))
    unbroken.run_steps(None)
    unbroken.run.close()
    broken = tmp_path / "broken"
    config = halved(config, sharding="zero2")
    assert "Another process of the run has died" in kill_one(config, broken)
    last = load_latest(RunFolder(broken / "run"), resume=False)
    assert last is not None and 2 <= last.step < 30
    done = launch(config, broken)
    assert done.returncode == 0 and f"starting at step {last.step}" in done.stdout, done.stderr
    same(tmp_path / "unbroken", broken)


def kill_one(config: TrainConfig, folder: Path) -> str:
    """Start two processes and kill one after the first checkpoint; returns their output."""
    path = write_config(config, folder)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command(path, folder, 2), cwd=ROOT, env=ENVIRONMENT, text=True, **pipes)  # type: ignore[call-overload]
    try:
        end = time.monotonic() + 300
        while not list((folder / "run" / "checkpoints").glob("step-?????????.pt")):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, "no checkpoint"
            time.sleep(0.02)
        workers = [one for one in psutil.Process(process.pid).children() if "train" in one.cmdline()]
        workers[-1].send_signal(signal.SIGKILL)
        said = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode != 0
    return said


def test_two_processes_train_one_model_and_stop_together(tmp_path: Path) -> None:
    config = replace(tiny_config(tmp_path), steps=3, validate_every=3, grid_pairs=2, grid_steps=1)
    done = launch(config, tmp_path)
    assert done.returncode == 0, done.stderr
    found = load_latest(RunFolder(tmp_path / "run"), resume=False)
    assert found is not None and found.step == 3
    metrics = (tmp_path / "run" / "metrics.csv").read_text()
    assert metrics.count(",loss,") == 3 and metrics.count("validation/full") == 1
    # only one process can read the pair; neither may wait for the other
    (shard,) = Path(config.data.train[0]).iterdir()
    tensors = load_file(shard)
    tensors["garment_latent"][:] = torch.where(
        tensors["seed"].view(-1, 1, 1, 1) == 5, torch.nan, tensors["garment_latent"]
    )
    save_file(tensors, shard, metadata={"settings": found.state["data_settings"]})
    broken = launch(replace(config, steps=40), tmp_path / "broken")
    assert broken.returncode != 0
    assert f"{shard} has a garment_latent that is not finite in pair 5" in broken.stderr
