"""Trained parts on disk: a .safetensors file with the part's config in a .json of the same name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from igr_core.errors import IGRError
from igr_core.files import open_tensors, sha256
from igr_core.json_text import read_json
from igr_core.model.config import ImageEncoderConfig, VAEConfig, from_json, to_json
from igr_core.model.networks import build_image_encoder, build_vae

from .files import check_regular, write_text

PartName = Literal["vae", "image_encoder"]
PARTS: dict[PartName, Any] = {"vae": VAEConfig, "image_encoder": ImageEncoderConfig}
"""Config of each frozen part."""
CONFIGS = tuple(f"{part}_config" for part in PARTS)
"""Settings that record the parts' configs; earlier versions did not have them."""
_AGAIN = "copy the file again, or train the part again"


def load_vae(path: Path | str) -> tuple[AutoencoderKL, VAEConfig]:
    """Load a VAE trained by `python -m training train-vae`, and freeze it."""
    config = read_config(path, "vae")
    return _fill(build_vae(config), Path(path)), config  # type: ignore[return-value]


def load_image_encoder(path: Path | str) -> tuple[CLIPVisionModelWithProjection, ImageEncoderConfig]:
    """Load an image encoder trained by `python -m training train-image-encoder`, and freeze it."""
    config = read_config(path, "image_encoder")
    return _fill(build_image_encoder(config), Path(path)), config  # type: ignore[return-value]


def read_config(path: Path | str, part: PartName) -> Any:
    """The VAEConfig or ImageEncoderConfig in a part's .json file; raises IGRError if it is missing or not valid."""
    return from_json(PARTS[part], _config(Path(path), part), f"{path} ({part})")


def describe_content(path: Path | str, part: PartName) -> dict[str, str]:
    """Identify a part's content: the hash of its weights as PART, and its config in JSON as PART_config.

    The JSON contains only entries that differ from their defaults, so it depends neither on the formatting of the file
    nor on entries that later versions add. Raises IGRError if the path is not a regular file.
    """
    check_regular(path, "check the path")
    usual = to_json(PARTS[part]())
    config = {name: value for name, value in to_json(read_config(path, part)).items() if value != usual[name]}
    return {part: sha256(path), f"{part}_config": json.dumps(config, sort_keys=True)}


def check_finite(tensors: Mapping[str, Tensor], path: Path | str, remedy: str = _AGAIN) -> None:
    """Raise IGRError naming the file `path` and the first of its tensors with NaN or infinite values."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise IGRError(f"{path} contains NaN or infinite values in {name}: {remedy}.")


def check_finite_file(path: Path | str) -> None:
    """Like check_finite for a part's file, without loading all of it at once."""
    try:
        with open_tensors(Path(path)) as file:
            for name in file.keys():
                check_finite({name: file.get_tensor(name)}, path)
    except (OSError, SafetensorError) as error:
        raise _unloaded(path, error) from error


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
        with open_tensors(path) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        module.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _unloaded(path, error) from error
    check_finite(tensors, path)
    return module.eval().requires_grad_(False)


def _unloaded(path: Path | str, error: Exception) -> IGRError:
    return IGRError(f"{path} could not be loaded ({str(error).splitlines()[0]}): {_AGAIN}.")


def parameter_count(tensors: Iterable[Tensor]) -> int:
    """Total number of values in the tensors."""
    return sum(tensor.numel() for tensor in tensors)
