"""Create the bundle that training starts from, using published weights: `python -m training init`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from igr_core.errors import IGRError
from igr_core.files import make_folder, sha256
from igr_core.model.bundle import BundleInfo, save_bundle
from igr_core.model.config import ModelConfig, UNetConfig, ViewConfig
from igr_core.model.image_prompt import ImagePrompt
from igr_core.model.networks import build_image_encoder, build_unet, build_vae

from ..base.outputs import check_bundle_kept
from ..base.parts import check_finite
from .export import PRECISIONS
from .published import (
    Tensors,
    fitted,
    read_image_encoder,
    read_ip_adapter,
    read_json,
    read_text_encoder,
    read_unet,
    read_vae,
    weight_file,
)

TOKENS = 77
"""Length of a prompt in tokens, padded as in CLIP."""


@dataclasses.dataclass(frozen=True)
class Sources:
    """Files and folders that the bundle's parts are read from."""

    sd: Path
    """Stable Diffusion 1.5: a single file, or a folder in diffusers' layout."""
    ip_adapter: Path
    """ip-adapter_sd15 or ip-adapter-plus_sd15."""
    image_encoder: Path
    """Folder or file of the IP-Adapter's CLIP vision model."""
    tokenizer: Path | None = None
    """Folder of SD1.5's tokenizer; None to use the tokenizer in `sd`."""
    vae: Path | None = None
    """VAE to use instead of the VAE in `sd`."""
    denoiser: Path | None = None
    """UNet to use instead of the UNet in `sd`."""
    garmnet: Path | None = None
    """A UNet for GarmNet, such as OOTDiffusion's unet_garm; None for a copy of the denoiser."""


def write_init(
    out: Path, sources: Sources, licence: str, size: tuple[int, int], view: ViewConfig, precision: str
) -> None:
    """Write the initial bundle; raises IGRError naming a missing, wrong or incompatible file."""
    given = [path for path in vars(sources).values() if path is not None]
    check_bundle_kept(out, [*given, *(path.with_name("config.json") for path in given)], given)
    parts, model = read_parts(sources, size, view)
    files = {
        "denoiser": sources.denoiser or sources.sd,
        "garmnet": sources.garmnet or sources.denoiser or sources.sd,
        "image_prompt": sources.ip_adapter,
        "vae": sources.vae or sources.sd,
        "image_encoder": sources.image_encoder,
    }
    dtype, nets = PRECISIONS[precision], empty_networks(model)
    fitting = {name: fitted(nets[name], some, files[name], dtype) for name, some in parts.items()}
    prompts = prompt_embeddings(sources, model.category_wording, model.denoiser)
    fitting["prompts"] = {name: value.to(dtype) for name, value in prompts.items()}
    info = BundleInfo(model, "starting weights", licence, None, None, provenance(sources, files), {})
    make_folder(out.parent)
    save_bundle(out, info, fitting)


def read_parts(sources: Sources, size: tuple[int, int], view: ViewConfig) -> tuple[dict[str, Tensors], ModelConfig]:
    """Each part's tensors as in its file, and the resulting config; raises IGRError if files do not belong together."""
    denoiser, shape = read_unet(sources.denoiser or sources.sd)
    if shape.in_channels != 4:
        raise IGRError(
            f"{sources.denoiser or sources.sd} has {shape.in_channels} input channels: use the original SD1.5."
        )
    garmnet = widened(denoiser) if sources.garmnet is None else read_garmnet(sources.garmnet, shape)
    adapter, prompt = read_ip_adapter(sources.ip_adapter)
    encoder, tower = read_image_encoder(sources.image_encoder)
    wanted = tower.projection_dim if prompt.layout == "linear" else tower.hidden_size
    if prompt.embedding_dim != wanted:
        raise IGRError(
            f"{sources.ip_adapter} needs image features of width {prompt.embedding_dim}, but {sources.image_encoder} "
            f"has width {wanted}: use the image encoder that belongs to it (CLIP ViT-H for SD1.5)."
        )
    vae, vae_shape = read_vae(sources.vae or sources.sd)
    model = ModelConfig(
        denoiser=shape,
        garmnet=dataclasses.replace(shape, in_channels=5),
        image_prompt=prompt,
        vae=vae_shape,
        image_encoder=tower,
        view=view,
        native_size=size,
        prompt_tokens=TOKENS,
    )
    parts = {"denoiser": denoiser, "garmnet": garmnet, "image_prompt": adapter, "vae": vae, "image_encoder": encoder}
    return parts, model


def empty_networks(model: ModelConfig) -> dict[str, nn.Module]:
    """The network of each part, on the meta device."""
    with torch.device("meta"):
        return {
            "denoiser": build_unet(model.denoiser),
            "garmnet": build_unet(model.garmnet),
            "image_prompt": ImagePrompt(model.image_prompt, model.denoiser),
            "vae": build_vae(model.vae),
            "image_encoder": build_image_encoder(model.image_encoder),
        }


def widened(denoiser: Tensors) -> Tensors:
    """GarmNet's initial weights: those of the denoiser, plus a fifth input channel of zeros for the mask."""
    entry = denoiser["conv_in.weight"]
    return denoiser | {"conv_in.weight": torch.cat([entry, torch.zeros_like(entry[:, :1])], dim=1)}


def read_garmnet(path: Path, denoiser: UNetConfig) -> Tensors:
    """A UNet with the denoiser's structure; if it has 4 input channels instead of 5, a mask channel is added.

    Raises IGRError for another structure or number of channels.
    """
    tensors, shape = read_unet(path)
    if dataclasses.replace(shape, in_channels=4) != denoiser:
        raise IGRError(
            f"{path} differs in structure from the denoiser: use a UNet with the same structure for GarmNet."
        )
    if shape.in_channels not in (4, 5):
        raise IGRError(
            f"{path} has {shape.in_channels} input channels: GarmNet needs 5, or 4 without the mask channel."
        )
    return widened(tensors) if shape.in_channels == 4 else tensors


@torch.no_grad()
def prompt_embeddings(sources: Sources, wording: dict[str, str], unet: UNetConfig) -> Tensors:
    """CLIP's last hidden states (77, width) for the category prompts and the empty prompt."""
    folder = sources.tokenizer or sources.sd / "tokenizer"
    if not (folder / "vocab.json").is_file() or not (folder / "merges.txt").is_file():
        raise IGRError(
            f"{folder} has no vocab.json and merges.txt: pass SD1.5's tokenizer folder with --tokenizer (a single "
            "file of weights does not contain one)."
        )
    tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    tensors = read_text_encoder(sources.sd)
    width = tensors["text_model.final_layer_norm.weight"].shape[0]
    if width != unet.cross_attention_dim:
        raise IGRError(
            f"The text encoder in {sources.sd} has width {width}, but the UNet needs {unet.cross_attention_dim}: use "
            "a text encoder and a UNet that belong together."
        )
    said = read_json(sources.sd / "text_encoder") if sources.sd.is_dir() else {}
    config = CLIPTextConfig(
        vocab_size=tensors["text_model.embeddings.token_embedding.weight"].shape[0],
        hidden_size=width,
        intermediate_size=tensors["text_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=len({key.split(".")[3] for key in tensors if ".encoder.layers." in key}),
        num_attention_heads=said.get("num_attention_heads", 12 if width % 12 == 0 else 4),
        hidden_act=said.get("hidden_act", "quick_gelu"),
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = CLIPTextModel(config).eval()
    own = {name if name in tensors else f"text_model.{name}": name for name in model.state_dict()}
    check_finite({key: value for key, value in tensors.items() if key in own}, sources.sd, "download the files again")
    model.load_state_dict({own[key]: value.float() for key, value in tensors.items() if key in own})
    embeddings = {}
    for name, text in wording.items():
        tokens = tokenizer(
            text, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        ).input_ids
        embeddings[name] = model(tokens).last_hidden_state[0]
    return embeddings


def provenance(sources: Sources, files: dict[str, Path]) -> dict[str, Any]:
    """The file that each part was made from, with its hash."""
    known: dict[Path, str] = {}
    parts: dict[str, Any] = {}
    for part, path in files.items():
        place = path / {"denoiser": "unet", "garmnet": "unet", "vae": "vae"}.get(part, "") if path.is_dir() else path
        file = weight_file(place if place.exists() else path)
        known.setdefault(file, sha256(file))
        parts[part] = {"file": file.name, "sha256": known[file]}
    return {"data": "none yet: published weights", "initialised_from": parts}
