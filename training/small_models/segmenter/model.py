"""The small SAM 2: its architecture, its features with gradients, and its folder on disk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2ImageProcessor,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2Processor,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)

from igr_core.errors import IGRError
from igr_core.model.config import Side
from igr_core.ranges import Length, Ranged

from ..model_folder import save_model_folder
from ..shapes import MOST_BLOCKS, STAGES, BlockNumber, Blocks, StageHeads, StageWidth, Window, check_heads

STRIDE = 16
"""Pixels of the photo per cell of the mask decoder's coarsest features."""
SUMMARY = "segmenter.json"
"""Name of a trained segmenter's summary, next to its weights."""


@dataclass(frozen=True)
class SegmenterShape(Ranged):
    """Sizes of a small SAM 2: four stages of a Hiera backbone, and a decoder with a single width."""

    image_size: Side = 192
    """Side in pixels of the square that photos are resized to; masks are predicted at a quarter of it."""
    widths: Annotated[tuple[StageWidth, ...], STAGES] = (32, 64, 128, 192)
    """Channels of each stage, all different; each stage after the first halves the side."""
    blocks: Annotated[tuple[Blocks, ...], STAGES] = (1, 2, 4, 1)
    """Blocks of each stage."""
    heads: Annotated[tuple[StageHeads, ...], STAGES] = (1, 2, 4, 6)
    """Attention heads of each stage."""
    windows: Annotated[tuple[Window, ...], STAGES] = (8, 4, 6, 6)
    """Side of each stage's attention windows, in cells."""
    global_blocks: Annotated[tuple[BlockNumber, ...], Length(0, 4 * MOST_BLOCKS)] = (4, 6)
    """Blocks, counted over all stages, that attend to the whole image."""
    decoder_width: StageWidth = 64
    """Channels of prompts, features and mask decoder; a multiple of 8."""
    decoder_heads: StageHeads = 4
    """Attention heads of the mask decoder."""
    decoder_mlp: StageWidth = 128
    """Hidden width of the mask decoder's MLPs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size % (2 * STRIDE):
            raise IGRError(f"image_size is {self.image_size}: it must be a multiple of {2 * STRIDE}.")
        firsts = set(accumulate(self.blocks[:-1]))  # transformers cannot pool in a block without windows
        if wrong := firsts & set(self.global_blocks):
            raise IGRError(f"global_blocks has {min(wrong)}, the first block of a stage: choose a later one.")
        if self.decoder_width % 8:
            raise IGRError(f"decoder_width is {self.decoder_width}: it must be a multiple of 8.")
        check_heads((*self.widths, self.decoder_width), (*self.heads, self.decoder_heads), "The segmenter's widths")


def build_segmenter(shape: SegmenterShape) -> Sam2Model:
    """A SAM 2 of this shape with random weights."""
    cells, width = shape.image_size // STRIDE, shape.decoder_width
    backbone = Sam2HieraDetConfig(
        hidden_size=shape.widths[0],
        num_attention_heads=shape.heads[0],
        image_size=[shape.image_size] * 2,
        blocks_per_stage=list(shape.blocks),
        embed_dim_per_stage=list(shape.widths),
        num_attention_heads_per_stage=list(shape.heads),
        window_size_per_stage=list(shape.windows),
        global_attention_blocks=list(shape.global_blocks),
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=list(reversed(shape.widths)),
        backbone_feature_sizes=[[cells * 4] * 2, [cells * 2] * 2, [cells] * 2],
        fpn_hidden_size=width,
    )
    prompts = Sam2PromptEncoderConfig(hidden_size=width, image_size=shape.image_size, patch_size=STRIDE)
    decoder = Sam2MaskDecoderConfig(
        hidden_size=width,
        mlp_dim=shape.decoder_mlp,
        num_attention_heads=shape.decoder_heads,
        iou_head_hidden_dim=width,
    )
    model = Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))
    # SAM 2 encodes image positions and click positions with the same matrix, but transformers draws two.
    own = model.prompt_encoder.shared_embedding.positional_embedding
    own.copy_(model.shared_image_embedding.positional_embedding)
    return model


class Learner(nn.Module):
    """A segmenter in training, with a head that classifies each cell and is discarded after training.

    From only a few regions per photo, a network of this size would need thousands of steps to learn to distinguish a
    shirt from trousers; the head's loss covers every cell of every photo.
    """

    def __init__(self, shape: SegmenterShape, labels: int) -> None:
        super().__init__()
        self.segmenter = build_segmenter(shape)
        """The segmenter, which is kept."""
        width = shape.decoder_width
        channels = width // 8 + width // 4 + width  # channels of the three maps from embed
        self.head = nn.Sequential(nn.Conv2d(channels, width, 1), nn.GELU(), nn.Conv2d(width, labels, 1))
        """The head, which is discarded."""

    def name_cells(self, features: list[Tensor]) -> Tensor:
        """Label logits (B, labels, g, g) for each cell of the finest map, from the feature maps of `embed`."""
        side = tuple(features[0].shape[-2:])
        return self.head(torch.cat([F.interpolate(one, side, mode="bilinear") for one in features], 1))


def build_processor(size: int) -> Sam2Processor:
    """Processor that resizes photos and prompts to a square of `size` pixels."""
    masks = {"height": size // 4, "width": size // 4}
    return Sam2Processor(Sam2ImageProcessor(size={"height": size, "width": size}, mask_size=masks))


def embed(model: Sam2Model, pixels: Tensor) -> list[Tensor]:
    """Feature maps of normalised pixels (B, 3, S, S), finest first, as get_image_embeddings but with gradients."""
    maps = model.get_image_features(pixels, return_dict=True).fpn_hidden_states  # each (h w, B, C)
    maps = [*maps[:-1], maps[-1] + model.no_memory_embedding]
    sizes = model.backbone_feature_sizes
    return [one.permute(1, 2, 0).unflatten(2, tuple(size)) for one, size in zip(maps, sizes, strict=True)]


def save_segmenter(folder: Path, model: Sam2Model, summary: dict[str, Any]) -> None:
    """Write a folder for Sam2Model and Sam2Processor: weights in half precision, configs, and the summary."""
    save_model_folder(folder, model, build_processor(model.prompt_encoder.input_image_size), SUMMARY, summary)
