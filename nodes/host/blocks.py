"""ComfyUI's names for the transformer blocks of a UNet."""

from __future__ import annotations

from typing import Any

import comfy.utils

from ...igr_core.model.config import ModelConfig, UNetConfig
from ...igr_core.model.garmfus import Position
from ...igr_core.model.image_prompt import cross_attention_widths
from .networks import host_unet_config

Block = tuple[str, int, int]
"""A transformer block: part of the UNet (input, middle or output), index in that part, and index in the stack."""


def transformer_blocks(unet: UNetConfig) -> dict[str, Block]:
    """ComfyUI's name for every transformer block, by diffusers name."""
    host_names = comfy.utils.unet_to_diffusers(host_unet_config(unet))
    blocks: dict[str, Block] = {}
    for name in cross_attention_widths(unet):
        words = host_names[f"{name}.transformer_blocks.0.norm1.weight"].split(".")
        part = words[0].removesuffix("_blocks").removesuffix("_block")
        blocks[name] = (part, 0 if part == "middle" else int(words[1]), 0)
    return blocks


def last_block(blocks: dict[Block, str]) -> Block:
    """The last block of a forward pass."""
    order = ("input", "middle", "output")
    return max(blocks, key=lambda block: (order.index(block[0]), block[1]))


def self_attention_layer(unet: Any, block: Block) -> Any:
    """The attn1 layer of a block in ComfyUI's UNet."""
    part, number, index = block
    stack = unet.middle_block if part == "middle" else getattr(unet, f"{part}_blocks")[number]
    return stack[1].transformer_blocks[index].attn1


def reference_position(config: ModelConfig, latent_shape: tuple[int, int]) -> Position | None:
    """The position embedding for a latent (height, width); None if the bundle has none, as in the paper."""
    if config.reference_position == "none":
        return None
    return Position(latent_shape, config.reference_position_amplitude)
