"""Read published weights: Stable Diffusion 1.5 with its VAE and text encoder, IP-Adapter, CLIP."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from igr_core import json_text
from igr_core.errors import IGRError
from igr_core.model.config import ImageEncoderConfig, ImagePromptConfig, UNetConfig, VAEConfig

from ..base.parts import check_finite

Tensors = dict[str, Tensor]

UNET_PREFIX, VAE_PREFIX = "model.diffusion_model.", "first_stage_model."
WEIGHT_FILES = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.safetensors",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
    "pytorch_model.bin",
)
"""File names of weights in diffusers and transformers; the first that exists is read."""


def read_weights(path: Path) -> Tensors:
    """Tensors in a file, or in a folder's weight file; nested names are joined with dots.

    Only tensors are read from pickles (.bin, .ckpt, .pt). Raises IGRError for missing or damaged files.
    """
    file = weight_file(path)
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise IGRError(f"{file} cannot be read ({str(error).splitlines()[0]}): download the file again.") from error
    return dict(_flat(loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}))


def weight_file(path: Path) -> Path:
    """The path itself if it is a file, or a folder's weight file; raises IGRError if there is none."""
    if path.is_file():
        return path
    for name in WEIGHT_FILES:
        if (path / name).is_file():
            return path / name
    known = f"{WEIGHT_FILES[0]} or {WEIGHT_FILES[2]}"
    raise IGRError(f"{path} is neither a file nor a folder with {known}: check the path.")


def read_json(path: Path) -> dict[str, Any]:
    """Contents of a folder's config.json; empty if it does not exist."""
    file = path / "config.json" if path.is_dir() else path.with_name("config.json")
    return json_text.read_json(file, "download the file again") if file.is_file() else {}


def read_unet(path: Path) -> tuple[Tensors, UNetConfig]:
    """A UNet of the SD1.5 family with diffusers' names, and its shape, from an LDM checkpoint or a diffusers folder.

    Raises IGRError for other families such as SD2 and SDXL; the caller checks the number of input channels.
    """
    place = path / "unet" if path.is_dir() and not has_weights(path) else path
    tensors = read_weights(place)
    if any(key.startswith(UNET_PREFIX) for key in tensors):
        config = unet_shape(_ldm_widths(tensors, path), tensors_of=tensors, path=path, prefix=UNET_PREFIX)
        tensors = convert_ldm_unet_checkpoint(tensors, {"layers_per_block": config.layers_per_block})
        return tensors, config
    config = diffusers_unet_shape(tensors, path)
    heads = read_json(place).get("attention_head_dim", 8)
    if isinstance(heads, int) and heads != config.attention_heads:
        config = UNetConfig(**{**vars(config), "attention_heads": heads})
    return tensors, config


def diffusers_unet_shape(tensors: Tensors, path: Path) -> UNetConfig:
    """The UNetConfig of tensors with diffusers' names, assuming SD1.5's 8 heads; raises IGRError if they are not a
    UNet."""
    if "conv_in.weight" not in tensors:
        raise IGRError(f"{path} contains no UNet: use SD1.5 or a similar UNet, as one file or a diffusers folder.")
    return unet_shape(_diffusers_widths(tensors), tensors_of=tensors, path=path)


def has_weights(folder: Path) -> bool:
    """Whether a folder directly contains a weight file."""
    return any((folder / name).is_file() for name in WEIGHT_FILES)


def unet_shape(levels: tuple[tuple[int, bool], ...], tensors_of: Tensors, path: Path, prefix: str = "") -> UNetConfig:
    """Infer the UNetConfig from the shapes of tensors; raises IGRError for families other than SD1.5."""
    ldm = prefix == UNET_PREFIX
    cross = next((v for k, v in tensors_of.items() if k.endswith("attn2.to_k.weight") and k.startswith(prefix)), None)
    if cross is None:
        raise IGRError(f"{path} has a UNet without cross-attention: use a UNet of the SD1.5 family.")
    if cross.shape[1] in (1024, 2048):
        kind = "SD2" if cross.shape[1] == 1024 else "SDXL"
        raise IGRError(
            f"{path} is {kind}, whose text embeddings have width {cross.shape[1]}: use SD1.5, whose text embeddings "
            "have width 768."
        )
    entry = tensors_of[f"{prefix}input_blocks.0.0.weight" if ldm else "conv_in.weight"]
    return UNetConfig(
        in_channels=entry.shape[1],
        block_out_channels=tuple(width for width, _ in levels),
        layers_per_block=2,
        attention_levels=tuple(attends for _, attends in levels),
        cross_attention_dim=cross.shape[1],
    )


def _ldm_widths(tensors: Tensors, path: Path) -> tuple[tuple[int, bool], ...]:
    """(width, has attention) of each level, with three input blocks per level in the SD1.5 family."""
    levels = []
    for first in range(1, 1000, 3):
        name = f"{UNET_PREFIX}input_blocks.{first}.0.out_layers.3.weight"
        if name not in tensors:
            break
        attends = f"{UNET_PREFIX}input_blocks.{first}.1.proj_in.weight" in tensors
        levels.append((tensors[name].shape[0], attends))
    if not levels:
        raise IGRError(f"{path} has a UNet with an unknown layout: use SD1.5.")
    return tuple(levels)


def _diffusers_widths(tensors: Tensors) -> tuple[tuple[int, bool], ...]:
    levels = []
    while f"down_blocks.{len(levels)}.resnets.0.conv1.weight" in tensors:
        number = len(levels)
        attends = f"down_blocks.{number}.attentions.0.proj_in.weight" in tensors
        levels.append((tensors[f"down_blocks.{number}.resnets.0.conv1.weight"].shape[0], attends))
    return tuple(levels)


def read_vae(path: Path) -> tuple[Tensors, VAEConfig]:
    """An autoencoder with diffusers' names, and its shape, from an LDM checkpoint, a VAE file or a diffusers folder."""
    place = path / "vae" if path.is_dir() and not has_weights(path) else path
    tensors = read_weights(place)
    scaling = read_json(place).get("scaling_factor", VAEConfig().scaling_factor) if path.is_dir() else 0.18215
    if any("down.0.block.0.conv1.weight" in key for key in tensors):
        levels, prefix = 0, VAE_PREFIX if any(key.startswith(VAE_PREFIX) for key in tensors) else ""
        widths = []
        while (name := f"{prefix}encoder.down.{levels}.block.0.conv1.weight") in tensors:
            widths.append(tensors[name].shape[0])
            levels += 1
        blocks = sum(f"{prefix}encoder.down.0.block.{n}.conv1.weight" in tensors for n in range(8))
        tensors = convert_ldm_vae_checkpoint(tensors, {"down_block_types": widths, "up_block_types": widths})
    else:
        widths, tensors = [], {_new_attention_name(key): value for key, value in tensors.items()}
        while (name := f"encoder.down_blocks.{len(widths)}.resnets.0.conv1.weight") in tensors:
            widths.append(tensors[name].shape[0])
        blocks = sum(f"encoder.down_blocks.0.resnets.{n}.conv1.weight" in tensors for n in range(8))
    if not widths:
        raise IGRError(f"{path} contains no VAE with SD1.5's architecture: use --vae to pass a file that does.")
    attention = {
        key: value.squeeze() if ".attentions." in key and value.ndim == 4 else value for key, value in tensors.items()
    }
    channels = tensors["decoder.conv_in.weight"].shape[1]
    return attention, VAEConfig(tuple(widths), blocks, channels, scaling)


def _new_attention_name(key: str) -> str:
    for old, new in ((".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0.")):
        if ".attentions." in key:
            key = key.replace(old, new)
    return key


def read_text_encoder(path: Path) -> Tensors:
    """CLIP's text model with transformers' names, from an LDM checkpoint or a diffusers folder."""
    place = path / "text_encoder" if path.is_dir() else path
    tensors = read_weights(place)
    if any(key.startswith("cond_stage_model.") for key in tensors):
        tensors = convert_ldm_clip_checkpoint(tensors)
    tensors = {key: value for key, value in tensors.items() if not key.endswith("position_ids")}
    if not any(key.startswith("text_model.") for key in tensors):
        raise IGRError(f"{path} contains no text encoder: use an SD1.5 checkpoint that includes its text encoder.")
    return tensors


def read_ip_adapter(path: Path, heads_width: int = 64) -> tuple[Tensors, ImagePromptConfig]:
    """An IP-Adapter's tensors and layout; raises IGRError if the file is not an IP-Adapter or has an unknown layout."""
    tensors = read_weights(path)
    if not any(key.startswith("ip_adapter.") for key in tensors) or not any("image_proj." in key for key in tensors):
        raise IGRError(f"{path} is not an IP-Adapter: use ip-adapter_sd15 or ip-adapter-plus_sd15.")
    if "image_proj.proj.weight" in tensors:
        width = tensors["image_proj.norm.weight"].shape[0]
        out, embedding = tensors["image_proj.proj.weight"].shape
        return tensors, ImagePromptConfig("linear", out // width, embedding)
    if "image_proj.latents" not in tensors:
        raise IGRError(
            f"{path} is an IP-Adapter with an unsupported layout: use ip-adapter_sd15 or ip-adapter-plus_sd15."
        )
    depth = len({key.split(".")[2] for key in tensors if key.startswith("image_proj.layers.")})
    inner, width = tensors["image_proj.layers.0.0.to_q.weight"].shape
    return tensors, ImagePromptConfig(
        "resampler",
        tensors["image_proj.latents"].shape[1],
        tensors["image_proj.proj_in.weight"].shape[1],
        depth,
        heads_width,
        inner // heads_width,
        tensors["image_proj.layers.0.1.1.weight"].shape[0] // width,
    )


def read_image_encoder(path: Path) -> tuple[Tensors, ImageEncoderConfig]:
    """A CLIP vision tower with transformers' names, and its shape, from its own file or that of a whole CLIP model."""
    tensors = {
        key: value
        for key, value in read_weights(path).items()
        if key.startswith(("vision_model.", "visual_projection.")) and not key.endswith("position_ids")
    }
    patches = tensors.get("vision_model.embeddings.patch_embedding.weight")
    if patches is None or "visual_projection.weight" not in tensors:
        raise IGRError(f"{path} contains no CLIP vision model with projection: use IP-Adapter's image_encoder folder.")
    said = read_json(path)
    said = said.get("vision_config", said)
    layers = len({key.split(".")[3] for key in tensors if key.startswith("vision_model.encoder.layers.")})
    hidden, patch = patches.shape[0], patches.shape[-1]
    positions = tensors["vision_model.embeddings.position_embedding.weight"].shape[0] - 1
    return tensors, ImageEncoderConfig(
        hidden_size=hidden,
        intermediate_size=tensors["vision_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=layers,
        num_attention_heads=said.get("num_attention_heads", 16),
        image_size=round(positions**0.5) * patch,
        patch_size=patch,
        projection_dim=tensors["visual_projection.weight"].shape[0],
        hidden_act=said.get("hidden_act", "gelu"),
    )


def fitted(net: nn.Module, tensors: Tensors, path: Path, dtype: torch.dtype) -> Tensors:
    """The tensors that a network needs; raises IGRError naming the first that is missing, misshapen or not finite."""
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    wrong = [name for name in wanted if name not in tensors or tuple(tensors[name].shape) != wanted[name]]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise IGRError(
            f"{path} lacks {wrong[0]}{more}, or has it in another shape: use an intact file of this architecture."
        )
    check_finite({name: tensors[name] for name in wanted}, path, "download the file again")
    return {name: tensors[name].to(dtype) if tensors[name].is_floating_point() else tensors[name] for name in wanted}


def _flat(nested: Mapping[str, Any], name: str = "") -> Any:
    for key, value in nested.items():
        path = f"{name}.{key}" if name else str(key)
        if isinstance(value, Tensor):
            yield path, value
        elif isinstance(value, Mapping):
            yield from _flat(value, path)
