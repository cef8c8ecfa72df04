"""Files in the layouts of the published weights with random numbers: tiny ones to run, and true names to compare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from igr_core.model.config import ImageEncoderConfig, ImagePromptConfig, UNetConfig, VAEConfig
from igr_core.model.image_prompt import ImagePrompt
from igr_core.model.networks import build_image_encoder, build_unet, build_vae

UNET = UNetConfig(block_out_channels=(32, 32, 64, 64), cross_attention_dim=32)
VAE = VAEConfig(block_out_channels=(32, 32, 32, 32))
ENCODER = ImageEncoderConfig(64, 96, 2, 16, image_size=28, patch_size=14, projection_dim=16)
LINEAR = ImagePromptConfig("linear", 4, 16)
PLUS = ImagePromptConfig("resampler", 16, 64, 1, 64, 2)
WORDS = ("a", "photo", "of", "an", "upper", "lower", "full", "body", "garment", "-")

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def ldm_unet_name(name: str, attends_up: tuple[bool, ...]) -> str:
    """The LDM name of a UNet weight that diffusers calls `name`; `attends_up`: levels, coarsest first."""
    stem, _, kind = name.rpartition(".")
    if stem in _ENDS:
        return f"{_ENDS[stem]}.{kind}"
    block, *rest = name.split(".")
    if block == "mid_block":
        part, number, *inner = rest
        place = {"attentions": "1", "resnets": str(2 * int(number))}[part]
        return _inside(f"middle_block.{place}", part, inner)
    level, part, number, *inner = rest
    if part == "downsamplers":
        return f"input_blocks.{3 * (int(level) + 1)}.0.op.{inner[-1]}"
    if part == "upsamplers":
        place = 2 if attends_up[int(level)] else 1
        return f"output_blocks.{3 * int(level) + 2}.{place}.conv.{inner[-1]}"
    first = 3 * int(level) + int(number) + (1 if block == "down_blocks" else 0)
    side = "input_blocks" if block == "down_blocks" else "output_blocks"
    return _inside(f"{side}.{first}.{0 if part == 'resnets' else 1}", part, inner)


def _inside(place: str, part: str, inner: list[str]) -> str:
    if part == "attentions":
        return ".".join([place, *inner])
    return ".".join([place, _RESNET[inner[0]], *inner[1:]])


def ldm_vae_name(name: str, levels: int) -> str:
    """Stable Diffusion's own name of a VAE weight that diffusers calls `name`."""
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0.group_norm", "mid.attn_1.norm")
    for new, old in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
        name = name.replace(f"mid_block.attentions.0.{new}", f"mid.attn_1.{old}")
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    up = lambda m: f"up.{levels - 1 - int(m[1])}"  # noqa: E731
    name = re.sub(r"up_blocks\.(\d)", up, name)
    name = re.sub(r"(up\.\d)\.resnets\.(\d)", r"\1.block.\2", name)
    name = re.sub(r"(up\.\d)\.upsamplers\.0", r"\1.upsample", name)
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def ldm_unet(tensors: dict[str, Tensor], config: UNetConfig = UNET) -> dict[str, Tensor]:
    """A UNet under the names of a single-file checkpoint."""
    attends = tuple(reversed(config.attention_levels))
    return {f"model.diffusion_model.{ldm_unet_name(name, attends)}": value for name, value in tensors.items()}


def ldm_vae(tensors: dict[str, Tensor], levels: int = 4) -> dict[str, Tensor]:
    """A VAE under the names of a single-file checkpoint, attention as 1x1 convolutions."""
    found = {}
    for name, value in tensors.items():
        linear = ".attentions." in name and name.endswith("weight") and value.ndim == 2
        found[f"first_stage_model.{ldm_vae_name(name, levels)}"] = value[:, :, None, None] if linear else value
    return found


def text_model() -> CLIPTextModel:
    """A tiny CLIP text encoder."""
    config = CLIPTextConfig(
        vocab_size=len(vocabulary()),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=0,
        eos_token_id=1,
    )
    return CLIPTextModel(config).eval()


def vocabulary() -> dict[str, int]:
    """Whole words, and the letters from which they are merged."""
    letters = sorted({letter for word in WORDS for letter in word})
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    return {piece: number for number, piece in enumerate(pieces)}


def write_tokenizer(folder: Path) -> Path:
    """A CLIP tokenizer that only knows letters."""
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary()))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder


def random_weights(module: torch.nn.Module, seed: int) -> dict[str, Tensor]:
    """A module's tensors, small and random."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(value.shape, generator=generator) * 0.05 if value.is_floating_point() else value.clone()
        for name, value in module.state_dict().items()
    }


def named_text(tensors: dict[str, Tensor]) -> Iterable[tuple[str, Tensor]]:
    """Text-encoder tensors as published files name them."""
    return (
        (name if name.startswith("text_model.") else f"text_model.{name}", value) for name, value in tensors.items()
    )


def write_published(folder: Path) -> Path:
    """Tiny stand-ins for the files in docs/training.md: SD1.5 as one file, IP-Adapters, CLIP, tokenizer."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    sd = ldm_unet(random_weights(build_unet(UNET), 1)) | ldm_vae(random_weights(build_vae(VAE), 2))
    text = random_weights(text_model(), 3)
    sd |= {f"cond_stage_model.transformer.{name}": value for name, value in named_text(text)}
    _save(sd, folder / "v1-5-pruned-emaonly.safetensors")
    for name, prompt in (("ip-adapter_sd15", LINEAR), ("ip-adapter-plus_sd15", PLUS)):
        _save(random_weights(ImagePrompt(prompt, UNET), 4), folder / f"{name}.safetensors")
    encoder = folder / "image_encoder"
    encoder.mkdir()
    _save(random_weights(build_image_encoder(ENCODER), 5), encoder / "model.safetensors")
    (encoder / "config.json").write_text(json.dumps({"num_attention_heads": 16, "hidden_act": "gelu"}))
    write_tokenizer(folder / "tokenizer")
    return folder


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
