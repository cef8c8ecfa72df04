"""Estimate a training run's memory and operations without running it: `python -m training estimate CONFIG`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from igr_core.model.config import ModelConfig
from igr_core.model.igr import IGR

from ...base.parts import parameter_count
from ...base.train_config import TrainConfig
from .cards import CARDS
from .lora import add_lora

STATE_BYTES = {"adamw": 8.0, "muon": 8.0, "adamw8bit": 2.0, "adafactor": 0.1}
"""Bytes of optimiser state per trained weight."""

ROOM = 1.1
"""Factor for buffers and fragmentation."""
COMPILED = 1.2
"""Assumed speed-up from compiled layers and channels_last."""


@dataclass(frozen=True)
class Estimate:
    """Memory of one process in gigabytes (1e9), and the operations of one micro-batch."""

    weights: float
    """Networks in float32."""
    gradients: float
    """Gradients of the trainable weights, in float32; with ZeRO-2, only this process's part."""
    optimizer: float
    """State of the optimiser; with ZeRO-2, only this process's part."""
    average: float
    """Exponential moving average."""
    copies: float
    """Copies of the weights in bfloat16 that autocast keeps during a micro-batch."""
    activations: float
    """Activations that a micro-batch keeps for the backward pass."""
    teraflops: float
    """TFLOP of a micro-batch, forward and backward."""
    trained: int
    """Number of trainable weights."""

    @property
    def total(self) -> float:
        """Sum in gigabytes, without buffers, fragmentation and the frozen networks that encode images in training."""
        return self.weights + self.gradients + self.optimizer + self.average + self.copies + self.activations


def estimate(config: TrainConfig, model: ModelConfig, processes: int) -> Estimate:
    """Count weights and activations of a run on `processes` GPUs, without allocating memory for either."""
    with torch.device("meta"):
        nets = IGR(model)
        if config.lora is not None:
            add_lora(nets, config.lora)
    trained = parameter_count(p for p in nets.parameters() if p.requires_grad)
    share = processes if config.sharding == "zero2" else 1
    activations, copies, flops = _count_step(nets, config)
    return Estimate(
        weights=parameter_count(nets.parameters()) * 4 / 1e9,
        gradients=trained * 4 / share / 1e9,
        optimizer=trained * STATE_BYTES[config.optimizer.name] / share / 1e9,
        average=trained * 4 / 1e9 if config.ema_decay > 0 else 0.0,
        copies=copies / 1e9,
        activations=activations / 1e9,
        teraflops=flops / 1e12,
        trained=trained,
    )


def _count_step(nets: IGR, config: TrainConfig) -> tuple[int, int, float]:
    """Bytes of activations that a micro-batch keeps, bytes of bfloat16 copies of the weights, and the number of
    operations.

    The operations include the backward pass, counted as twice the forward pass.
    """
    nets.use_attention(_attend)
    nets.train()
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

    rounding = Autocast(kept)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        FlopCounterMode(display=False) as counter,
        nullcontext() if config.precision == "no" else rounding,
    ):
        _forward(nets, config)
    passes = 4 if config.gradient_checkpointing is True else 3  # checkpointing runs the forward pass a second time
    return size, rounding.bytes, counter.get_total_flops() * passes


class Autocast(TorchFunctionMode):
    """Like CUDA's autocast to bfloat16, but for meta tensors, which torch's autocast ignores.

    Matrix products and convolutions are computed in bfloat16, norms return float32, and each weight is cast once.
    """

    def __init__(self, kept: dict[int, Any]) -> None:
        """`kept` contains the storages already counted, by address; the copies of weights are added there."""
        super().__init__()
        self.bytes = 0
        """Bytes of the copies of weights."""
        self._kept = kept
        self._copies: dict[int, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Cast the function's arguments."""
        kwargs = kwargs or {}
        dtype = torch.bfloat16 if func in _IN_BFLOAT16 else torch.float32 if func in _IN_FLOAT32 else None
        if dtype is not None:
            args = tuple(self._cast(one, dtype) for one in args)
            kwargs = {name: self._cast(one, dtype) for name, one in kwargs.items()}
        return func(*args, **kwargs)

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.dtype == dtype:
            return value
        if not isinstance(value, nn.Parameter):
            return value.to(dtype)
        if id(value) not in self._copies:
            copy = self._copies[id(value)] = value.to(dtype)
            self._kept[copy.untyped_storage()._cdata] = copy
            self.bytes += copy.untyped_storage().nbytes()
        return self._copies[id(value)]


_IN_BFLOAT16 = frozenset({F.linear, F.conv2d, torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, torch.baddbmm})
_IN_FLOAT32 = frozenset({F.group_norm, F.layer_norm})


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
    """Attention that keeps the same tensors as CUDA's kernels: query, key, value and output, but no attention map."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = torch.softmax(query @ key.transpose(-1, -2), -1) @ value
        ctx.save_for_backward(query, key, value, out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        """Not called, because only the forward pass is counted."""
        raise NotImplementedError


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    query, key, value = (rearrange(x, "b n (h d) -> b h n d", h=heads) for x in (query, key, value))
    return rearrange(_Attention.apply(query, key, value), "b h n d -> b n (h d)")  # type: ignore[arg-type]


def hours_table(found: Estimate, config: TrainConfig, processes: int) -> str:
    """Estimated hours and dollars for the whole run on each GPU, as a Markdown table."""
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
