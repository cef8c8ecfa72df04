"""Checkpoints of the trainer with wrong content: the previous one is used, in training and for export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.config import to_json
from tests.support.training.prepared import tiny_config
from training.base.files import write_text
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.bundles.export import export_run
from training.core.run import train_run
from training.core.trainer import Trainer


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints of steps 4 and 6."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    trainer = Trainer(config, RunFolder(folder))
    write_text(folder / "config.json", json.dumps(to_json(config)))
    trainer.run_steps(None)
    trainer.run.close()
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "run")


def rewrite(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the state in the newest checkpoint."""
    path = run / "checkpoints" / "step-000000006.pt"
    saved = torch.load(path, weights_only=True)
    change(saved["state"])
    torch.save(saved, path)


def _cut(state: dict[str, Any]) -> None:
    state["model"][min(state["model"])] = torch.zeros(3)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no average": lambda state: state.pop("average"),
    "average without weights": lambda state: state["average"].update(weights={}),
    "steps of the average": lambda state: state["average"].update(steps="6"),
    "wrong shape": _cut,
    "a weight too few": lambda state: state["model"].pop(min(state["model"])),
    "a weight too many": lambda state: state["model"].update(other=torch.zeros(3)),
    "no optimiser": lambda state: state.pop("optimizer"),
    "empty data": lambda state: state.update(data="{}"),
    "data is no JSON": lambda state: state.update(data="{damaged"),
    "data is nested deeply": lambda state: state.update(data="[" * 200_000),
    "config is no text": lambda state: state.update(train_config=5),
    "model config is a list": lambda state: state.update(model_config="[]"),
    "recent losses": lambda state: state.update(recent=7),
    "acceleration": lambda state: state.update(acceleration=None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_state_of_wrong_content_is_skipped(config: TrainConfig, run: Path, name: str) -> None:
    rewrite(run, CHANGES[name])
    assert Trainer(config, RunFolder(run)).step == 4


def test_export_skips_it_too(run: Path, tmp_path: Path) -> None:
    rewrite(run, _cut)
    export_run(run, tmp_path / "out.safetensors", "n", "l", "fp16", "d")


def test_a_state_of_an_earlier_version_is_not_seen_as_damaged(config: TrainConfig, run: Path, tmp_path: Path) -> None:
    rewrite(run, lambda state: state.pop("data"))
    with pytest.raises(IGRError, match="was trained with an earlier version"):
        Trainer(config, RunFolder(run))
    with pytest.raises(IGRError, match="was trained with an earlier version"):
        export_run(run, tmp_path / "out.safetensors", "n", "l", "fp16", "d")


def test_an_optimiser_that_does_not_fit_is_reported_in_one_sentence(config: TrainConfig, run: Path) -> None:
    rewrite(run, lambda state: state["optimizer"].update(param_groups=[]))
    with pytest.raises(IGRError, match="checkpoint of step 6 does not fit .*: delete this checkpoint"):
        Trainer(config, RunFolder(run))


@pytest.mark.parametrize("content", ["{damaged", '[{"x": 1}]'])
def test_damaged_notes_of_the_data_are_found_before_the_first_step(
    config: TrainConfig, run: Path, content: str
) -> None:
    (run / "data.json").write_text(content)
    before = sorted(path.name for path in (run / "checkpoints").iterdir())
    with pytest.raises(IGRError, match=r"data\.json is not .*: restore a copy"):
        train_run(replace(config, steps=7), run, None, False, lambda _: None)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == before


@pytest.mark.parametrize("name", ["metrics.csv", "config.json", "commands.txt", "data.json", "tensorboard"])
def test_a_name_that_is_taken_is_found_before_the_first_step(config: TrainConfig, run: Path, name: str) -> None:
    path = run / name
    if name == "tensorboard":
        shutil.rmtree(path)
        path.touch()
    else:
        path.unlink(missing_ok=True)
        path.mkdir()
    with pytest.raises(
        IGRError, match=rf"{name} is a (folder|file), but the run writes a (file|folder) with this name"
    ):
        train_run(replace(config, steps=7), run, None, False, lambda _: None)
