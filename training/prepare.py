"""Compute once what the frozen networks say of every pair: `python -m training.prepare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPVisionModelWithProjection

from igr_core.config import CATEGORIES
from igr_core.errors import IGRError
from igr_core.files import atomic_file, sha256
from igr_core.geometry import latent_mask
from igr_core.restore import encode_crop, encode_picture

from .data.drawn import DrawnPairs
from .parts import load_image_encoder, load_vae

Layout = Literal["linear", "resampler"]


def prepare_pairs(
    drawn: DrawnPairs,
    indices: range,
    vae: AutoencoderKL,
    downscale: int,
    encoder: CLIPVisionModelWithProjection,
    layout: Layout,
    batch: int = 8,
    bf16: bool = False,
) -> dict[str, Tensor]:
    """Latents, masks at latent size and image features of some drawn pairs, in half precision."""
    parts: dict[str, list[Tensor]] = {"garment_latent": [], "person_latent": [], "mask": [], "image_features": []}
    for start in range(indices.start, indices.stop, batch):
        chosen = range(start, min(start + batch, indices.stop))
        pictures = {name: drawn.take(name, chosen).float() / 255 for name in ("garment", "person", "mask", "crop")}
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            parts["garment_latent"].append(encode_picture(vae, pictures["garment"]).half())
            parts["person_latent"].append(encode_picture(vae, pictures["person"]).half())
            parts["mask"].append(latent_mask(pictures["mask"], downscale).half())
            parts["image_features"].append(encode_crop(encoder, pictures["crop"], layout).half())
    tensors = {name: torch.cat(pieces).contiguous() for name, pieces in parts.items()}
    tensors["category"] = torch.tensor([CATEGORIES.index(drawn.categories[i]) for i in indices], dtype=torch.uint8)
    tensors["seed"] = torch.tensor([drawn.seeds[i] for i in indices])
    return tensors


def main(
    drawn: Annotated[Path, typer.Option(help="Folder of drawn pairs (python -m training.draw).")],
    vae: Annotated[Path, typer.Option(help="Trained VAE, .safetensors with its .json beside it.")],
    image_encoder: Annotated[Path, typer.Option(help="Trained image encoder, likewise.")],
    out: Annotated[Path, typer.Option(help="Folder for the prepared shards; whole ones that exist are kept.")],
    layout: Annotated[str, typer.Option(help="Image prompt the features are for: linear or resampler.")] = "resampler",
    limit: Annotated[int | None, typer.Option(help="Only the first so many pairs.")] = None,
    shard: Annotated[int, typer.Option(help="Pairs in a shard.")] = 500,
    bf16: Annotated[bool, typer.Option("--bf16", help="Encode in bfloat16: faster on CPUs that have it.")] = False,
) -> None:
    """Encode drawn pairs with the frozen VAE and image encoder, so that training never runs them again."""
    if layout not in ("linear", "resampler"):
        raise typer.BadParameter(f"{layout!r} is neither linear nor resampler.", param_hint="--layout")
    try:
        pairs = DrawnPairs(drawn, limit)
        autoencoder, shape = load_vae(vae)
        autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # thrice as fast on CPUs
        encoder, _ = load_image_encoder(image_encoder)
        settings = {"vae": sha256(vae), "image_encoder": sha256(image_encoder), "layout": layout}
        out.mkdir(parents=True, exist_ok=True)
        for start in tqdm(range(0, len(pairs), shard), desc=f"preparing into {out}", unit="shard"):
            indices = range(start, min(start + shard, len(pairs)))
            path = out / f"latents-{start:09d}-{len(indices)}.safetensors"
            if path.exists():
                continue
            tensors = prepare_pairs(pairs, indices, autoencoder, shape.downscale, encoder, layout, bf16=bf16)  # type: ignore[arg-type]
            with atomic_file(path) as temporary:
                save_file(tensors, temporary, metadata={"settings": json.dumps(settings, sort_keys=True)})
    except IGRError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
