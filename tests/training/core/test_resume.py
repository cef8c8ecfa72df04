"""Permitted and forbidden changes in a resumed run: data, files, steps, learning rates."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from igr_core.model.bundle import save_bundle
from igr_core.model.igr import IGR
from tests.support.models.tiny import INFO, MODEL
from tests.support.training.prepared import tiny_config, write_prepared
from tests.support.training.stopping import logged
from training.base.provenance import noted_data
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.core.resume import check_same_step
from training.core.trainer import Trainer
from training.prepared.latents import PreparedPairs


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """Two steps of a tiny run, and its data, in a folder that a test may change."""
    return replace(tiny_config(tmp_path / "data"), steps=2)


def trained(config: TrainConfig, folder: Path, allow_new_data: bool = False) -> Trainer:
    trainer = Trainer(config, RunFolder(folder), allow_new_data)
    trainer.run_steps(None)
    trainer.run.close()
    return trainer


def with_train(config: TrainConfig, *folders: Path) -> TrainConfig:
    return replace(config, data=replace(config.data, train=tuple(map(str, folders))))


def rewrite(folder: Path, change: str) -> None:
    """Change a folder of prepared pairs in place."""
    (shard,) = folder.iterdir()
    settings = PreparedPairs([folder]).settings[0]
    tensors = {name: value.clone() for name, value in load_file(shard).items()}
    if change == "fewer":
        tensors = {name: value[:-4].contiguous() for name, value in tensors.items()}
    if change == "dressed anew":
        tensors["person_latent"][3] += 1
    save_file(tensors, shard, metadata={"settings": json.dumps(settings)})


def test_the_same_data_and_bundle_may_be_at_another_path(config: TrainConfig, tmp_path: Path) -> None:
    model = IGR(MODEL)
    parts = {name: dict(module.state_dict()) for name, module in model.parts().items()}
    save_bundle(tmp_path / "data" / "init.safetensors", INFO, parts)
    config = replace(config, init_bundle=str(tmp_path / "data" / "init.safetensors"))
    trained(config, tmp_path / "run")
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "data", moved)
    data = replace(
        config.data,
        train=(str(moved / "train"),),
        vae=str(moved / "vae.safetensors"),
        image_encoder=str(moved / "ie.safetensors"),
    )
    other = replace(config, data=data, init_bundle=str(moved / "init.safetensors"), steps=3)
    assert trained(other, tmp_path / "run").step == 3
    parts["denoiser"]["conv_in.bias"] = parts["denoiser"]["conv_in.bias"] + 1
    save_bundle(moved / "init.safetensors", INFO, parts)
    with pytest.raises(IGRError, match="a different init_bundle: its content has changed"):
        Trainer(other, RunFolder(tmp_path / "run"))


@pytest.mark.parametrize(
    ("change", "words"), [("fewer", "has 12 pairs instead of 16"), ("dressed anew", "contains different pairs")]
)
def test_data_changed_in_place_is_refused_with_its_name(
    config: TrainConfig, tmp_path: Path, change: str, words: str
) -> None:
    trained(config, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.csv").read_bytes()
    rewrite(Path(config.data.train[0]), change)
    with pytest.raises(IGRError, match=f"trained on different data: .*{config.data.train[0]} {words}.*--allow-new"):
        Trainer(replace(config, steps=3), RunFolder(tmp_path / "run"))
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == before


def test_new_data_starts_at_a_recorded_step(config: TrainConfig, tmp_path: Path) -> None:
    """Another folder, then another mixture; the run resumes exactly on the new data."""
    settings = PreparedPairs([config.data.train[0]]).settings[0]
    second = write_prepared(tmp_path / "second", 24, seed=5, settings=settings)
    later = replace(with_train(config, second), steps=5)
    for folder in ("run", "halves"):
        trained(config, tmp_path / folder)
    with pytest.raises(IGRError, match=r"second \(instead of .*train\) has 24 pairs instead of 16"):
        Trainer(later, RunFolder(tmp_path / "run"))
    whole = trained(later, tmp_path / "run", allow_new_data=True)
    trained(replace(later, steps=4), tmp_path / "halves", allow_new_data=True)
    halves = trained(later, tmp_path / "halves")
    for name, value in whole.bare.state_dict().items():
        assert torch.equal(value, halves.bare.state_dict()[name]), name
    assert logged(tmp_path / "run") == logged(tmp_path / "halves")
    rows = [row for row in logged(tmp_path / "run") if "data/pairs" in row]
    assert rows == ["1,data/pairs,16.0", "3,data/pairs,24.0"]
    told = [(one["from_step"], one["pairs"], one["entries"][0]["name"]) for one in noted_data(tmp_path / "run")]
    assert told == [(0, 16, config.data.train[0]), (2, 24, str(second))]
    both = replace(later.data, train=(config.data.train[0], str(second)), weights=(1.0, 3.0))
    with pytest.raises(IGRError, match=r"data.weights was None and is \[1.0, 3.0\]; the number of entries was 1 "):
        Trainer(replace(later, data=both), RunFolder(tmp_path / "run"))
    assert trained(replace(later, data=both, steps=6), tmp_path / "run", allow_new_data=True).step == 6


def test_a_step_has_the_same_number_of_pairs_however_it_is_divided(config: TrainConfig, tmp_path: Path) -> None:
    trained(config, tmp_path / "run")
    divided = replace(config, steps=3, accumulation=2, data=replace(config.data, pairs_per_batch=1))
    assert trained(divided, tmp_path / "run").step == 3
    check_same_step(divided, 1, {"data": 2}, "run")
    with pytest.raises(IGRError, match="2 pairs per step, but data.pairs_per_batch \\(1\\) × 2 processes .* is 4"):
        check_same_step(divided, 2, {"data": 2}, "run")
    larger = replace(config, steps=4, data=replace(config.data, pairs_per_batch=3))
    with pytest.raises(IGRError, match="choose values whose product is 2, or another --run folder"):
        Trainer(larger, RunFolder(tmp_path / "run"))


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_learning_rates_may_be_lowered_and_not_raised(config: TrainConfig, tmp_path: Path, name: str) -> None:
    """A lower learning rate may fix a loss that is not finite; `precision` may also change, which the run reports."""
    options = replace(config.optimizer, name=name, muon_learning_rate=2e-3 if name == "muon" else None)
    config = replace(config, optimizer=options, precision="bf16")
    trained(config, tmp_path / "run")
    lower = replace(options, learning_rate=5e-4, muon_learning_rate=1e-3 if name == "muon" else None)
    trainer = trained(replace(config, optimizer=lower, steps=3, precision="no"), tmp_path / "run")
    rates = [group["lr"] for group in trainer.engine.optimizer.param_groups]
    assert rates == ([5e-4, 1e-3] if name == "muon" else [5e-4])
    assert "3,learning_rate,0.0005" in logged(tmp_path / "run")
    assert any("precision bf16 -> no" in told for told in trainer.computed_otherwise)
    with pytest.raises(IGRError, match="optimizer.learning_rate = 0.0005, but the config has 0.001"):
        Trainer(replace(config, steps=4), RunFolder(tmp_path / "run"))


def test_a_checkpoint_of_an_earlier_version_is_refused_in_a_sentence(config: TrainConfig, tmp_path: Path) -> None:
    trainer = trained(config, tmp_path / "run")
    (path,) = trainer.run.checkpoints.iterdir()
    saved = torch.load(path, weights_only=True)
    del saved["state"]["data"]
    torch.save(saved, path)
    with pytest.raises(IGRError, match="trained with an earlier version: resume it with that version"):
        Trainer(config, RunFolder(tmp_path / "run"))


def with_summary(path: str, part: str, **changes: object) -> None:
    """Change the config in a part's .json file."""
    file = Path(path).with_suffix(".json")
    summary = json.loads(file.read_text())
    summary[part] |= changes
    file.write_text(json.dumps(summary, indent=4))


def test_a_changed_config_of_a_frozen_part_is_refused_and_a_reformatted_one_is_not(
    config: TrainConfig, tmp_path: Path
) -> None:
    trained(config, tmp_path / "run")
    with_summary(config.data.vae, "vae")
    longer = replace(config, steps=3)
    assert trained(longer, tmp_path / "run").step == 3
    with_summary(config.data.vae, "vae", scaling_factor=1.0)
    with pytest.raises(IGRError, match=r"another config in the \.json file beside data\.vae: restore the \.json file"):
        Trainer(replace(config, steps=4), RunFolder(tmp_path / "run"))


def test_a_run_that_did_not_record_these_configs_can_be_resumed(config: TrainConfig, tmp_path: Path) -> None:
    trainer = trained(config, tmp_path / "run")
    (path,) = trainer.run.checkpoints.iterdir()
    saved = torch.load(path, weights_only=True)
    data = json.loads(saved["state"]["data"])
    recorded = [data["files"].pop(f"data.{part}_config") for part in ("vae", "image_encoder")]
    saved["state"]["data"] = json.dumps(data)
    torch.save(saved, path)
    resumed = trained(replace(config, steps=3), tmp_path / "run")
    assert resumed.step == 3 and set(recorded) <= set(resumed.files.values())


@pytest.mark.parametrize("part", ["vae", "image_encoder"])
def test_a_part_that_is_not_finite_is_named_before_the_first_step(
    config: TrainConfig, tmp_path: Path, part: str
) -> None:
    path = Path(getattr(config.data, part))
    tensors = load_file(path)
    name = next(name for name in sorted(tensors) if name.startswith(("decoder.", "vision_model.")))
    tensors[name].view(-1)[0] = torch.nan
    save_file(tensors, path)
    with pytest.raises(IGRError, match=rf"{path.name} contains NaN or infinite values in {name}: copy the file again"):
        Trainer(config, RunFolder(tmp_path / "run"))
