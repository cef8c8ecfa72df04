"""Estimate the memory and work of a training run without running it: `python -m training estimate CONFIG`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from igr_core.model.config import ModelConfig
from igr_core.model.igr import IGR

from ...base.parts import parameter_count
from ...base.train_config import TrainConfig
from .cards import CARDS
from .lora import add_lora

STATE_BYTES = {"adamw": 8.0, "muon": 8.0, "adamw8bit": 2.0, "adafactor": 0.1}
"""Bytes of optimiser state for each trained weight."""

ROOM = 1.1
"""Memory that buffers and fragmentation take beside what is counted."""
COMPILED = 1.2
"""How much faster compiled layers and channels_last are assumed to be."""


@dataclass(frozen=True)
class Estimate:
    """Gigabytes (1e9) for one process, and the work of one step."""

    weights: float
    """Networks in float32."""
    gradients: float
    """Of the trained weights, in float32; under ZeRO-2 this process's share."""
    optimizer: float
    """State of the optimiser; under ZeRO-2 this process's share."""
    average: float
    """Exponential moving average."""
    activations: float
    """What the forward pass of one micro-batch keeps for the backward pass."""
    teraflops: float
    """Of one micro-batch, forward and backward."""
    trained: int
    """Trained weights."""

    @property
    def total(self) -> float:
        """Sum of the gigabytes; the frozen networks of pixel training, buffers and fragmentation come on top."""
        return self.weights + self.gradients + self.optimizer + self.average + self.activations


def estimate(config: TrainConfig, model: ModelConfig, processes: int) -> Estimate:
    """Count weights and activations of a run on `processes` cards, without a byte of memory for either."""
    with torch.device("meta"):
        nets = IGR(model)
        if config.lora is not None:
            add_lora(nets, config.lora)
    trained = parameter_count(p for p in nets.parameters() if p.requires_grad)
    share = processes if config.sharding == "zero2" else 1
    activations, flops = _count_step(nets, config)
    return Estimate(
        weights=parameter_count(nets.parameters()) * 4 / 1e9,
        gradients=trained * 4 / share / 1e9,
        optimizer=trained * STATE_BYTES[config.optimizer.name] / share / 1e9,
        average=trained * 4 / 1e9 if config.ema_decay > 0 else 0.0,
        activations=activations / 1e9,
        teraflops=flops / 1e12,
        trained=trained,
    )


def _count_step(nets: IGR, config: TrainConfig) -> tuple[int, float]:
    """Bytes kept by the forward pass of a micro-batch, and its operations, the backward pass counted as twice that."""
    nets.use_attention(_attend)
    nets.train().to(torch.float32 if config.precision == "no" else torch.bfloat16)
    for net in (nets.denoiser, nets.garmnet):
        if net is not None and config.gradient_checkpointing is True:
            net.enable_gradient_checkpointing()
    kept: dict[int, Any] = {p.untyped_storage()._cdata: p for p in nets.parameters()}
    size = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal size
        storage = tensor.untyped_storage()
        if storage._cdata not in kept:
            kept[storage._cdata] = storage
            size += storage.nbytes()
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        FlopCounterMode(display=False) as counter,
    ):
        _forward(nets, config)
    passes = 4 if config.gradient_checkpointing is True else 3  # checkpointing runs the forward pass once more
    return size, counter.get_total_flops() * passes


def _forward(nets: IGR, config: TrainConfig) -> Tensor:
    model, pairs, draws = nets.config, config.data.pairs_per_batch, config.data.draws_per_pair
    width, height = (side // model.vae.downscale for side in model.native_size)
    dtype = next(nets.parameters()).dtype

    def empty(*shape: int) -> Tensor:
        return torch.empty(shape, device="meta", dtype=dtype)

    image = None
    if model.image_prompt is not None:
        linear = model.image_prompt.layout == "linear"
        tokens = () if linear else (model.image_encoder.token_count,)
        image = empty(pairs, *tokens, model.image_prompt.embedding_dim)
    rows = [pair for pair in range(pairs) for _ in range(draws)]
    return nets(
        empty(len(rows), 4, height, width),
        torch.empty(len(rows), device="meta", dtype=torch.long),
        ["upper"] * len(rows),
        empty(pairs, 4, height, width),
        empty(pairs, 1, height, width),
        ["upper"] * pairs,
        image,
        rows,
        rows,
    )


class _Attention(torch.autograd.Function):
    """Attention as CUDA's kernels keep it: queries, keys, values and output, never the matrix of weights."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = torch.softmax(query @ key.transpose(-1, -2), -1) @ value
        ctx.save_for_backward(query, key, value, out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        """Never run: only the forward pass is counted."""
        raise NotImplementedError


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    query, key, value = (rearrange(x, "b n (h d) -> b h n d", h=heads) for x in (query, key, value))
    return rearrange(_Attention.apply(query, key, value), "b h n d -> b n (h d)")  # type: ignore[arg-type]


def hours_table(found: Estimate, config: TrainConfig, processes: int) -> str:
    """Hours and dollars of the whole run by kind of card, as a Markdown table: estimated, nothing was measured."""
    lines = [
        f"| estimated: {config.steps:,} steps on {processes} | memory | hours | hours, compiled | cost, USD |",
        "|---|---:|---:|---:|---:|",
    ]
    for card in CARDS:
        seconds = found.teraflops * config.accumulation / (card.peak * card.efficiency)
        hours = seconds * config.steps / 3600
        needed = found.total * ROOM
        if needed > card.memory:
            lines.append(f"| {card.name} | {needed:.0f} of {card.memory:.0f} GB | – | – | – |")
            continue
        cost = hours * processes * card.price
        lines.append(f"| {card.name} | fits | {hours:.0f} | {hours / COMPILED:.0f} | {cost:.0f} |")
    return "\n".join(lines)
