"""Prepared pairs, parts and a config at the tiny model's size, for tests of the trainer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from igr_core.config import to_json
from igr_core.networks import build_image_encoder, build_vae
from tests.igr_core.tiny import MODEL
from training.config import DataConfig, OptimizerConfig, TrainConfig


def write_prepared(folder: Path, count: int, seed: int = 0) -> Path:
    """A shard of random latents that a tiny denoiser can take."""
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    shard = {
        "garment_latent": torch.randn(count, 4, 8, 6, generator=generator).half(),
        "person_latent": torch.randn(count, 4, 8, 6, generator=generator).half(),
        "mask": torch.rand(count, 1, 8, 6, generator=generator).half(),
        "image_features": torch.randn(count, 16, generator=generator).half(),
        "category": torch.arange(count).remainder(3).to(torch.uint8),
        "seed": torch.arange(count),
    }
    save_file(shard, folder / f"latents-{0:09d}-{count}.safetensors", metadata={"settings": "{}"})
    return folder


def write_part(path: Path, name: str, module: torch.nn.Module, config: object) -> Path:
    """A trained part as the part's own training leaves it."""
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, path)
    path.with_suffix(".json").write_text(json.dumps({name: to_json(config), "scores": {"psnr": 1.0}}))
    return path


def tiny_config(folder: Path) -> TrainConfig:
    """A run of six steps on sixteen pairs, everything it reads written into `folder`."""
    torch.manual_seed(0)
    vae = write_part(folder / "vae.safetensors", "vae", build_vae(MODEL.vae), MODEL.vae)
    encoder = build_image_encoder(MODEL.image_encoder)
    data = DataConfig(
        train=(str(write_prepared(folder / "train", 16)),),
        validation=str(write_prepared(folder / "validation", 4, seed=1)),
        vae=str(vae),
        image_encoder=str(write_part(folder / "ie.safetensors", "image_encoder", encoder, MODEL.image_encoder)),
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
