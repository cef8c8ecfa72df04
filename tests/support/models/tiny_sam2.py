"""The smallest real SAM 2: transformers' classes with a tiny config and random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)

SIDE = 128
VISION = Sam2VisionConfig(
    backbone_config=Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIDE, SIDE],
        window_positional_embedding_background_size=[2, 2],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        window_size_per_stage=[4, 4, 2, 2],
        global_attention_blocks=[3],
    ),
    backbone_channel_list=[64, 32, 16, 8],
    backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    fpn_hidden_size=32,
)
PROMPTS = Sam2PromptEncoderConfig(hidden_size=32, image_size=SIDE)
DECODER = Sam2MaskDecoderConfig(
    hidden_size=32, mlp_dim=32, num_hidden_layers=1, num_attention_heads=2, iou_head_hidden_dim=16
)


def build_sam2() -> Sam2Model:
    """A SAM 2 with random weights, the same at each call and large enough that prompts make a difference."""
    torch.manual_seed(0)
    model = Sam2Model(Sam2Config(vision_config=VISION, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER))
    with torch.no_grad():
        for weight in model.mask_decoder.parameters():
            if weight.ndim > 1:
                weight.mul_(4)
        for weight in model.prompt_encoder.mask_embed.parameters():
            weight.add_(torch.randn_like(weight) / 2)  # biases too: without them, logits would not depend on the size
        twin = model.shared_image_embedding.positional_embedding  # one matrix in every published file
        model.prompt_encoder.shared_embedding.positional_embedding.copy_(twin)
    return model.eval()


def save_sam2(folder: Path, sees_nothing: bool = False) -> Path:
    """Write the model as a folder in transformers' layout; `sees_nothing` makes every mask empty."""
    model = build_sam2()
    if sees_nothing:
        with torch.no_grad():
            for head in model.mask_decoder.output_hypernetworks_mlps:
                for weight in head.proj_out.parameters():
                    weight.zero_()
    model.save_pretrained(folder)
    return folder
