"""The smallest real bundle: the project's classes with a tiny config and random weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from igr_core.model.bundle import BundleInfo, save_bundle
from igr_core.model.config import (
    PROMPT_NAMES,
    ImageEncoderConfig,
    ImagePromptConfig,
    ModelConfig,
    UNetConfig,
    VAEConfig,
)

UNET = UNetConfig(block_out_channels=(32, 64), attention_levels=(True, True), attention_heads=2, cross_attention_dim=32)
MODEL = ModelConfig(
    denoiser=UNET,
    garmnet=dataclasses.replace(UNET, in_channels=5),
    image_prompt=ImagePromptConfig(tokens=2, embedding_dim=16),
    vae=VAEConfig(block_out_channels=(32, 32, 32, 32), layers_per_block=1),
    image_encoder=ImageEncoderConfig(32, 64, 1, 2, image_size=32, patch_size=16, projection_dim=16),
    native_size=(48, 64),
    prompt_tokens=3,
)
INFO = BundleInfo(
    model=MODEL,
    name="tiny",
    licence="Apache-2.0",
    expected_vae=None,
    expected_image_encoder=None,
    training={"steps": 0, "data": {"kind": "none"}, "seeds": [1, 2]},
    scores={"ssim": 0.25},
)
Parts = dict[str, dict[str, torch.Tensor]]


def stub_parts(model: ModelConfig = MODEL) -> Parts:
    """Only the tensors that a bundle's header check requires: enough for everything except running it."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    width = model.denoiser.block_out_channels[0]
    dim = model.denoiser.cross_attention_dim
    parts: Parts = {
        "denoiser": {"conv_in.weight": draw(width, 4, 3, 3), "conv_in.bias": draw(width)},
        "prompts": {name: draw(model.prompt_tokens, dim) for name in PROMPT_NAMES},
    }
    if model.garmnet is not None:
        parts["garmnet"] = {"conv_in.weight": draw(width, 5, 3, 3), "conv_in.bias": draw(width)}
    if model.image_prompt is not None:
        parts["image_prompt"] = {"image_proj.proj.weight": draw(2 * dim, 16)}
    return parts


def with_latent_channels(channels: int) -> ModelConfig:
    """The tiny model with this number of latent channels."""
    assert MODEL.garmnet is not None
    return dataclasses.replace(
        MODEL,
        denoiser=dataclasses.replace(MODEL.denoiser, in_channels=channels, out_channels=channels),
        garmnet=dataclasses.replace(MODEL.garmnet, in_channels=channels + 1, out_channels=channels),
        vae=dataclasses.replace(MODEL.vae, latent_channels=channels),
    )


def save_runnable(path: Path, config: ModelConfig = MODEL) -> Path:
    """Write a complete bundle with random weights, including VAE and image encoder."""
    from igr_core.model.igr import IGR
    from igr_core.model.networks import build_image_encoder, build_vae

    torch.manual_seed(0)
    model = IGR(config)
    assert model.garmnet is not None and model.image_prompt is not None
    parts = {
        "denoiser": model.denoiser.state_dict(),
        "garmnet": model.garmnet.state_dict(),
        "image_prompt": model.image_prompt.state_dict(),
        "prompts": {name: torch.randn(3, 32) for name in PROMPT_NAMES},
        "vae": build_vae(config.vae).state_dict(),
        "image_encoder": build_image_encoder(config.image_encoder).state_dict(),
    }
    save_bundle(path, dataclasses.replace(INFO, model=config), parts)
    return path
