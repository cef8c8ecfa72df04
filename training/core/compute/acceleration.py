"""Choose how to compute a step on this machine: precision, attention, memory layout, compilation and checkpointing.

Every choice computes the same function; only rounding and speed differ (`python -m training bench`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from igr_core.device import is_fast_in_bfloat16
from igr_core.errors import IGRError
from igr_core.model.diffusers_adapter import compile_layers, missing_for_compiling
from igr_core.model.garmfus import attend
from igr_core.model.igr import IGR

from ...base.optimisation.optimizers import MuonAdamW
from ...base.train_config import TrainConfig
from .float32_layers import use_float32_layers

ROOMY_CARD = 120e9
"""GPUs with at least this many bytes of memory need no checkpointing at the paper's scale."""


@dataclass(frozen=True)
class Acceleration:
    """The chosen settings."""

    precision: Literal["no", "bf16"]
    """Mixed precision; the weights stay in float32."""
    attention: Literal["sdpa", "matmul"]
    """torch's fused attention, or two plain matrix products."""
    memory_format: Literal["contiguous", "channels_last"]
    """Layout of kernels and feature maps."""
    float32_layers: bool
    """Layer norm and GELU in float32 under mixed precision."""
    compile: bool
    """Compile the layers that do not use row plans."""
    checkpointing: Literal["off", "selective", "all"]
    """Activations that the backward pass recomputes: none; all except those of matrix products, convolutions and
    attention; or all of each block."""
    muon: Literal["no", "bf16"] = "no"
    """Precision of Muon's orthogonalisation."""

    def describe(self) -> str:
        """The choices in one line."""
        precision = "bfloat16" if self.precision == "bf16" else "float32"
        layers = ", layer norm and GELU in float32" if self.float32_layers else ""
        compiled = ", compiled feed-forward layers" if self.compile else ""
        again = {"off": "", "selective": ", selective checkpointing", "all": ", checkpointing"}[self.checkpointing]
        layout = self.memory_format.replace("_", " ")
        return f"{precision}{layers}, {self.attention} attention, {layout}{compiled}{again}"


def choose_acceleration(config: TrainConfig, device: torch.device, sharded: bool = False) -> Acceleration:
    """The config's settings, with `auto` resolved to the fastest on this device; `sharded` means with ZeRO-2.

    Raises IGRError for bf16 on a GPU without support for it, `compile` without a C++ compiler, or channels_last with
    ZeRO-2.
    """
    cuda = device.type == "cuda"
    fast = is_fast_in_bfloat16(device)
    precision = config.precision if config.precision != "auto" else ("bf16" if fast else "no")
    if precision == "bf16" and cuda and not fast:
        raise IGRError("precision is bf16, but this GPU does not support bfloat16: set it to auto or no.")
    slow_kernel = precision == "bf16" and not cuda  # on CPUs, torch's fused kernel is twice as slow in bfloat16
    attention = config.attention if config.attention != "auto" else ("matmul" if slow_kernel else "sdpa")
    layout = config.memory_format
    if layout == "auto":
        layout = "contiguous" if slow_kernel or sharded else "channels_last"
    if layout == "channels_last" and sharded:
        raise IGRError(
            "memory_format is channels_last, but ZeRO-2 needs contiguous weights: set it to auto or contiguous."
        )
    if config.compile and (missing := missing_for_compiling(cuda)):
        raise IGRError(f"compile needs {missing}, which was not found: install it, or set compile to false.")
    muon: Literal["no", "bf16"] = "bf16" if precision == "bf16" and fast else "no"
    return Acceleration(precision, attention, layout, slow_kernel, config.compile, _checkpointing(config, device), muon)


def accelerate(model: IGR, chosen: Acceleration) -> None:
    """Change how a model computes, in place; the names and values of its weights do not change."""
    model.use_attention(attend if chosen.attention == "sdpa" else matmul_attention)
    if chosen.float32_layers:
        use_float32_layers(model)
    if chosen.memory_format == "channels_last":
        nn.Module.to(model, memory_format=torch.channels_last)
    if chosen.checkpointing != "off":
        for net in (model.denoiser, model.garmnet):
            if net is not None:
                net.enable_gradient_checkpointing(_selectively if chosen.checkpointing == "selective" else None)
    if chosen.compile:
        compile_layers(model, torch.cuda.is_available())


def accelerate_optimizer(optimizer: torch.optim.Optimizer, chosen: Acceleration) -> None:
    """Set the precision of Muon's orthogonalisation; weights and momenta stay in float32."""
    if isinstance(optimizer, MuonAdamW):
        optimizer.orthogonalise_in(torch.bfloat16 if chosen.muon == "bf16" else torch.float32)


def matmul_attention(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Multi-head attention (B, N, C) as two matrix products, in autocast's precision if enabled, else the query's."""
    kind = query.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype
    query, key, value = (rearrange(x, "b n (h d) -> b h n d", h=heads).to(dtype) for x in (query, key, value))
    with torch.autocast(kind, enabled=False):
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)  # (B, h, N, M)
        if mask is not None:
            logits = logits + mask.to(dtype)
        out = logits.softmax(-1) @ value
    return rearrange(out, "b h n d -> b n (h d)")


@contextmanager
def uncompiled() -> Iterator[None]:
    """Context in which compiled layers run eagerly, for batch sizes that differ from those in training."""
    with torch.compiler.set_stance("force_eager"):
        yield


def changed(before: Mapping[str, Any], now: Acceleration) -> list[str]:
    """Descriptions of settings that differ from those in a checkpoint; fields that the checkpoint lacks are ignored."""
    values = asdict(now)
    before = {"muon": "no", **before}  # before this setting existed, Muon always used float32
    return [f"{name} {before[name]} -> {value}" for name, value in values.items() if before.get(name, value) != value]


def _checkpointing(config: TrainConfig, device: torch.device) -> Literal["off", "selective", "all"]:
    if config.gradient_checkpointing == "selective":
        return "selective"
    if config.gradient_checkpointing != "auto":
        return "all" if config.gradient_checkpointing else "off"
    if device.type != "cuda" or torch.cuda.get_device_properties(device).total_memory >= ROOMY_CARD:
        return "off"
    return "selective"


def _selectively(module: nn.Module, *arguments: Any) -> Any:
    """Checkpoint a block, but keep activations that are expensive to recompute."""
    contexts = partial(create_selective_checkpoint_contexts, _policy)
    return checkpoint(module.__call__, *arguments, use_reentrant=False, context_fn=contexts)


_KEPT = {
    torch.ops.aten.mm.default,
    torch.ops.aten.bmm.default,
    torch.ops.aten.addmm.default,
    torch.ops.aten.convolution.default,
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
    torch.ops.aten._scaled_dot_product_cudnn_attention.default,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
}


def _policy(context: Any, operation: Any, *_: Any, **__: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if operation in _KEPT else CheckpointPolicy.PREFER_RECOMPUTE
