"""Prepared pairs, parts and a config at the tiny model's size, for tests of the trainer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from igr_core.files import sha256
from igr_core.model.config import to_json
from igr_core.model.networks import build_image_encoder, build_vae
from tests.support.models.tiny import MODEL
from training.base.train_config import DataConfig, OptimizerConfig, TrainConfig


def write_prepared(
    folder: Path,
    count: int,
    seed: int = 0,
    settings: dict[str, object] | None = None,
    start: int = 0,
    **shapes: tuple[int, ...],
) -> Path:
    """A shard of random latents for a tiny denoiser, with pairs numbered from `start`.

    `shapes` overrides the shape of a field for one pair.
    """
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    fields = {"garment_latent": (4, 8, 6), "person_latent": (4, 8, 6), "mask": (1, 8, 6), "image_features": (16,)}
    shard = {
        name: torch.randn(count, *shape, generator=generator).half() for name, shape in {**fields, **shapes}.items()
    }
    shard["mask"] = shard["mask"].sigmoid()
    shard["category"] = torch.arange(count).remainder(3).to(torch.uint8)
    shard["seed"] = torch.arange(start, start + count)
    metadata = {"settings": json.dumps(settings or {})}
    save_file(shard, folder / f"latents-{0:09d}-{count}.safetensors", metadata=metadata)
    return folder


def tell_places(folder: Path) -> None:
    """Add correspondences to a shard: photos that mirror the garment, each of which shows less of it than the previous
    photo."""
    (shard,) = folder.iterdir()
    tensors = {name: value.clone() for name, value in load_file(shard).items()}
    with safe_open(shard, "pt") as file:
        metadata = file.metadata()
    count, _, height, width = tensors["garment_latent"].shape
    down, across = ((torch.arange(side) + 0.5) / side for side in (height, width))
    y, x = torch.meshgrid(down, across.flip(0), indexing="ij")
    places = torch.stack([x, y]).repeat(count, 1, 1, 1)
    for pair, told in enumerate(places):
        told.flatten(1)[:, : pair * height * width // count] = torch.nan
    tensors["correspondence"] = places.half()
    save_file(tensors, shard, metadata=metadata)


def write_part(path: Path, name: str, module: torch.nn.Module, config: object) -> Path:
    """A trained part, as written by its own training."""
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, path)
    path.with_suffix(".json").write_text(json.dumps({name: to_json(config), "scores": {"psnr": 1.0}}))
    return path


def tiny_config(folder: Path) -> TrainConfig:
    """A run of six steps on sixteen pairs, with all of its inputs written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    vae = write_part(folder / "vae.safetensors", "vae", build_vae(MODEL.vae), MODEL.vae)
    tower = build_image_encoder(MODEL.image_encoder)
    encoder = write_part(folder / "ie.safetensors", "image_encoder", tower, MODEL.image_encoder)
    settings: dict[str, object] = {"vae": sha256(vae), "image_encoder": sha256(encoder), "layout": "linear"}
    data = DataConfig(
        train=(str(write_prepared(folder / "train", 16, settings=settings)),),
        validation=str(write_prepared(folder / "validation", 4, seed=1, settings=settings)),
        vae=str(vae),
        image_encoder=str(encoder),
        pairs_per_batch=2,
        draws_per_pair=2,
    )
    return TrainConfig(
        data=data,
        model=replace(MODEL, reference_position="sincos"),
        optimizer=OptimizerConfig(learning_rate=1e-3),
        steps=6,
        precision="no",
        log_every=1,
        checkpoint_every=2,
        validate_every=0,
    )


def write_vgg(path: Path) -> Path:
    """Random weights with the names and shapes of torchvision's VGG-16, without its classifier."""
    generator = torch.Generator().manual_seed(0)
    widths = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256)}
    widths |= {17: (256, 512)} | dict.fromkeys((19, 21, 24, 26, 28), (512, 512))
    tensors = {}
    for number, (before, after) in widths.items():
        spread = (2 / (9 * before)) ** 0.5  # preserves the size of activations
        tensors[f"features.{number}.weight"] = torch.randn(after, before, 3, 3, generator=generator) * spread
        tensors[f"features.{number}.bias"] = torch.zeros(after)
    torch.save(tensors, path)
    return path
