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
def test_what_is_not_finite_stops_before_it_is_saved(tmp_path: Path, corrupt: str, words: str) -> None:
    config = PartTraining(str(tmp_path), steps=6, warmup=0, optimizer="adamw", save_every=1)
    with pytest.raises(IGRError, match=f"{words}: lower learning_rate.*is intact"):
        train(config, corrupt, 3)
    found = load_latest(RunFolder(tmp_path), resume=False)
    assert found is not None and found.step == 3
    assert all(value.isfinite().all() for value in found.state["layer"].values())
    assert found.state["average"]["weights"]["weight"].isfinite().all()


def test_the_remedies_work(tmp_path: Path) -> None:
    """A lower rate or float32 may resume from the checkpoint; a higher rate needs a new run."""
    config = PartTraining(str(tmp_path), steps=6, warmup=0, optimizer="adamw", save_every=1)
    with pytest.raises(IGRError, match="step 4"):
        train(config, "loss", 3)
    with pytest.raises(IGRError, match="learning_rate = 0.001"):
        train(replace(config, learning_rate=0.01), "loss", 99)
    layer = train(replace(config, learning_rate=0.0001, precision="no"), "loss", 99)
    found = load_latest(RunFolder(tmp_path), resume=False)
    assert found is not None and found.step == 6 and layer.weight.isfinite().all()
    assert found.state["optimizer"]["param_groups"][0]["peak_lr"] == 0.0001


@pytest.mark.parametrize("entry", ["layer", "average", "optimizer", "config"])
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
