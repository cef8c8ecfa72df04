"""The validator: runs on the model's device, in batches, with the same numbers for any batch size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from igr_core.errors import IGRError
from igr_core.model.config import from_json, to_json
from igr_core.model.igr import IGR
from igr_core.model.networks import build_scheduler
from tests.support.training.prepared import tiny_config, write_prepared
from training.base.train_config import TrainConfig
from training.core.initial import initial_model
from training.core.validation import Validator
from training.prepared.latents import PreparedPairs

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return replace(tiny_config(tmp_path_factory.mktemp("data")), grid_pairs=3, grid_steps=2)


def watched(model: IGR) -> tuple[list[torch.device], list[int]]:
    """Devices of all tensors that any module of the model is called with, and rows of every denoiser call."""
    devices: list[torch.device] = []
    rows: list[int] = []

    def look(module: nn.Module, arguments: tuple, named: dict) -> None:
        devices.extend(x.device for x in (*arguments, *named.values()) if isinstance(x, Tensor))
        if module is model.denoiser:
            rows.append(len(arguments[0]))

    for module in model.modules():
        module.register_forward_pre_hook(look, with_kwargs=True)
    return devices, rows


def test_everything_goes_to_the_model_in_batches(config: TrainConfig, tmp_path: Path) -> None:
    model = initial_model(config).eval().to(DEVICE)
    devices, rows = watched(model)
    validator = Validator(config, tmp_path)
    entered: list[bool] = []

    def autocast() -> torch.autocast:
        entered.append(True)
        return torch.autocast(DEVICE, torch.bfloat16)

    validator.losses(model, build_scheduler(model.config.noise), autocast)
    size = config.data.pairs_per_batch
    assert rows == [size] * len(rows) and len(entered) == len(rows) == 2 * 4 * 2  # timesteps, cases, 4 pairs by 2
    rows.clear()
    path = validator.grid(model, 7)
    assert set(rows) == {2 * size, 2}  # conditional and unconditional rows of 2 pairs, then of 1
    assert {device.type for device in devices} == {DEVICE}
    assert next(validator.vae.parameters()).device.type == "cpu"
    with Image.open(path) as picture:
        assert picture.size == (3 * 48, 14 + 3 * 64)


def test_the_size_of_the_batches_changes_nothing(config: TrainConfig, tmp_path: Path) -> None:
    model = initial_model(config).eval()
    found = []
    for size in (1, 3, 4):
        validator = Validator(replace(config, data=replace(config.data, pairs_per_batch=size)), tmp_path)
        found.append(validator.losses(model, build_scheduler(model.config.noise)))
        (pairs,) = validator.sets.values()
        batch = pairs.batch(range(2))
        found[-1]["first"] = float(validator.restored_latent(model, batch)[0, 0, 0, 0])
        alone = validator.restored_latent(model, pairs.batch(range(1, 2)), first=1)
        assert torch.allclose(validator.restored_latent(model, batch)[1:], alone, atol=1e-4)
    for other in found[1:]:
        assert other == pytest.approx(found[0], abs=1e-4)


def test_several_held_out_sets_are_measured_side_by_side(config: TrainConfig, tmp_path: Path) -> None:
    """Each set has the same numbers as alone, under its name, and its own columns in the shared image."""
    model = initial_model(config).eval()
    other = write_prepared(tmp_path / "other", 3, seed=9, settings=PreparedPairs([config.data.train[0]]).settings[0])
    folders = {"rendered": str(config.data.validation), "drawn": str(other)}
    data = replace(config.data, validation=folders)
    assert load_again(replace(config, data=data)).data.validation == folders
    validator = Validator(replace(config, data=data, grid_pairs=4), tmp_path)
    found = validator.losses(model, build_scheduler(model.config.noise))
    for name, folder in folders.items():
        alone = Validator(replace(config, data=replace(config.data, validation=folder)), tmp_path)
        for key, value in alone.losses(model, build_scheduler(model.config.noise)).items():
            kind, case = key.split("/")
            assert found[f"{kind}/{name}/{case}"] == pytest.approx(value)
    assert len(found) == 16
    with Image.open(validator.grid(model, 7)) as picture:
        assert picture.size == (6 * 48 + 3 * 48, 14 + 3 * 64)  # four rows two by two, and three below each other
        strip = picture.crop((0, 0, picture.width, 14)).convert("L")
        for column in range(9):
            assert strip.crop((column * 48, 0, column * 48 + 48, 14)).getextrema()[0] < 64, column


def load_again(config: TrainConfig) -> TrainConfig:
    return from_json(TrainConfig, json.loads(json.dumps(to_json(config))))


@pytest.mark.parametrize("names", [{}, {"a/b": "folder"}, {"a": "folder", " ": "folder"}])
def test_names_of_held_out_sets_are_checked(config: TrainConfig, names: dict[str, str]) -> None:
    with pytest.raises(IGRError, match="data.validation has the names"):
        replace(config.data, validation=names)
