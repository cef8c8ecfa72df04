"""The trainer on the tiny model: learning, exact resume (also after kill -9), bad numbers, export."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from igr_core.bundle import Bundle
from igr_core.config import from_json, to_json
from igr_core.errors import IGRError
from igr_core.geometry import make_view
from igr_core.restore import GarmentRestorer
from tests.training.prepared import tiny_config
from training.config import TrainConfig
from training.export import averaged_model, export_run
from training.provenance import ROOT, note_revision, noted_revisions
from training.run import RunFolder, load_latest, write_text
from training.train import Trainer, initial_model
from training.validation import Validator


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("data"))


def run(config: TrainConfig, folder: Path, validator: Validator | None = None) -> Trainer:
    write_text_config(config, folder)
    trainer = Trainer(config, RunFolder(folder))
    note_revision(folder, trainer.step)
    trainer.run_steps(validator)
    trainer.run.close()
    return trainer


def write_text_config(config: TrainConfig, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.json", json.dumps(to_json(config)))


def losses(folder: Path) -> list[str]:
    return [line for line in (folder / "metrics.csv").read_text().splitlines() if ",loss," in line]


@pytest.fixture(scope="module")
def uninterrupted(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(config, folder)
    return folder


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_loss_falls_on_few_pairs(config: TrainConfig, tmp_path: Path, optimizer: str) -> None:
    short = replace(
        config,
        steps=40,
        checkpoint_every=1000,
        optimizer=replace(config.optimizer, name=optimizer, learning_rate=2e-3),
        data=replace(config.data, limit=4),
    )
    run(short, tmp_path / "run")
    values = [float(line.split(",")[2]) for line in losses(tmp_path / "run")]
    assert sum(values[-8:]) < 0.8 * sum(values[:8])


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_resumed_run_equals_the_uninterrupted_one(
    config: TrainConfig, uninterrupted: Path, tmp_path: Path, stop: int
) -> None:
    write_text_config(config, tmp_path)
    first = Trainer(config, RunFolder(tmp_path))
    first.config = replace(config, steps=stop)
    first.run_steps(None)
    first.run.close()
    second = run(config, tmp_path)
    assert losses(tmp_path) == losses(uninterrupted)
    whole = load_latest(RunFolder(uninterrupted), resume=False)
    assert whole is not None
    for name, value in second.bare.state_dict().items():
        assert torch.equal(value, whole.state["model"][name]), name


def test_run_killed_in_the_middle_goes_on(config: TrainConfig, uninterrupted: Path, tmp_path: Path) -> None:
    """kill -9 of the real command, then the same command again."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(to_json(config)))))
    command = [sys.executable, "-m", "training.train", str(path), "--run", str(tmp_path / "run")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoints = tmp_path / "run" / "checkpoints"
    deadline = time.monotonic() + 300
    while not list(checkpoints.glob("step-*.pt")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(checkpoints.glob("step-*.pt"))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"CI": "1"})
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "run") == losses(uninterrupted)
    assert not list(checkpoints.glob(".*"))


def test_checkpoints_rotate(uninterrupted: Path) -> None:
    assert sorted(path.name for path in (uninterrupted / "checkpoints").iterdir()) == [
        "step-000000004.pt",
        "step-000000006.pt",
    ]


def test_accumulation_equals_a_larger_batch(config: TrainConfig, tmp_path: Path) -> None:
    """Two micro-batches leave the gradients of their mean loss."""
    accumulated = Trainer(replace(config, accumulation=2), RunFolder(tmp_path / "a"))
    batches = accumulated._batches()
    gradients = []
    for _ in range(2):
        number, batch = next(batches)
        plain = Trainer(config, RunFolder(tmp_path / "b"))
        plain._micro_step(number, batch)
        gradients.append(plain.bare.denoiser.conv_in.weight.grad)
    batches = accumulated._batches()
    for _ in range(2):
        number, batch = next(batches)
        with accumulated.accelerator.accumulate(accumulated.model):
            accumulated._micro_step(number, batch)
    mean = (gradients[0] + gradients[1]) / 2
    assert torch.allclose(accumulated.bare.denoiser.conv_in.weight.grad, mean, atol=1e-6)


def test_gradient_checkpointing_changes_no_gradient(config: TrainConfig, tmp_path: Path) -> None:
    gradients = []
    for setting in (False, True):
        trainer = Trainer(replace(config, gradient_checkpointing=setting), RunFolder(tmp_path / str(setting)))
        trainer.model.train()
        trainer._micro_step(*next(trainer._batches()))
        gradients.append({n: p.grad for n, p in trainer.bare.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.allclose(gradients[0][n], gradients[1][n], atol=1e-5) for n in gradients[0])


def test_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(config: TrainConfig, tmp_path: Path) -> None:
    trainer = Trainer(config, RunFolder(tmp_path))
    trainer.config = replace(config, steps=2)
    trainer.run_steps(None)
    trainer.config = config
    with torch.no_grad():
        trainer.bare.denoiser.conv_in.weight.fill_(float("nan"))
    with pytest.raises(IGRError, match=r"loss of step 3 is nan.*lower the learning rate"):
        trainer.run_steps(None)
    found = load_latest(RunFolder(tmp_path))
    assert found is not None and found.step == 2
    assert torch.isfinite(found.state["model"]["denoiser.conv_in.weight"]).all()


def test_another_model_in_the_same_run_folder_is_refused(config: TrainConfig, uninterrupted: Path) -> None:
    other = replace(config, model=replace(config.model, reference_position="none"))
    with pytest.raises(IGRError, match="another model config"):
        Trainer(other, RunFolder(uninterrupted))


def test_keys_start_as_queries(config: TrainConfig) -> None:
    model = initial_model(replace(config, key_from_query=True))
    attentions = [m for n, m in model.named_modules() if n.endswith("attn1")]
    assert attentions and all(torch.equal(m.to_k.weight, m.to_q.weight) for m in attentions)


def test_validation_logs_substitutions_and_draws_a_grid(config: TrainConfig, tmp_path: Path) -> None:
    checked = replace(config, steps=2, validate_every=2, grid_pairs=2, grid_steps=2)
    run(checked, tmp_path, Validator(checked, tmp_path))
    names = {line.split(",")[1] for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]}
    assert {"validation/full", "validation/no_reference", "first_step/shuffled_reference"} <= names
    assert (tmp_path / "grid-0000002.png").is_file()


def test_ablations_train_too(config: TrainConfig, tmp_path: Path) -> None:
    for part in ("garmnet", "image_prompt"):
        ablated = replace(config, steps=1, model=replace(config.model, **{part: None}))
        trainer = run(ablated, tmp_path / part)
        assert getattr(trainer.bare, part) is None


def test_exported_bundle_gives_the_trainers_picture(config: TrainConfig, uninterrupted: Path, tmp_path: Path) -> None:
    """Invariant 6 of DESIGN section 7, headless half: averaged weights in, the same picture out."""
    path = export_run(uninterrupted, tmp_path / "b.safetensors", "tiny", "Apache-2.0", "fp32", "random latents")
    bundle = Bundle.open(path)
    assert bundle.info.training["revisions"][0][0] == 0
    assert bundle.info.training["steps"] == 6 and bundle.info.training["loss_curve"]
    checkpoint = load_latest(RunFolder(uninterrupted), resume=False)
    assert checkpoint is not None
    restorer = GarmentRestorer.from_bundle(path)
    direct = GarmentRestorer(bundle.info, averaged_model(checkpoint), restorer.vae, restorer.image_encoder)
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(1, 1, 64, 48)
    mask[..., 10:50, 10:40] = 1
    view = make_view(torch.rand(1, 3, 64, 48, generator=generator), mask, (48, 64), config.model.view, 32)
    assert torch.equal(restorer.restore(view, "upper", steps=3), direct.restore(view, "upper", steps=3))


def test_revisions_of_a_run_that_was_rewound(tmp_path: Path) -> None:
    (tmp_path / "revisions.txt").write_text("0 a\n100 a\n200 b\n150 c\n")
    assert noted_revisions(tmp_path) == [(0, "a"), (150, "c")]


def test_export_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="no run of training.train"):
        export_run(tmp_path, tmp_path / "b.safetensors", "x", "x", "fp16", "x")


def test_config_survives_yaml(config: TrainConfig) -> None:
    assert from_json(TrainConfig, json.loads(json.dumps(to_json(config)))) == config
