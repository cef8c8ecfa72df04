"""The trainer with the tiny model: learning, exact resuming (also after kill -9 and Ctrl-C), NaN, full disks."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from igr_core.errors import IGRError
from igr_core.model.config import from_json, to_json
from tests.support.training.prepared import tiny_config
from tests.support.training.steps import first_loss
from training.base.files import write_text
from training.base.provenance import ROOT, note_start, noted_commands, noted_revisions
from training.base.run.checkpoints import load_latest
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.cli.train import train as train_command
from training.core.initial import initial_model
from training.core.trainer import Trainer
from training.core.validation import Validator


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("data"))


def run(config: TrainConfig, folder: Path, validator: Validator | None = None) -> Trainer:
    write_text_config(config, folder)
    trainer = Trainer(config, RunFolder(folder))
    note_start(folder, trainer.step, "test")
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


@pytest.fixture(scope="module")
def long(config: TrainConfig) -> TrainConfig:
    """A run that is long enough to be stopped in the middle; each logged loss is the mean of three steps."""
    return replace(config, steps=60, log_every=3, checkpoint_every=4)


@pytest.fixture(scope="module")
def uninterrupted_long(long: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "long"
    run(long, folder)
    return folder


def same_weights(one: Path, other: Path) -> bool:
    found = [load_latest(RunFolder(folder), resume=False) for folder in (one, other)]
    states = [checkpoint.state["model"] for checkpoint in found if checkpoint is not None]
    return len(states) == 2 and all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def command(config: TrainConfig, folder: Path) -> list[str]:
    """The real command, for a run folder beside its config."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(to_json(config)))))
    return [sys.executable, "-m", "training", "train", str(path), "--run", str(folder / "run")]


def stop_in_the_middle(config: TrainConfig, folder: Path, number: int) -> tuple[int, str]:
    """Send a signal once a few steps are done; returns the exit code and the output."""
    arguments = command(config, folder)
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    checkpoints = folder / "run" / "checkpoints"
    deadline = time.monotonic() + 300
    while not list(checkpoints.glob("step-*.pt")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert list(checkpoints.glob("step-*.pt")) and not list(checkpoints.glob("step-000000060.pt"))
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_command_resumes_exactly(
    long: TrainConfig, uninterrupted_long: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """kill -9, Ctrl-C or SIGTERM of the real command, then the same command again."""
    status, said = stop_in_the_middle(long, tmp_path, number)
    if number == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 128 + number and "interrupted; saved step" in said and "Traceback" not in said
    done = subprocess.run(command(long, tmp_path), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "run") == losses(uninterrupted_long)
    assert same_weights(tmp_path / "run", uninterrupted_long)
    assert not list((tmp_path / "run" / "checkpoints").glob(".*"))
    assert noted_commands(tmp_path / "run")[0][1].startswith("python -m training train ")


def test_stop_is_checked_between_logged_losses(long: TrainConfig, uninterrupted_long: Path, tmp_path: Path) -> None:
    """Values that have not been logged yet are in the checkpoint: step 7, with three-step means."""

    class Pair(Trainer):
        def _after_step(self, *of_the_step: Any) -> None:
            if self.step == 6:
                signal.raise_signal(signal.SIGINT)  # read by step 7
            super()._after_step(*of_the_step)

    before = signal.getsignal(signal.SIGINT)
    first = Pair(long, RunFolder(tmp_path))
    first.run_steps(None)
    first.run.close()
    assert (first.step, first.stopped_by) == (7, signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    run(long, tmp_path)
    assert losses(tmp_path) == losses(uninterrupted_long)
    assert same_weights(tmp_path, uninterrupted_long)


def test_full_disk_keeps_the_last_good_checkpoint(long: TrainConfig, tmp_path: Path) -> None:
    """The real command on a disk without space for another checkpoint."""
    trainer = Trainer(replace(long, steps=4), RunFolder(tmp_path / "run"))
    trainer.run_steps(None)
    trainer.run.close()
    (kept,) = (tmp_path / "run" / "checkpoints").iterdir()
    limit = kept.stat().st_size // 2
    done = subprocess.run(
        command(long, tmp_path),
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "step-000000008.pt" in done.stderr and "free some space" in done.stderr
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == [kept.name]
    found = load_latest(RunFolder(tmp_path / "run"))
    assert found is not None and found.step == 4


def test_checkpoints_rotate(uninterrupted: Path) -> None:
    assert sorted(path.name for path in (uninterrupted / "checkpoints").iterdir()) == [
        "step-000000004.pt",
        "step-000000006.pt",
    ]


def test_gradient_checkpointing_changes_no_gradient(config: TrainConfig, tmp_path: Path) -> None:
    gradients = []
    for setting in (False, True):
        trainer = Trainer(replace(config, gradient_checkpointing=setting), RunFolder(tmp_path / str(setting)))
        trainer.engine.model.train()
        first_loss(trainer).backward()
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
    with pytest.raises(IGRError, match=r"loss at step 3 is nan.*lower the learning rate"):
        trainer.run_steps(None)
    found = load_latest(RunFolder(tmp_path))
    assert found is not None and found.step == 2
    assert torch.isfinite(found.state["model"]["denoiser.conv_in.weight"]).all()


def test_gradient_that_is_not_finite_stops_before_it_is_saved(config: TrainConfig, tmp_path: Path) -> None:
    """The loss is finite, so without this check the corrupted weights would be saved in this step's checkpoint."""
    trainer = Trainer(replace(config, checkpoint_every=1), RunFolder(tmp_path))
    weight = trainer.bare.denoiser.conv_out.weight
    weight.register_hook(lambda gradient: gradient * torch.inf if trainer.step == 2 else gradient)
    with pytest.raises(IGRError, match="gradient norm at step 3 is"):
        trainer.run_steps(None)
    saved = load_latest(RunFolder(tmp_path), resume=False)
    assert saved is not None and saved.step == 2
    assert all(value.isfinite().all() for value in saved.state["model"].values())


def test_another_model_in_the_same_run_folder_is_refused(config: TrainConfig, uninterrupted: Path) -> None:
    other = replace(config, model=replace(config.model, reference_position="none"))
    before = (uninterrupted / "metrics.csv").read_bytes()
    with pytest.raises(IGRError, match="a different model config"):
        Trainer(other, RunFolder(uninterrupted))
    assert (uninterrupted / "metrics.csv").read_bytes() == before


def test_settings_that_would_change_the_run_are_refused(config: TrainConfig, uninterrupted: Path) -> None:
    refused = {
        "seed": replace(config, seed=1),
        "optimizer.learning_rate": replace(config, optimizer=replace(config.optimizer, learning_rate=1.0)),
        "data.draws_per_pair": replace(config, data=replace(config.data, draws_per_pair=3)),
        "drop.reference": replace(config, drop=replace(config.drop, reference=0.2)),
    }
    for name, other in refused.items():
        with pytest.raises(IGRError, match=f"was trained with {name} = .*choose another --run folder"):
            Trainer(other, RunFolder(uninterrupted))


def test_length_logs_and_validation_may_change(config: TrainConfig, uninterrupted: Path) -> None:
    optimizer = replace(config.optimizer, decay_steps=9)
    data = replace(config.data, validation="elsewhere")
    longer = replace(config, steps=9, log_every=2, validate_every=3, keep_checkpoints=1, optimizer=optimizer, data=data)
    assert Trainer(longer, RunFolder(uninterrupted)).step == 6


def test_a_run_may_be_extended_before_its_decay_but_not_during_it(config: TrainConfig, tmp_path: Path) -> None:
    def lasting(steps: int, decay_steps: int, schedule: str = "decay") -> TrainConfig:
        optimizer = replace(config.optimizer, schedule=schedule, decay_steps=decay_steps)
        return replace(config, steps=steps, optimizer=optimizer, checkpoint_every=2)

    run(lasting(2, 0), tmp_path)
    assert Trainer(lasting(6, 4), RunFolder(tmp_path)).step == 2
    run(lasting(4, 2), tmp_path)  # decays from step 2 on
    assert Trainer(lasting(4, 2), RunFolder(tmp_path)).step == 4
    for other in (lasting(8, 2), lasting(4, 1)):
        with pytest.raises(IGRError, match="step 3 would have had a different learning rate: .* back to 4 and 2"):
            Trainer(other, RunFolder(tmp_path))
    assert (tmp_path / "checkpoints" / "step-000000002.pt").is_file()
    (tmp_path / "checkpoints" / "step-000000004.pt").unlink()  # the remedy
    assert Trainer(lasting(8, 2), RunFolder(tmp_path)).step == 2
    run(lasting(2, 0, "cosine"), tmp_path / "cosine")
    with pytest.raises(IGRError, match="a different learning rate"):
        Trainer(lasting(3, 0, "cosine"), RunFolder(tmp_path / "cosine"))


def test_refused_config_does_not_replace_the_runs_own(config: TrainConfig, tmp_path: Path) -> None:
    run(replace(config, steps=1), tmp_path / "run")
    before = (tmp_path / "run" / "config.json").read_bytes()
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(to_json(replace(config, seed=5))))))
    with pytest.raises(IGRError, match="seed = 0"):
        train_command(path, tmp_path / "run")
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_current_weights_are_restored_if_validation_fails(config: TrainConfig, tmp_path: Path) -> None:
    class Broken(Validator):
        def grid(self, model, step):  # noqa: ANN001, ANN202
            raise IGRError("no picture")

    checked = replace(config, steps=2, validate_every=2)
    trainer = Trainer(checked, RunFolder(tmp_path))
    with pytest.raises(IGRError, match="no picture"):
        trainer.run_steps(Broken(checked, tmp_path))
    found = load_latest(RunFolder(tmp_path), resume=False)
    assert found is not None and trainer.engine.model.training
    for name, value in trainer.bare.state_dict().items():
        assert torch.equal(value, found.state["model"][name]), name


def test_keys_are_initialised_as_queries(config: TrainConfig) -> None:
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


def test_revisions_of_a_run_that_was_rewound(tmp_path: Path) -> None:
    (tmp_path / "revisions.txt").write_text("0 a\n100 a\n200 b\n150 c\n")
    assert noted_revisions(tmp_path) == [(0, "a"), (150, "c")]
    assert noted_revisions(tmp_path / "nowhere") == [(0, "unknown")]


def test_config_survives_yaml(config: TrainConfig) -> None:
    assert from_json(TrainConfig, json.loads(json.dumps(to_json(config)))) == config
