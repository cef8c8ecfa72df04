"""The automatic choices; all choices compute the same model, and resuming is exact with each of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from diffusers.models.attention import FeedForward
from torch import nn

from igr_core import device
from igr_core.errors import IGRError
from igr_core.model.garmfus import attend
from igr_core.model.igr import IGR
from tests.support.models.tiny import MODEL
from tests.support.training.prepared import tiny_config
from tests.support.training.steps import first_loss
from training.base.run.checkpoints import load_latest
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.core.compute import acceleration
from training.core.compute.acceleration import (
    accelerate,
    changed,
    choose_acceleration,
    matmul_attention,
)
from training.core.compute.float32_layers import Float32GEGLU, Float32LayerNorm, use_float32_layers
from training.core.trainer import Trainer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("data"))


def test_auto_follows_what_the_cpu_can_do(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    auto = replace(config, precision="auto")
    monkeypatch.setattr(device, "has_bfloat16_units", lambda: True)
    fast = choose_acceleration(auto, CPU)
    assert (fast.precision, fast.attention, fast.memory_format, fast.float32_layers) == (
        ("bf16", "matmul", "contiguous", True)
    )
    assert fast.describe() == "bfloat16, layer norm and GELU in float32, matmul attention, contiguous"
    monkeypatch.setattr(device, "has_bfloat16_units", lambda: False)
    plain = choose_acceleration(auto, CPU)
    assert plain.describe() == "float32, sdpa attention, channels last"
    assert choose_acceleration(replace(auto, attention="matmul", precision="bf16"), CPU).attention == "matmul"


def test_cards_that_only_emulate_bfloat16_compute_in_float32(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    turing = torch.device("cuda")
    assert choose_acceleration(replace(config, precision="auto"), turing).precision == "no"
    with pytest.raises(IGRError, match="this GPU does not support bfloat16"):
        choose_acceleration(replace(config, precision="bf16"), turing)


def test_checkpointing_is_off_on_cpus_unless_asked_for(config: TrainConfig) -> None:
    for setting, wanted in ((False, "off"), ("auto", "off"), (True, "all"), ("selective", "selective")):
        chosen = choose_acceleration(replace(config, gradient_checkpointing=setting), CPU)
        assert chosen.checkpointing == wanted


def test_sharded_kernels_stay_contiguous(config: TrainConfig) -> None:
    assert choose_acceleration(config, CPU, sharded=True).memory_format == "contiguous"
    with pytest.raises(IGRError, match="needs contiguous weights"):
        choose_acceleration(replace(config, memory_format="channels_last"), CPU, sharded=True)


def test_compile_needs_a_compiler(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "missing_for_compiling", lambda on_gpu: "g++")
    with pytest.raises(IGRError, match=r"needs g\+\+, which was not found: install it"):
        choose_acceleration(replace(config, compile=True), CPU)


@pytest.mark.parametrize("masked", [False, True])
def test_matmul_attention_is_the_fused_one(masked: bool) -> None:
    query, key, value = (torch.randn(2, n, 16) for n in (6, 9, 9))
    mask = torch.randn(1, 1, 1, 9) if masked else None
    assert torch.allclose(matmul_attention(query, key, value, 2, mask), attend(query, key, value, 2, mask), atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        half = matmul_attention(query, key, value, 2, mask)
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), attend(query, key, value, 2, mask), atol=3e-2)


def test_float32_layers_share_weights_and_change_nothing_in_float32() -> None:
    torch.manual_seed(0)
    model = IGR(MODEL)
    names, layer = list(model.state_dict()), nn.LayerNorm(16)
    before = model.denoiser(torch.ones(1, 4, 8, 6), 1, torch.ones(1, 3, 32)).sample
    use_float32_layers(model)
    assert list(model.state_dict()) == names
    assert any(isinstance(module, Float32GEGLU) for module in model.modules())
    assert not any(type(module) is nn.LayerNorm for module in model.modules())
    assert torch.equal(model.denoiser(torch.ones(1, 4, 8, 6), 1, torch.ones(1, 3, 32)).sample, before)
    root = nn.Sequential(layer)
    use_float32_layers(root)
    assert isinstance(root[0], Float32LayerNorm) and root[0].weight is layer.weight
    assert root(torch.ones(2, 16, dtype=torch.bfloat16)).dtype == torch.float32


CHOICES = {
    "plain": {"memory_format": "contiguous", "attention": "sdpa"},
    "fastest in float32": {"memory_format": "channels_last", "attention": "matmul"},
    "fastest in bfloat16": {"precision": "bf16"},
    "selective": {"gradient_checkpointing": "selective"},
}


def gradients(config: TrainConfig, folder: Path) -> dict[str, torch.Tensor]:
    trainer = Trainer(config, RunFolder(folder))
    trainer.engine.model.train()
    first_loss(trainer).backward()
    return {name: p.grad for name, p in trainer.bare.named_parameters() if p.grad is not None}


def test_every_choice_has_the_same_gradients(config: TrainConfig, tmp_path: Path) -> None:
    plain = gradients(replace(config, **CHOICES["plain"]), tmp_path / "plain")
    for name, changes in CHOICES.items():
        found = gradients(replace(config, **changes), tmp_path / name)
        assert found.keys() == plain.keys()
        exact = changes.get("precision") != "bf16"
        off = torch.cat([(found[key] - plain[key]).flatten() for key in plain])
        size = torch.cat([value.flatten() for value in plain.values()])
        assert off.norm() < (1e-4 if exact else 5e-2) * size.norm(), name


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_resume_is_exact_however_steps_are_computed(
    config: TrainConfig, tmp_path: Path, name: str, optimizer: str
) -> None:
    chosen = replace(config, **CHOICES[name], steps=4, optimizer=replace(config.optimizer, name=optimizer))
    whole = Trainer(chosen, RunFolder(tmp_path / "whole"))
    whole.run_steps(None)
    first = Trainer(chosen, RunFolder(tmp_path / "half"))
    first.config = replace(chosen, steps=2)
    first.run_steps(None)
    second = Trainer(chosen, RunFolder(tmp_path / "half"))
    assert second.step == 2 and second.computed_otherwise == []
    second.run_steps(None)
    for key, value in whole.bare.state_dict().items():
        assert torch.equal(value, second.bare.state_dict()[key]), key


def test_a_run_that_resumes_on_another_machine_reports_it(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = replace(config, precision="auto", steps=2)
    monkeypatch.setattr(device, "has_bfloat16_units", lambda: False)
    Trainer(auto, RunFolder(tmp_path)).run_steps(None)
    monkeypatch.setattr(device, "has_bfloat16_units", lambda: True)
    there = Trainer(auto, RunFolder(tmp_path))
    assert there.step == 2 and "precision no -> bf16" in there.computed_otherwise
    found = load_latest(RunFolder(tmp_path), resume=False)
    assert found is not None and found.state["acceleration"]["precision"] == "no"
    assert changed(asdict(there.engine.acceleration), there.engine.acceleration) == []


def test_only_layers_independent_of_row_plans_are_compiled(config: TrainConfig) -> None:
    model = IGR(MODEL)
    names = list(model.state_dict())
    accelerate(model, choose_acceleration(replace(config, compile=True), CPU))
    compiled = {type(module) for module in model.modules() if module._compiled_call_impl is not None}
    assert compiled == {FeedForward} and list(model.state_dict()) == names
