"""Optimisers: torch's own classes, learning rates of the param groups, resuming, moved and channels-last weights."""

from __future__ import annotations

import copy

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from training.base.optimisation.muon import BatchedMuon, orthogonalised
from training.base.optimisation.optimizers import MuonAdamW, build_optimizer, set_rate


def net(channels_last: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    return made.to(memory_format=torch.channels_last) if channels_last else made


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int, share: float = 1.0) -> None:
    model(torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(seed))).square().mean().backward()
    set_rate(optimizer, share)
    optimizer.step()
    optimizer.zero_grad()


KINDS = {"adamw": torch.optim.AdamW, "muon": MuonAdamW, "adafactor": torch.optim.Adafactor}


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_prepares_the_optimizer_and_its_state_resumes(name: str) -> None:
    model = net()
    optimizer = build_optimizer(model.named_parameters(), name, 1e-2)  # type: ignore[arg-type]
    assert isinstance(optimizer, KINDS[name])
    model, optimizer = Accelerator(cpu=True).prepare(model, optimizer)
    step(model, optimizer, 0)
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    step(model, optimizer, 1)
    again = net()
    again.load_state_dict(weights)
    other = build_optimizer(again.named_parameters(), name, 1e-2)  # type: ignore[arg-type]
    other.load_state_dict(state)
    step(again, other, 1)
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_steps_use_the_learning_rates_of_the_param_groups(name: str) -> None:
    model = net()
    optimizer = build_optimizer(model.named_parameters(), name, 1e-2, 2e-2, weight_decay=0.0)  # type: ignore[arg-type]
    before = copy.deepcopy(model.state_dict())
    step(model, optimizer, 0, share=0.0)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    step(model, optimizer, 0, share=0.5)
    assert [group["lr"] for group in optimizer.param_groups] == ([5e-3] if name == "adamw" else [5e-3, 1e-2])
    assert not any(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_muon_takes_the_matrices_and_leaves_first_and_last_layers() -> None:
    named = {"conv_in.weight": 4, "mid.weight": 4, "mid.bias": 1, "time_embed.weight": 2, "proj.weight": 2}
    weights = {name: nn.Parameter(torch.ones((2,) * ndim)) for name, ndim in named.items()}
    rest, matrices = build_optimizer(weights.items(), "muon", 1e-3).param_groups
    assert [id(one) for one in matrices["params"]] == [id(weights["mid.weight"]), id(weights["proj.weight"])]
    assert len(rest["params"]) == 3


def test_muon_follows_weights_that_moved_and_channels_last_ones() -> None:
    """Steps update the actual weights, even after these were moved, and with kernels that are not contiguous."""
    plain, moved, last = net(), net(), net(channels_last=True)
    optimizers = [build_optimizer(model.named_parameters(), "muon", 1e-2) for model in (plain, moved, last)]
    for weight in moved.parameters():
        weight.data = weight.data.clone()
    for seed in range(2):
        for model, optimizer in zip((plain, moved, last), optimizers, strict=True):
            step(model, optimizer, seed)
    assert not last[2].weight.is_contiguous()
    for one, two, three in zip(plain.parameters(), moved.parameters(), last.parameters(), strict=True):
        assert torch.equal(one, two)
        assert torch.allclose(one, three, atol=2e-3)


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("layouts", [(False, True), (True, False)])
def test_states_resume_in_another_memory_layout(name: str, layouts: tuple[bool, bool]) -> None:
    """A run that resumes with a different memory layout keeps its moments, so its steps are the same."""
    before, after = layouts
    model = net(channels_last=before)
    optimizer = build_optimizer(model.named_parameters(), name, 1e-2)  # type: ignore[arg-type]
    for seed in range(3):
        step(model, optimizer, seed)
    again = net(channels_last=after)
    again.load_state_dict(model.state_dict())
    other = build_optimizer(again.named_parameters(), name, 1e-2)  # type: ignore[arg-type]
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert again[2].weight.is_contiguous() != after
    for one, two in zip(model.parameters(), again.parameters(), strict=True):
        one.grad = torch.zeros_like(one)  # so that the weights only change because of the moments
        two.grad = torch.zeros_like(two)
    optimizer.step()
    other.step()
    for one, two in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_batched_muon_computes_the_same_as_torchs_own(dtype: torch.dtype) -> None:
    """After many steps with the same gradients, results differ only by torch's rounding to bfloat16."""
    shapes = [(8, 8), (8, 8), (8, 72), (40, 8)]
    generator = torch.Generator().manual_seed(0)
    plain, batched = ([nn.Parameter(torch.ones(shape)) for shape in shapes] for _ in range(2))
    options = {"lr": 0.1, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    optimizers = torch.optim.Muon(plain, **options), BatchedMuon(batched, **options)  # type: ignore[arg-type]
    optimizers[1].dtype = dtype
    for _ in range(5):
        for one, two in zip(plain, batched, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            two.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for one, two in zip(plain, batched, strict=True):
        assert torch.allclose(one, two, atol=5e-3)
        assert (one - 1).abs().mean() > 0.03
    assert optimizers[0].state_dict()["state"].keys() == optimizers[1].state_dict()["state"].keys()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 16, 144), (2, 64, 16)])
def test_orthogonalised_matrices_have_singular_values_about_one(
    shape: tuple[int, int, int], dtype: torch.dtype
) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalised(matrices, (3.4445, -4.775, 2.0315), dtype=dtype))
    assert values.min() > 0.4 and values.max() < 1.3
