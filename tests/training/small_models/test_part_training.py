"""The training loop of the small parts: it stops before saving a value that is not finite, and can be resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from igr_core.errors import IGRError
from training.base.run.checkpoints import load_latest
from training.base.run.run_folder import RunFolder
from training.small_models.part_training import PartTraining, train_part


def train(config: PartTraining, corrupt: str, at: int) -> nn.Linear:
    """Fit a line; at step `at` the loss or its gradient is not finite."""
    torch.manual_seed(0)
    layer, inputs = nn.Linear(2, 1), torch.ones(4, 2)

    def loss(step: int) -> dict[str, torch.Tensor]:
        total = layer(inputs).square().mean()
        if step == at and corrupt == "loss":
            total = total * torch.nan
        if step == at and corrupt == "gradient":
            total = total + (layer.weight.sum() * 0).abs().sqrt()  # adds 0; its gradient is NaN
        return {"total": total}

    run = RunFolder(config.run)
    try:
        train_part(config, run, "layer", layer, loss, lambda _: {})
    finally:
        run.close()
    return layer


@pytest.mark.parametrize(
    ("corrupt", "words"), [("loss", "loss at step 4 is nan"), ("gradient", "norm at step 4 is nan")]
)
def test_values_that_are_not_finite_stop_the_run_before_they_are_saved(
    tmp_path: Path, corrupt: str, words: str
) -> None:
    config = PartTraining(str(tmp_path), steps=6, warmup=0, optimizer="adamw", save_every=1)
    with pytest.raises(IGRError, match=f"{words}: lower learning_rate.*is intact"):
        train(config, corrupt, 3)
    found = load_latest(RunFolder(tmp_path), resume=False)
    assert found is not None and found.step == 3
    assert all(value.isfinite().all() for value in found.state["layer"].values())
    assert found.state["average"]["weights"]["weight"].isfinite().all()


def test_no_checkpoint_is_mentioned_if_there_is_none(tmp_path: Path) -> None:
    config = PartTraining(str(tmp_path), steps=6, warmup=0, optimizer="adamw", save_every=5)
    with pytest.raises(IGRError, match="has no checkpoint yet, so the run will start again") as caught:
        train(config, "loss", 3)
    assert "is intact" not in str(caught.value) and not list(RunFolder(tmp_path).checkpoints.iterdir())
    train(config, "none", 3)


def test_the_remedies_work(tmp_path: Path) -> None:
    """A run may resume from its checkpoint with a lower learning rate or in float32; a higher rate requires a new
    run."""
    config = PartTraining(str(tmp_path), steps=6, warmup=0, optimizer="adamw", save_every=1)
    with pytest.raises(IGRError, match="step 4"):
        train(config, "loss", 3)
    with pytest.raises(IGRError, match="learning_rate = 0.001"):
        train(replace(config, learning_rate=0.01), "loss", 99)
    layer = train(replace(config, learning_rate=0.0001, precision="no"), "loss", 99)
    found = load_latest(RunFolder(tmp_path), resume=False)
    assert found is not None and found.step == 6 and layer.weight.isfinite().all()
    assert found.state["optimizer"]["param_groups"][0]["peak_lr"] == 0.0001


def pairs_in(folder: Path, count: int) -> str:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"pairs-{number}.safetensors").write_bytes(bytes([number]) * 100)
    return str(folder)


def test_a_run_can_be_resumed_with_its_data_at_another_path_but_not_with_other_data(tmp_path: Path) -> None:
    run = PartTraining(str(tmp_path / "run"), steps=4, warmup=0, optimizer="adamw", save_every=2)
    train(replace(run, data=pairs_in(tmp_path / "pairs", 2)), "loss", 99)
    train(replace(run, data=pairs_in(tmp_path / "moved", 2)), "loss", 99)
    for count in (3, 1):
        other = replace(run, data=pairs_in(tmp_path / f"other{count}", count))
        with pytest.raises(IGRError, match="was trained with other contents of `data`: restore them"):
            train(other, "loss", 99)
    (tmp_path / "moved" / "sheet.png").write_bytes(b"not a pair")
    train(replace(run, data=str(tmp_path / "moved")), "loss", 99)
    (tmp_path / "moved" / "pairs-1.safetensors").write_bytes(b"changed")
    with pytest.raises(IGRError, match="other contents of `data`"):
        train(replace(run, data=str(tmp_path / "moved")), "loss", 99)


def test_a_shared_folder_of_photos_may_grow(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "photos-0.safetensors").write_bytes(b"0")
    run = PartTraining(str(tmp_path / "run"), str(photos), steps=4, warmup=0, optimizer="adamw")
    train(run, "loss", 99)
    (photos / "photos-1.safetensors").write_bytes(b"1")
    train(run, "loss", 99)


@pytest.mark.parametrize("entry", ["layer", "average", "optimizer", "config", "inputs"])
def test_a_checkpoint_without_an_entry_is_skipped(tmp_path: Path, entry: str) -> None:
    config = PartTraining(str(tmp_path), steps=4, warmup=0, optimizer="adamw", save_every=2)
    train(config, "loss", 99)
    path = tmp_path / "checkpoints" / "step-000000004.pt"
    saved = torch.load(path, weights_only=True)
    del saved["state"][entry]
    torch.save(saved, path)
    train(config, "loss", 99)
    assert entry in torch.load(path, weights_only=True)["state"]


def test_a_checkpoint_of_other_shapes_is_skipped(tmp_path: Path) -> None:
    config = PartTraining(str(tmp_path), steps=4, warmup=0, optimizer="adamw", save_every=2)
    train(config, "loss", 99)
    path = tmp_path / "checkpoints" / "step-000000004.pt"
    saved = torch.load(path, weights_only=True)
    saved["state"]["layer"]["weight"] = torch.zeros(7)
    torch.save(saved, path)
    train(config, "loss", 99)
    assert torch.load(path, weights_only=True)["state"]["layer"]["weight"].shape == (1, 2)
