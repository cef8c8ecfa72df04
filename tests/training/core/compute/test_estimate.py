"""The estimate, compared with independent counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from igr_core.model.igr import IGR
from tests.support.training.prepared import tiny_config
from training.base.parts import parameter_count
from training.base.train_config import LoraConfig, TrainConfig
from training.core.compute.cards import CARDS, card_named
from training.core.compute.estimate import COMPILED, Autocast, estimate, hours_table


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("parts"))


def test_weights_and_states_are_those_of_the_networks(config: TrainConfig) -> None:
    nets = IGR(config.model)
    trained = parameter_count(p for p in nets.parameters() if p.requires_grad)
    found = estimate(config, config.model, 1)
    assert found.trained == trained
    assert found.weights == pytest.approx(parameter_count(nets.parameters()) * 4e-9)
    assert (found.gradients, found.optimizer, found.average) == pytest.approx(
        (trained * 4e-9, trained * 8e-9, trained * 4e-9)
    )
    sharded = estimate(replace(config, sharding="zero2", ema_decay=0), config.model, 4)
    assert (sharded.gradients, sharded.optimizer, sharded.average) == pytest.approx((trained * 1e-9, trained * 2e-9, 0))
    assert estimate(replace(config, lora=LoraConfig(rank=2)), config.model, 1).trained < trained


def test_activations_are_what_a_real_forward_pass_keeps(config: TrainConfig) -> None:
    """The same count with real tensors, except for attention, which depends on the kernel."""
    nets = IGR(config.model).train()
    known, size = {p.untyped_storage().data_ptr() for p in nets.parameters()}, 0
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal size
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            known.add(storage.data_ptr())
            alive.append(storage)
            size += storage.nbytes()
        return tensor

    rows = [0, 0, 1, 1]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        nets(
            torch.randn(4, 4, 8, 6),
            torch.zeros(4, dtype=torch.long),
            ["upper"] * 4,
            torch.randn(2, 4, 8, 6),
            torch.rand(2, 1, 8, 6),
            ["upper"] * 2,
            torch.randn(2, 16),
            rows,
            rows,
        )
    assert estimate(config, config.model, 1).activations == pytest.approx(size / 1e9, rel=0.1)


def test_more_rows_cost_more_and_checkpointing_trades_memory_for_work(config: TrainConfig) -> None:
    one = estimate(config, config.model, 1)
    two = estimate(replace(config, data=replace(config.data, pairs_per_batch=4)), config.model, 1)
    assert two.activations == pytest.approx(2 * one.activations, rel=0.05)
    assert two.teraflops == pytest.approx(2 * one.teraflops, rel=0.05)
    traded = estimate(replace(config, gradient_checkpointing=True), config.model, 1)
    assert traded.activations < 0.5 * one.activations and traded.teraflops > one.teraflops


def test_hours_follow_work_and_steps(config: TrainConfig) -> None:
    found = replace(estimate(config, config.model, 1), teraflops=312 * 0.33, activations=60.0)
    lines = hours_table(found, replace(config, steps=7200), 4).splitlines()
    (a100,) = (line for line in lines if "A100 |" in line)
    assert f"| fits | 2 | {2 / COMPILED:.0f} | 14 |" in a100
    (small,) = (line for line in lines if "4090" in line)
    assert small.endswith(" of 26 GB | – | – | – |")
    assert "estimated: 7,200 steps on 4" in lines[0] and len(lines) == 2 + len(CARDS)


def test_gpus_are_known_by_the_names_that_cuda_reports() -> None:
    for name, known in (
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA A100-PCIE-40GB", "A100 40GB"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("Tesla T4", None),
    ):
        card = card_named(name)
        assert (card.name if card is not None else None) == known


def test_autocast_keeps_copies_of_weights_and_norms_in_float32(config: TrainConfig) -> None:
    """With bfloat16, the products' weights exist twice, and the outputs of norms stay in float32."""
    full, half = (estimate(replace(config, precision=one), config.model, 1) for one in ("no", "bf16"))
    model = IGR(config.model)
    products = [m for m in model.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    copied = sum(p.numel() for module in products for p in module.parameters())
    assert half.copies == pytest.approx(2 * copied / 1e9, rel=0.02) and full.copies == 0
    assert 0.5 * full.activations < half.activations
    assert half.total == pytest.approx(
        half.weights + half.gradients + half.optimizer + half.average + half.copies + half.activations
    )


def test_products_are_in_bfloat16_and_norms_in_float32() -> None:
    kept: dict[int, object] = {}
    layer, norm = torch.nn.Linear(4, 4, device="meta"), torch.nn.LayerNorm(4, device="meta")
    with Autocast(kept) as rounding:
        found = [layer(torch.empty(2, 4, device="meta")) for _ in range(2)][0]
        assert found.dtype == torch.bfloat16 and norm(found).dtype == torch.float32
        assert (found @ found.T).dtype == torch.bfloat16
    assert rounding.bytes == 2 * (16 + 4)
