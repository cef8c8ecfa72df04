"""Folders of small models with transformers' classes: their files, and a summary of the training."""

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

from ..base.parts import parameter_count
from ..base.provenance import noted_commands, noted_revisions, versions
from .photos import PhotoTraining


def save_model_folder(
    folder: Path,
    model: PreTrainedModel,
    processor: BaseImageProcessor | ProcessorMixin,
    name: str,
    summary: dict[str, Any],
) -> None:
    """Write the files that the library's classes load, with weights in half precision, and the summary as `name`."""
    make_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as temporary:
        copy.deepcopy(model).half().save_pretrained(temporary)
        processor.save_pretrained(temporary)
        for path in sorted(Path(temporary).iterdir()):
            os.replace(path, folder / path.name)
    with atomic_file(folder / name) as path:
        path.write_text(json.dumps(summary, indent=2) + "\n")


def take_weights(model: PreTrainedModel, folder: str) -> None:
    """Copy the weights of a finished model; raises IGRError if the folder has none or if they have other shapes."""
    try:
        if not Path(folder).is_dir():  # anything else would be looked up on a hub
            raise FileNotFoundError("no such folder")
        given = type(model).from_pretrained(folder, local_files_only=True, use_safetensors=True).state_dict()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise IGRError(
            f"init: {folder} cannot be loaded ({str(error).splitlines()[0]}): name the folder of a finished model, or "
            "omit init."
        ) from error
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    if {name: weight.shape for name, weight in given.items()} != shapes:
        raise IGRError(f"init: {folder} has another shape than this config's model: use another folder, or omit init.")
    model.load_state_dict({name: weight.to(model.dtype) for name, weight in given.items()})


def training_summary(
    run: Path, config: PhotoTraining, photos: str, model: PreTrainedModel, scores: dict[str, float], name: str
) -> dict[str, Any]:
    """Summary of a model trained by the run in a folder; `photos` describes its data, `name` is the summary's name.

    A model that started from another one includes the other's summary.
    """
    start = None if config.init is None else Path(config.init) / name
    earlier = {}
    if start is not None and start.is_file():
        earlier["started_from"] = read_json(start, "use an intact folder as init")
    return {
        "data": photos,
        "parameters": parameter_count(model.parameters()),
        "scores": scores,
        "training": to_json(config),
        "commands": noted_commands(run),
        "revisions": noted_revisions(run),
        "versions": versions(),
        **earlier,
    }
