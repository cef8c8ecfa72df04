"""Trained parts on disk: a .safetensors file with the part's config in a .json of the same name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from igr_core.errors import IGRError
from igr_core.json_text import read_json
from igr_core.model.config import ImageEncoderConfig, VAEConfig, from_json
from igr_core.model.networks import build_image_encoder, build_vae

from .files import write_text


def load_vae(path: Path | str) -> tuple[AutoencoderKL, VAEConfig]:
    """Load a VAE trained by `python -m training train-vae`, and freeze it."""
    config = from_json(VAEConfig, _config(Path(path), "vae"), f"{path} (vae)")
    return _fill(build_vae(config), Path(path)), config  # type: ignore[return-value]


def load_image_encoder(path: Path | str) -> tuple[CLIPVisionModelWithProjection, ImageEncoderConfig]:
    """Load an image encoder trained by `python -m training train-image-encoder`, and freeze it."""
    config = from_json(ImageEncoderConfig, _config(Path(path), "image_encoder"), f"{path} (image_encoder)")
    return _fill(build_image_encoder(config), Path(path)), config  # type: ignore[return-value]


def read_summary(path: Path | str) -> dict[str, Any]:
    """Contents of a part's .json file: config, scores and training settings."""
    return read_json(Path(path).with_suffix(".json"), "train the part first to create this file")


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write a part's .json file atomically."""
    write_text(path.with_suffix(".json"), json.dumps(summary, indent=2) + "\n")


def _config(path: Path, key: str) -> Any:
    summary = read_summary(path)
    if key not in summary:
        raise IGRError(
            f"{path.with_suffix('.json')} has no {key} config: use the .json file written when the part was trained."
        )
    return summary[key]


def _fill(module: nn.Module, path: Path) -> nn.Module:
    try:
        module.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise IGRError(f"{path} could not be loaded ({reason}): copy the file, or train the part again.") from error
    return module.eval().requires_grad_(False)


def parameter_count(tensors: Iterable[Tensor]) -> int:
    """Total number of values in the tensors."""
    return sum(tensor.numel() for tensor in tensors)
