"""Other types of files are recognised by the tensor names that they actually have."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import nn

from igr_core.foreign import explain_foreign_keys
from igr_core.model.config import ImagePromptConfig, UNetConfig
from igr_core.model.image_prompt import ImagePrompt
from igr_core.model.networks import build_image_encoder, build_unet, build_vae
from tests.support.models.tiny import MODEL

LDM_VAE = (
    "encoder.conv_in.weight",
    "encoder.down.0.block.0.conv1.weight",
    "encoder.mid.attn_1.q.weight",
    "decoder.up.3.upsample.conv.weight",
    "decoder.conv_out.bias",
    "post_quant_conv.weight",
    "quant_conv.weight",
)
LDM_UNET = (
    "time_embed.0.weight",
    "input_blocks.0.0.weight",
    "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight",
    "middle_block.1.transformer_blocks.0.attn2.to_k.weight",
    "output_blocks.11.1.transformer_blocks.0.ff.net.0.proj.weight",
    "out.2.weight",
)
FLUX = (
    "img_in.weight",
    "double_blocks.0.img_attn.qkv.weight",
    "double_blocks.0.txt_mlp.2.weight",
    "single_blocks.37.linear1.weight",
    "final_layer.linear.weight",
)
SD15 = (
    *(f"model.diffusion_model.{key}" for key in LDM_UNET),
    *(f"first_stage_model.{key}" for key in LDM_VAE),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
    "betas",
    "alphas_cumprod",
    "model_ema.decay",
)
WRITTEN = {
    "SD1.5 in one file": (SD15, "a full Stable Diffusion checkpoint"),
    "LDM UNet": (LDM_UNET, "a plain diffusion UNet"),
    "LDM VAE": (LDM_VAE, "a VAE"),
    "LDM VAE with its prefix": (tuple(f"first_stage_model.{key}" for key in LDM_VAE), "a VAE"),
    "ControlNet of LDM": (
        ("control_model.zero_convs.0.0.weight", *(f"control_model.{key}" for key in LDM_UNET[:4])),
        "a ControlNet",
    ),
    "kohya LoRA": (
        (
            "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha",
            "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
            "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.alpha",
            "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_up.weight",
        ),
        "a LoRA",
    ),
    "PEFT LoRA of diffusers": (
        (
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight",
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_B.weight",
            "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight",
        ),
        "a LoRA",
    ),
    "older LoRA of diffusers": (
        (
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight",
            "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0.lora.up.weight",
            "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_linear_layer.down.weight",
        ),
        "a LoRA",
    ),
    "LoRA of FLUX": (
        ("transformer.transformer_blocks.0.attn.to_q.lora_A.weight", "lora_unet_double_blocks_0_img_mlp_0.alpha"),
        "a LoRA",
    ),
    "IP-Adapter FaceID": (
        ("image_proj.proj.0.weight", "ip_adapter.0.to_q_lora.down.weight", "ip_adapter.1.to_k_ip.weight"),
        "a plain IP-Adapter",
    ),
    "OpenCLIP vision": (
        ("visual.conv1.weight", "visual.class_embedding", "visual.transformer.resblocks.0.attn.in_proj_weight"),
        "a CLIP vision model",
    ),
    "CLIP text": (("text_model.encoder.layers.0.self_attn.q_proj.weight",), "a text encoder"),
    "T5": (("shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"), "a text encoder"),
    "FLUX": (FLUX, "a diffusion transformer"),
    "FLUX of ComfyUI": (tuple(f"model.diffusion_model.{key}" for key in FLUX), "a diffusion transformer"),
    "FLUX of diffusers": (
        (
            "x_embedder.weight",
            "transformer_blocks.0.attn.to_q.weight",
            "single_transformer_blocks.0.attn.to_q.weight",
            "proj_out.weight",
        ),
        "a diffusion transformer",
    ),
    "SD3": (
        ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "first_stage_model.encoder.conv_in.weight"),
        "a diffusion transformer",
    ),
    "SAM 2": (
        (
            "image_encoder.trunk.blocks.0.attn.qkv.weight",
            "memory_attention.layers.0.self_attn.q_proj.weight",
            "sam_mask_decoder.transformer.layers.0.self_attn.q_proj.weight",
            "sam_prompt_encoder.point_embeddings.0.weight",
        ),
        "a SAM segmentation model",
    ),
    "SAM 2 of transformers": (
        (
            "vision_encoder.backbone.blocks.0.attn.qkv.weight",
            "prompt_encoder.point_embed.weight",
            "mask_decoder.iou_token.weight",
        ),
        "a SAM segmentation model",
    ),
    "nothing known": (("weight", "bias"), "no IGR entry"),
}
"""Tensor names of the published files, and the expected type."""


@pytest.mark.parametrize("name", WRITTEN)
def test_published_files(name: str) -> None:
    keys, kind = WRITTEN[name]
    assert kind in explain_foreign_keys(keys)
    assert kind in explain_foreign_keys(reversed(keys))


def control_net() -> nn.Module:
    return ControlNetModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
    )


CLASSES = {
    "UNet": (lambda: build_unet(MODEL.denoiser), "a plain diffusion UNet"),
    "SD1.5's UNet": (lambda: build_unet(UNetConfig()), "a plain diffusion UNet"),
    "VAE": (lambda: build_vae(MODEL.vae), "a VAE"),
    "CLIP vision": (lambda: build_image_encoder(MODEL.image_encoder), "a CLIP vision model"),
    "ControlNet": (control_net, "a ControlNet"),
    "IP-Adapter": (lambda: ImagePrompt(ImagePromptConfig(), UNetConfig()), "a plain IP-Adapter"),
    "IP-Adapter plus": (
        lambda: ImagePrompt(dataclasses.replace(ImagePromptConfig(), layout="resampler"), UNetConfig()),
        "a plain IP-Adapter",
    ),
}
"""The libraries' own classes, whose names a saved file has."""


@pytest.mark.parametrize("name", CLASSES)
def test_files_of_the_libraries_classes(name: str) -> None:
    build, kind = CLASSES[name]
    with torch.device("meta"):
        module = build()
    assert kind in explain_foreign_keys(module.state_dict())
