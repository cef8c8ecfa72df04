"""Weights folders of the other methods in their published layout: the real classes, narrow, with seeded weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from transformers import SiglipVisionConfig, SiglipVisionModel

from tests.support.models.tiny_parser import save_parser
from training.baselines.background import IsNet
from training.baselines.square_diffusion import Adapter

WIDTH = 768
"""Width of SigLIP's tokens, which the authors' code fixes."""
TOKENS, SLOTS, FEED_FORWARD = 1024, 77, 2048
SCHEDULE: dict[str, Any] = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.7.0.dev0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
"""scheduler_config.json of SD1.4 and of SD1.5's inpainting model."""


def photo(number: int) -> Image.Image:
    """A photo with odd sides: colours that grow across it, a square, and noise."""
    rows, columns = np.mgrid[0:97, 0:73]
    pixels = np.stack([rows * 2, columns * 3, 255 - rows - columns], -1)
    pixels[20 + 5 * number : 60, 10:50] = (40 * number, 200, 90)
    noise = np.random.default_rng(number).integers(-20, 20, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def garment_mask(number: int) -> Image.Image:
    """The mask of a photo's square."""
    pixels = np.zeros((97, 73), np.uint8)
    pixels[20 + 5 * number : 60, 10:50] = 255
    return Image.fromarray(pixels)


def fingerprint(latents: torch.Tensor) -> list[list[float]]:
    """Eight values of each latent in a batch."""
    return [[round(float(value), 4) for value in one.flatten()[:: one.numel() // 8][:8]] for one in latents]


def seeded(net: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Weights for a network that keep activations at a useful scale, the same in every version of its library."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, value in sorted(net.state_dict().items()):
        drawn = torch.randn(value.shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.zeros((), dtype=torch.long)
        elif name.endswith("running_var"):
            tensors[name] = 1 + drawn.abs() / 10
        elif value.ndim < 2:
            tensors[name] = drawn / 10 + float(name.endswith("weight"))
        else:
            tensors[name] = drawn / value[0].numel() ** 0.5
    if isinstance(net, UNet2DConditionModel):  # keeps latents small, but dependent on the photo and its category
        tensors["conv_out.weight"] /= 4
        for name in tensors:
            if "attn2.to_out" in name or "class_embedding" in name:
                tensors[name] *= 4
    return tensors


def build_unet(inputs: int = 4, classes: int | None = None, cross: int = WIDTH) -> UNet2DConditionModel:
    """A narrow UNet of the SD1.5 family, with attention in the two deepest levels only, because that is fast."""
    return UNet2DConditionModel(
        sample_size=64,
        in_channels=inputs,
        block_out_channels=(32, 32, 32, 64),
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=cross,
        num_class_embeds=classes,
    )


def build_vae() -> AutoencoderKL:
    """A narrow VAE of the SD1.5 family."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 32, 32),
    )


def siglip_config() -> dict[str, Any]:
    """The vision part of a one-layer SigLIP for images of 512 pixels."""
    return {
        "model_type": "siglip_vision_model",
        "image_size": 512,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
    }


def save_siglip(folder: Path) -> None:
    """Write a SigLIP as published: with names that begin with the tower's, and with parts of its text tower."""
    folder.mkdir(parents=True)
    tensors = seeded(SiglipVisionModel(SiglipVisionConfig(**siglip_config())), 1)
    named = {f"vision_model.{name.removeprefix('vision_model.')}": value for name, value in tensors.items()}
    save_file(named | {"logit_scale": torch.zeros(1)}, folder / "model.safetensors")
    config = {"model_type": "siglip", "text_config": {}, "vision_config": siglip_config()}
    (folder / "config.json").write_text(json.dumps(config))


def save_vae(folder: Path) -> None:
    """Write a VAE in diffusers' layout."""
    folder.mkdir(parents=True)
    save_file(seeded(build_vae(), 2), folder / "diffusion_pytorch_model.safetensors")
    (folder / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKL"}))


def save_tryoffdiff(folder: Path) -> Path:
    """Write the weights folder of TryOffDiff."""
    unet = {f"unet.{name}": value for name, value in seeded(build_unet(), 3).items()}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(unet | seeded(Adapter(TOKENS, SLOTS, WIDTH, FEED_FORWARD), 4), folder / "tryoffdiff.pth")
    save_siglip(folder / "siglip-base-patch16-512")
    save_vae(folder / "stable-diffusion-v1-4" / "vae")
    _save_schedule(folder / "scheduler" / "scheduler_config.json", PNDMScheduler.from_config(SCHEDULE))
    return folder


def save_tryoffdiff_v2(folder: Path, variant: str = "multi") -> Path:
    """Write the weights folder of TryOffDiff v2, saved from a compiled model as published."""
    unet = build_unet(classes=3 if variant == "multi" else None)
    tensors = {f"unet.{name}": value for name, value in seeded(unet, 5).items()}
    tensors |= seeded(Adapter(TOKENS, SLOTS, WIDTH, None), 6)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({f"_orig_mod.{name}": value for name, value in tensors.items()}, folder / f"tryoffdiffv2_{variant}.pth")
    save_siglip(folder / "siglip-base-patch16-512")
    save_vae(folder / "sd-vae-ft-mse")
    euler = EulerDiscreteScheduler.from_config(SCHEDULE, use_karras_sigmas=True)
    _save_schedule(folder / "scheduler" / "scheduler_config_v2.json", euler)
    return folder


def save_tryoffanyone(folder: Path) -> Path:
    """Write the weights folder of TryOffAnyone, including the parser."""
    base = folder / "stable-diffusion-inpainting"
    (base / "unet").mkdir(parents=True)
    unet = build_unet(inputs=9)
    torch.save(seeded(unet, 7), base / "unet" / "diffusion_pytorch_model.bin")
    (base / "unet" / "config.json").write_text(json.dumps({"attention_head_dim": 8}))
    blocks: list[Any] = [*unet.down_blocks[2:], unet.mid_block, *unet.up_blocks[:2]]
    tuned = nn.ModuleList(block.attentions for block in blocks)
    save_file(seeded(tuned, 8), folder / "model.safetensors")
    _save_schedule(base / "scheduler" / "scheduler_config.json", DDIMScheduler.from_config(SCHEDULE), SCHEDULE)
    save_vae(folder / "sd-vae-ft-mse")
    (folder / "RMBG-1.4").mkdir()
    unused = {f"side{number}.weight": torch.zeros(1, 8, 3, 3) for number in range(2, 7)}
    save_file(seeded(IsNet(8), 9) | unused, folder / "RMBG-1.4" / "model.safetensors")
    save_parser(folder / "segformer_b3_clothes", size=(64, 48))
    return folder


def _save_schedule(path: Path, scheduler: Any, config: dict[str, Any] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config or dict(scheduler.config), default=str))
