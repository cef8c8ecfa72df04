"""Folders of small models with transformers' classes: their files, and a summary of the training."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from transformers import BaseImageProcessor, PreTrainedModel, ProcessorMixin

from igr_core.files import atomic_file, make_folder
from igr_core.model.config import to_json

from ..base.parts import parameter_count
from ..base.provenance import noted_commands, noted_revisions, versions
from .part_training import PartTraining


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


def training_summary(
    run: Path, config: PartTraining, photos: str, model: PreTrainedModel, scores: dict[str, float]
) -> dict[str, Any]:
    """Summary of a model trained by the run in a folder; `photos` describes its data."""
    return {
        "data": photos,
        "parameters": parameter_count(model.parameters()),
        "scores": scores,
        "training": to_json(config),
        "commands": noted_commands(run),
        "revisions": noted_revisions(run),
        "versions": versions(),
    }
