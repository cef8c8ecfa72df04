"""Two processes on one machine (gloo): they train one model, and all of them stop where one must."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file, save_file

from igr_core.config import to_json
from tests.training.prepared import tiny_config
from training.config import TrainConfig
from training.provenance import ROOT
from training.run import RunFolder, load_latest


def launch(config: TrainConfig, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(to_json(config)))))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "--", "training.train", str(path), "--run", str(folder / "run")]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)


def test_two_processes_train_one_model_and_stop_together(tmp_path: Path) -> None:
    config = replace(tiny_config(tmp_path), steps=3, validate_every=3, grid_pairs=2, grid_steps=1)
    done = launch(config, tmp_path)
    assert done.returncode == 0, done.stderr
    found = load_latest(RunFolder(tmp_path / "run"), resume=False)
    assert found is not None and found.step == 3
    metrics = (tmp_path / "run" / "metrics.csv").read_text()
    assert metrics.count(",loss,") == 3 and metrics.count("validation/full") == 1
    # A pair that only one of the two can read in the fourth step or later: neither may wait for the other.
    (shard,) = Path(config.data.train[0]).iterdir()
    tensors = load_file(shard)
    tensors["garment_latent"][:] = torch.where(
        tensors["seed"].view(-1, 1, 1, 1) == 5, torch.nan, tensors["garment_latent"]
    )
    save_file(tensors, shard, metadata={"settings": found.state["data_settings"]})
    broken = launch(replace(config, steps=40), tmp_path)
    assert broken.returncode != 0
    assert broken.stderr.count("is nan: lower the learning rate") == 2
