"""The state in a checkpoint of the trainer, and the networks that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from igr_core.errors import IGRError
from igr_core.model.config import ModelConfig, from_json
from igr_core.model.igr import IGR

from ..base.run.checkpoints import DamagedError
from ..base.run.state import check_kind, check_training, json_entry
from ..base.train_config import LoraConfig
from .compute.lora import add_lora

_SINCE_THIS_VERSION = frozenset({"train_config", "data", "acceleration"})


def check_version(state: Mapping[str, Any], where: str) -> None:
    """Raise IGRError for a state from an earlier version of the trainer, which recorded less."""
    if not state.keys() >= _SINCE_THIS_VERSION:
        raise IGRError(
            f"{where} was trained with an earlier version: resume it with that version, or start a new run from "
            "its exported bundle (init_bundle)."
        )


def recorded_model(state: Mapping[str, Any]) -> IGR:
    """Build the networks, with any adapters, from the configs in a checkpoint; their weights are random."""
    model = IGR(from_json(ModelConfig, json_entry(state, "model_config"), "checkpoint"))
    lora = json_entry(state, "train_config").get("lora")
    if lora is not None:
        add_lora(model, from_json(LoraConfig, lora, "checkpoint (lora)"))
    return model


def check_state(state: Mapping[str, Any]) -> None:
    """Raise DamagedError unless a state has all entries, and the shapes of its weights and average match its configs.

    States from earlier versions are left to check_version.
    """
    if not state.keys() >= _SINCE_THIS_VERSION:
        return
    config = json_entry(state, "train_config")
    with torch.device("meta"):
        model = recorded_model(state)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    check_training(state, "model", model.state_dict(), trained if config.get("ema_decay") else set())
    json_entry(state, "data_settings")
    check_kind(state, "acceleration", dict)
    check_kind(state, "recent", list)
    _check_data(json_entry(state, "data"), config.get("low_resolution") is not None)


def _check_data(kept: Mapping[str, Any], low_resolution: bool) -> None:
    check_kind(kept, "files", dict, "its data")
    check_kind(kept, "records", dict, "its data")
    check_kind(kept, "step_pairs", dict, "its data")
    check_kind(kept, "trained_on", (dict, type(None)), "its data")
    for name in ("data", "low_resolution") if low_resolution else ("data",):
        check_kind(kept["step_pairs"], name, int, "its data")
    for record in (*kept["records"].values(), kept["trained_on"]):
        if record is not None and not is_record(record):
            raise DamagedError("its data has an invalid record")


def is_record(record: Any) -> bool:
    """Whether `record` is a valid record of a run's data, as created by Batches."""
    if not isinstance(record, dict) or not isinstance(record.get("round"), int):
        return False
    entries = record.get("entries")
    return isinstance(entries, list) and all(
        isinstance(one, dict) and {"name", "pairs", "content"} <= one.keys() for one in entries
    )
