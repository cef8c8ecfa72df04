"""Turn a training run into a bundle: `python -m training export RUN --out NAME.safetensors`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.json_text import read_json
from igr_core.model.bundle import BundleInfo, save_bundle
from igr_core.model.config import from_json
from igr_core.model.igr import IGR

from ..base.outputs import check_bundle_kept, check_parts_kept
from ..base.parts import load_image_encoder, load_vae
from ..base.provenance import describe_part, describe_run, weights_sha256
from ..base.run.checkpoints import Checkpoint, load_latest
from ..base.run.run_folder import RunFolder
from ..base.run.state import json_entry
from ..base.train_config import TrainConfig
from ..core.compute.lora import merge_lora
from ..core.resume import PART_CONFIGS, check_same_files, part_contents
from ..core.state import check_state, check_version, recorded_model
from ..prepared.fits import check_settings

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

ScoresOf = Callable[[str], dict[str, Any]]
"""Maps a hash of weights to their scores, for the bundle's header."""


def averaged_model(checkpoint: Checkpoint) -> IGR:
    """The networks in a checkpoint, with averaged weights and merged LoRA adapters."""
    state = checkpoint.state
    model = recorded_model(state)
    model.load_state_dict(state["model"])
    model.load_state_dict(state["average"]["weights"], strict=False)
    merge_lora(model)
    return model


def bundle_parts(model: IGR, dtype: torch.dtype) -> dict[str, dict[str, Tensor]]:
    """The trained parts, by their names in a bundle."""
    parts = {"denoiser": model.denoiser.state_dict(), "prompts": dict(model.prompts.state_dict())}
    if model.garmnet is not None:
        parts["garmnet"] = model.garmnet.state_dict()
    if model.image_prompt is not None:
        parts["image_prompt"] = model.image_prompt.state_dict()
    return {part: _cast(tensors, dtype) for part, tensors in parts.items()}


def export_run(
    run: Path, out: Path, name: str, licence: str, precision: str, data: str, scores: ScoresOf | None = None
) -> Path:
    """Write a run's newest checkpoint as a bundle, including the VAE and the image encoder; returns its path.

    `scores` returns the scores to record for a hash of the weights. Raises IGRError if the run has no checkpoint, if
    its VAE or image encoder has changed since training, or if `out` is one of the run's input files.
    """
    settings_file = run / "config.json"
    if not os.path.lexists(settings_file):
        raise IGRError(f"{run} is not a run of `python -m training train`: it has no config.json.")
    written = read_json(settings_file, "run the training again to rewrite it")
    settings = from_json(TrainConfig, written, str(settings_file))
    _check_out(out, run, settings)
    checkpoint = load_latest(RunFolder(run), resume=False, check=check_state)
    if checkpoint is None:
        raise IGRError(f"{run} has no checkpoint yet: train it for a while first.")
    check_version(checkpoint.state, str(run))
    check_settings(settings, json_entry(checkpoint.state, "data_settings"), f"The run {run}")
    _check_part_configs(settings, json_entry(checkpoint.state, "data")["files"], run)
    model = averaged_model(checkpoint)
    vae, vae_config = load_vae(settings.data.vae)
    encoder, encoder_config = load_image_encoder(settings.data.image_encoder)
    parts = bundle_parts(model, PRECISIONS[precision]) | {"vae": _cast(vae.state_dict(), PRECISIONS[precision])}
    if model.image_prompt is not None:
        parts["image_encoder"] = _cast(encoder.state_dict(), PRECISIONS[precision])
    training = describe_run(run, written, checkpoint.step) | {"data": data, "vae": describe_part(settings.data.vae)}
    if model.image_prompt is not None:
        training["image_encoder"] = describe_part(settings.data.image_encoder)
    info = BundleInfo(
        model=dataclasses.replace(model.config, vae=vae_config, image_encoder=encoder_config),
        name=name,
        licence=licence,
        expected_vae=None,
        expected_image_encoder=None,
        training=training,
        scores=scores(_hash_of(parts)) if scores is not None else {},
    )
    make_folder(out.parent)
    save_bundle(out, info, parts)
    return out


def _check_out(out: Path, run: Path, settings: TrainConfig) -> None:
    extra = settings.extra_losses
    check_parts_kept(out, "--out", [settings.data.vae, settings.data.image_encoder, extra.lpips_weights])
    check_bundle_kept(out, [settings.init_bundle], [run, extra.dino_model])


def _check_part_configs(settings: TrainConfig, saved: Mapping[str, str], run: Path) -> None:
    """Raise IGRError if the .json file of the VAE or image encoder has changed since the run recorded its config."""
    recorded = {name: value for name, value in saved.items() if name in PART_CONFIGS}
    now = {name: value for name, value in part_contents(settings).items() if name in recorded}
    check_same_files(now, recorded, str(run))


def _hash_of(parts: dict[str, dict[str, Tensor]]) -> str:
    return weights_sha256((f"{part}.{name}", value) for part, some in parts.items() for name, value in some.items())


def _cast(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in tensors.items()}
