"""Turn a training run into a bundle: `python -m training.export RUN --out NAME.safetensors`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from igr_core.bundle import BundleInfo, save_bundle
from igr_core.config import ModelConfig, from_json
from igr_core.errors import IGRError
from igr_core.model import IGR

from .config import TrainConfig
from .parts import load_image_encoder, load_vae, read_summary
from .provenance import describe_run
from .run import Checkpoint, RunFolder, load_latest

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def averaged_model(checkpoint: Checkpoint) -> IGR:
    """The networks of a checkpoint with their averaged weights."""
    state = checkpoint.state
    model = IGR(from_json(ModelConfig, json.loads(state["model_config"]), "checkpoint"))
    model.load_state_dict(state["model"])
    model.load_state_dict(state["average"]["weights"], strict=False)
    return model


def bundle_parts(model: IGR, dtype: torch.dtype) -> dict[str, dict[str, Tensor]]:
    """The trained parts as a bundle names them."""
    parts = {"denoiser": model.denoiser.state_dict(), "prompts": dict(model.prompts.state_dict())}
    if model.garmnet is not None:
        parts["garmnet"] = model.garmnet.state_dict()
    if model.image_prompt is not None:
        parts["image_prompt"] = model.image_prompt.state_dict()
    return {part: {name: value.to(dtype) for name, value in tensors.items()} for part, tensors in parts.items()}


def export_run(
    run: Path, out: Path, name: str, licence: str, precision: str, data: str, scores: dict[str, Any] | None = None
) -> Path:
    """Write the bundle of a run's newest checkpoint, its VAE and image encoder inside.

    Raises IGRError when the run has no checkpoint, or a part that its config names is missing.
    """
    settings_file = run / "config.json"
    if not settings_file.is_file():
        raise IGRError(f"{run} is no run of training.train: it has no config.json.")
    settings = from_json(TrainConfig, json.loads(settings_file.read_text()), str(settings_file))
    checkpoint = load_latest(RunFolder(run), resume=False)
    if checkpoint is None:
        raise IGRError(f"{run} has no checkpoint yet: train it for a while first.")
    model = averaged_model(checkpoint)
    dtype = PRECISIONS[precision]
    vae, vae_config = load_vae(settings.data.vae)
    encoder, encoder_config = load_image_encoder(settings.data.image_encoder)
    parts = bundle_parts(model, dtype)
    parts["vae"] = {key: value.to(dtype) for key, value in vae.state_dict().items()}
    if model.image_prompt is not None:
        parts["image_encoder"] = {key: _cast(value, dtype) for key, value in encoder.state_dict().items()}
    training = describe_run(run, json.loads(settings_file.read_text()), checkpoint.step) | {
        "data": data,
        "vae": _scores(settings.data.vae),
        "image_encoder": _scores(settings.data.image_encoder),
    }
    info = BundleInfo(
        model=dataclasses.replace(model.config, vae=vae_config, image_encoder=encoder_config),
        name=name,
        licence=licence,
        expected_vae=None,
        expected_image_encoder=None,
        training=training,
        scores=scores or {},
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    save_bundle(out, info, parts)
    return out


def _cast(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.is_floating_point() else value


def _scores(part: str) -> dict[str, Any]:
    """What the part's own training measured, without its (long) settings."""
    return {key: value for key, value in read_summary(part).items() if key in ("scores", "steps", "seed", "pairs")}


def main(
    run: Annotated[Path, typer.Argument(help="Run folder of python -m training.train.")],
    out: Annotated[Path, typer.Option(help="Bundle to write (.safetensors).")],
    name: Annotated[str, typer.Option(help="What the model is called.")],
    data: Annotated[str, typer.Option(help="What it was trained on, in words.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "Apache-2.0",
    precision: Annotated[str, typer.Option(help="fp32, fp16 or bf16.")] = "fp16",
) -> None:
    """Write the averaged weights of a run's newest checkpoint as one bundle."""
    if precision not in PRECISIONS:
        raise typer.BadParameter(f"{precision!r} is none of {', '.join(PRECISIONS)}.", param_hint="--precision")
    try:
        path = export_run(run, out, name, licence, precision, data)
    except IGRError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    typer.run(main)
