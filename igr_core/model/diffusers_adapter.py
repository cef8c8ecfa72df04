"""GarmFus for a diffusers UNet: attention processors that call `garmfus`, and the capture of reference features."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from shutil import which

import torch
from diffusers.models.attention import FeedForward
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from .garmfus import (
    Attend,
    Fusion,
    Noted,
    Position,
    RowPlan,
    attend,
    image_prompt_attention,
    reference_self_attention,
)

_SHAPES = 128
"""Maximum number of input shapes for which a type of layer is compiled; shapes depend on the width, level, batch size
and image size. With torch's default limit of 8, layers would silently run uncompiled for further shapes."""


def _self_attention(attn: Attention, hidden: Tensor, position: Tensor | None, attend: Attend) -> Tensor:
    located = hidden if position is None else hidden + position
    return attend(attn.to_q(located), attn.to_k(located), attn.to_v(hidden), attn.heads, None)


def _text_attention(attn: Attention, query: Tensor, text: Tensor | None, attend: Attend) -> Tensor:
    assert attn.to_k is not None and attn.to_v is not None and text is not None
    return attend(query, attn.to_k(text), attn.to_v(text), attn.heads, None)


def _out(attn: Attention, hidden: Tensor) -> Tensor:
    return attn.to_out[1](attn.to_out[0](hidden))  # type: ignore[index]


class CaptureProcessor:
    """GarmNet's self-attention, which captures its input hidden states and then attends as usual."""

    def __init__(self, name: str, last: bool, attend: Attend = attend) -> None:
        self.name = name
        self.last = last
        self.attend = attend

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        capture: dict[str, Tensor] | None = None,
        position: Position | None = None,
    ) -> Tensor:
        if capture is not None:
            capture[self.name] = hidden_states
            if self.last:  # nothing after this layer is used
                return torch.zeros_like(hidden_states)
        located = position(hidden_states) if position else None
        return _out(attn, _self_attention(attn, hidden_states, located, self.attend))


class ReferenceProcessor:
    """Reference self-attention of the denoiser (Eq. 4)."""

    def __init__(self, name: str, attend: Attend = attend) -> None:
        self.name = name
        self.attend = attend

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        fusion: Fusion | None = None,
    ) -> Tensor:
        def plain(rows: Tensor) -> Tensor:
            return _self_attention(attn, rows, None, self.attend)

        if fusion is None or not fusion.has_reference:
            return _out(attn, plain(hidden_states))
        return _out(
            attn,
            fusion.reference_plan.by_rows(plain, lambda rows: self._fused(attn, rows, fusion), hidden_states),
        )

    def _fused(self, attn: Attention, hidden: Tensor, fusion: Fusion) -> Tensor:
        located = hidden + fusion.position(hidden) if fusion.position else hidden
        key, value = self._reference(attn, fusion)
        kept = fusion.kept.get(self.name)
        counts = None if kept is None else kept.counts

        def look(part: RowPlan, numbers: list[int], query: Tensor, own_key: Tensor, own_value: Tensor) -> Tensor:
            reference_key = part.pick(key, counts)
            if fusion.notes is not None and self.name in fusion.notes:
                noted = Noted(numbers, query, reference_key, own_key, attn.heads)
                fusion.notes[self.name].append(noted.located(kept, part))
            return reference_self_attention(
                query,
                own_key,
                own_value,
                reference_key,
                part.pick(value, counts),
                attn.heads,
                fusion.reference_strength,
                self.attend,
            )

        own = attn.to_q(located), attn.to_k(located), attn.to_v(hidden)
        return fusion.reference_plan.by_count(look, *own, counts=counts)

    def _reference(self, attn: Attention, fusion: Fusion) -> tuple[Tensor, Tensor]:
        if fusion.cache is not None and self.name in fusion.cache:
            return fusion.cache[self.name]
        assert fusion.features is not None
        features = fusion.features[self.name]
        located = features + fusion.position(features, fusion.kept.get(self.name)) if fusion.position else features
        pair = attn.to_k(located), attn.to_v(features)
        if fusion.cache is not None:
            fusion.cache[self.name] = pair
        return pair


class ImagePromptProcessor:
    """Cross-attention to the text plus cross-attention to the image prompt (Eq. 3)."""

    def __init__(self, name: str, attend: Attend = attend) -> None:
        self.name = name
        self.attend = attend

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        fusion: Fusion | None = None,
    ) -> Tensor:
        query = attn.to_q(hidden_states)
        out = _text_attention(attn, query, encoder_hidden_states, self.attend)
        if fusion is not None and fusion.has_image_prompt:
            out = out + fusion.image_plan.by_rows(torch.zeros_like, lambda rows: self._term(attn, rows, fusion), query)
        return _out(attn, out)

    def _term(self, attn: Attention, query: Tensor, fusion: Fusion) -> Tensor:
        assert fusion.image_keys_values is not None
        key, value = (fusion.image_plan.pick(x) for x in fusion.image_keys_values[self.name])
        return image_prompt_attention(query, key, value, attn.heads, fusion.image_prompt_strength, self.attend)


class TextProcessor:
    """Plain cross-attention that accepts the arguments for capturing and ignores them."""

    def __init__(self, attend: Attend = attend) -> None:
        self.attend = attend

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        capture: dict[str, Tensor] | None = None,
        position: Position | None = None,
    ) -> Tensor:
        return _out(attn, _text_attention(attn, attn.to_q(hidden_states), encoder_hidden_states, self.attend))


def missing_for_compiling(on_gpu: bool) -> str | None:
    """The program or package that torch.compile needs but cannot find on this machine; None if nothing is missing."""
    if not on_gpu:
        compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")  # as inductor chooses
        return None if which(compiler) else compiler
    if find_spec("triton") is None:
        return "triton"
    names = [os.environ["CC"]] if os.environ.get("CC") else ["gcc", "clang", "cl"]
    return None if any(map(which, names)) else names[0]


def compile_layers(model: nn.Module, on_gpu: bool) -> None:
    """Compile the feed-forward layers and, on GPUs, the residual blocks of a model, in place, for every shape they see.

    These layers do not depend on row plans or references. On CPUs, compiled residual blocks are slower than torch's.
    """
    import torch._dynamo.config as config  # takes seconds to import

    config.cache_size_limit = max(config.cache_size_limit, _SHAPES)
    for module in model.modules():
        if isinstance(module, (FeedForward, ResnetBlock2D) if on_gpu else FeedForward):
            module.compile(dynamic=False)


def block_name(processor_name: str) -> str:
    """`down_blocks.0.attentions.1.transformer_blocks.0.attn1.processor` -> `down_blocks.0.attentions.1`."""
    return processor_name.split(".transformer_blocks.")[0]


def self_attention_order(unet: UNet2DConditionModel) -> list[str]:
    """Block names in the order of a forward pass: down, middle, up."""
    names = [block_name(name) for name in unet.attn_processors if ".attn1." in name]
    order = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
    return sorted(names, key=lambda name: order[name.split(".")[0]])


def install_fusion(denoiser: UNet2DConditionModel, attend: Attend = attend) -> None:
    """Install GarmFus processors in a denoiser; without a `fusion` argument it behaves like the plain model."""
    denoiser.set_attn_processor(
        {
            name: (ReferenceProcessor if ".attn1." in name else ImagePromptProcessor)(block_name(name), attend)
            for name in denoiser.attn_processors
        }  # type: ignore[arg-type]
    )


def install_capture(garmnet: UNet2DConditionModel, attend: Attend = attend) -> None:
    """Install capturing processors in a GarmNet; without a `capture` argument it behaves like the plain model."""
    last = self_attention_order(garmnet)[-1]
    garmnet.set_attn_processor(
        {
            name: CaptureProcessor(block_name(name), block_name(name) == last, attend)
            if ".attn1." in name
            else TextProcessor(attend)
            for name in garmnet.attn_processors
        }  # type: ignore[arg-type]
    )


def unused_parameters(garmnet: UNet2DConditionModel) -> list[str]:
    """Names of GarmNet's parameters that come after its last captured self-attention in a forward pass."""
    last = self_attention_order(garmnet)[-1]  # up_blocks.B.attentions.L
    block, layer = int(last.split(".")[1]), int(last.split(".")[3])
    within = tuple(f"{last}.transformer_blocks.0.{part}." for part in ("attn1", "norm2", "attn2", "norm3", "ff"))
    behind = (*within, f"{last}.proj_out.", f"up_blocks.{block}.upsamplers.", "conv_norm_out.", "conv_out.")

    def is_behind(name: str) -> bool:
        if name.startswith(behind):
            return True
        if not name.startswith("up_blocks."):
            return False
        _, number, kind, index, *_ = name.split(".")
        return int(number) > block or (int(number) == block and kind == "resnets" and int(index) > layer)

    return [name for name, _ in garmnet.named_parameters() if is_behind(name)]
