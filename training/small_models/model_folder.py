"""Folders of small models in transformers' classes, with a summary of their training."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import BaseImageProcessor, PreTrainedModel, ProcessorMixin

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.json_text import read_json
from igr_core.model.config import to_json

from ..base.outputs import check_kept
from ..base.parts import check_finite, parameter_count
from ..base.provenance import noted_commands, noted_revisions, versions
from .part_training import PartTraining


def save_model_folder(
    folder: Path,
    model: PreTrainedModel,
    processor: BaseImageProcessor | ProcessorMixin,
    name: str,
    summary: dict[str, Any],
) -> None:
    """Write the files that transformers loads, with weights in half precision, and the summary under `name`."""
    make_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as temporary:
        copy.deepcopy(model).half().save_pretrained(temporary)
        processor.save_pretrained(temporary)
        for path in sorted(Path(temporary).iterdir()):
            os.replace(path, folder / path.name)
    with atomic_file(folder / name) as path:
        path.write_text(json.dumps(summary, indent=2) + "\n")


def check_start_kept(written: Path, folder: str | None) -> None:
    """Raise UsageError if a run that writes to `written` would replace the finished model in `folder` (init)."""
    if folder is not None:
        check_kept(written / "model.safetensors", "--run", [Path(folder) / "model.safetensors"])


def take_weights(model: PreTrainedModel, folder: str | None, name: str) -> dict[str, Any] | None:
    """Copy a finished model's weights into `model`, and return its summary from the file `name`; None without a folder.

    Raises IGRError if the folder has no such model or summary, or if its weights have other names or shapes.
    """
    if folder is None:
        return None
    try:
        if not Path(folder).is_dir():  # transformers would look up anything else on a hub
            raise FileNotFoundError("no such folder")
        given, report = type(model).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise IGRError(
            f"init: {folder} cannot be loaded ({why}): name the folder of a finished model, or omit init."
        ) from error
    weights = given.state_dict()
    check_finite(weights, f"init: {folder}", "name an intact model, or omit init")
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    if any(report.values()) or {name: weight.shape for name, weight in weights.items()} != shapes:
        raise IGRError(f"init: {folder} differs in shape from this config's model: use another folder, or omit init.")
    model.load_state_dict({name: weight.to(model.dtype) for name, weight in weights.items()})
    return read_json(Path(folder) / name, "use an intact folder as init")


def training_summary(
    run: Path,
    config: PartTraining,
    photos: str,
    model: PreTrainedModel,
    scores: dict[str, float],
    started_from: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Summary of a model trained in the run folder `run`; `photos` describes its data.

    `started_from` is the summary of the model that training started from, if any.
    """
    return {
        "data": photos,
        "parameters": parameter_count(model.parameters()),
        "scores": scores,
        "training": to_json(config),
        "commands": noted_commands(run),
        "revisions": noted_revisions(run),
        "versions": versions(),
        **({} if started_from is None else {"started_from": started_from}),
    }
