"""Check that a resumed run has the same settings and data, and starts from the same files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.model.bundle import Bundle
from igr_core.model.config import from_json, to_json

from ..base.optimisation.schedule import rate_share
from ..base.provenance import bundle_weights_sha256
from ..base.run.resume import check_same_run, flat, is_lowered
from ..base.train_config import TrainConfig

FREE = frozenset(
    {
        "steps",
        "optimizer.decay_steps",
        "log_every",
        "checkpoint_every",
        "keep_checkpoints",
        "data.validation",
        "data.workers",
        "validate_every",
        "validation_pairs",
        "grid_pairs",
        "grid_steps",
        "guidance",
    }
)
"""Entries that do not change what a step computes: run length, final decay, logs, checkpoints, validation."""

ROUNDING = frozenset({"precision", "attention", "memory_format", "compile", "gradient_checkpointing"})
"""Entries that only affect rounding; differences in them are reported."""

DIVIDED = frozenset({"data.pairs_per_batch", "low_resolution.pairs_per_batch", "accumulation"})
"""Entries that only divide a step into parts; pairs_per_batch × accumulation × processes must stay the same."""

FILES = frozenset(
    {
        "data.train",
        "low_resolution.train",
        "data.vae",
        "data.image_encoder",
        "init_bundle",
        "extra_losses.lpips_weights",
        "extra_losses.dino_model",
    }
)
"""Entries that name files and folders, whose contents are compared, not their paths."""

DATA = frozenset({"data.weights", "data.photos", "data.limit", "data.round_steps", "low_resolution.weights"})
"""Entries that, like the data itself, may only change with `train --allow-new-data`."""

RATES = ("learning_rate", "muon_learning_rate")
"""Entries of `optimizer` that may be lowered, to fix a loss that is not finite."""


def check_same_training(config: TrainConfig, saved: str, step: int, where: str) -> None:
    """Raise IGRError if a run of `step` steps with the JSON config `saved` cannot be resumed with `config`.

    `steps` and `decay_steps` may only change if every step taken so far keeps its learning rate.
    """
    before = from_json(TrainConfig, json.loads(saved), f"{where} (config)")
    lowered = replace(config, optimizer=replace(config.optimizer, **_rates_before(before, config)))
    check_same_run(to_json(before), to_json(lowered), FREE | ROUNDING | DIVIDED | FILES | DATA, where)
    for taken in range(step):
        if rate_share(before.optimizer, taken, before.steps) != rate_share(config.optimizer, taken, config.steps):
            raise IGRError(
                f"{where} has {step} steps, but with steps = {config.steps} and decay_steps = "
                f"{config.optimizer.decay_steps} step {taken} would have had a different learning rate: change them "
                f"back to {before.steps} and {before.optimizer.decay_steps}, delete the checkpoints after step "
                f"{taken}, or start a new --run from an exported bundle (init_bundle)."
            )


def _rates_before(before: TrainConfig, now: TrainConfig) -> dict[str, float]:
    """The earlier values of the learning rates that have been lowered."""
    pairs = {name: (getattr(before.optimizer, name), getattr(now.optimizer, name)) for name in RATES}
    return {name: old for name, (old, new) in pairs.items() if is_lowered(old, new)}


def step_pairs(config: TrainConfig, processes: int) -> dict[str, int]:
    """Pairs per step over all processes and micro-batches, at each resolution."""
    batches = {"data": config.data.pairs_per_batch}
    if config.low_resolution is not None:
        batches["low_resolution"] = config.low_resolution.pairs_per_batch
    return {name: size * processes * config.accumulation for name, size in batches.items()}


def check_same_step(config: TrainConfig, processes: int, saved: Mapping[str, int], where: str) -> None:
    """Raise IGRError if the number of pairs per step has changed; it does not matter how a step is divided."""
    for name, pairs in step_pairs(config, processes).items():
        if pairs != saved[name]:
            size = pairs // processes // config.accumulation
            raise IGRError(
                f"{where} was trained with {saved[name]} pairs per step, but {name}.pairs_per_batch ({size}) × "
                f"{processes} {'process' if processes == 1 else 'processes'} × accumulation ({config.accumulation}) "
                f"is {pairs}: choose values whose product is {saved[name]}, or another --run folder."
            )


def file_contents(config: TrainConfig) -> dict[str, str]:
    """Hashes, by config entry, of all files that a run's steps depend on, except its pairs."""
    found = {"data.vae": sha256(config.data.vae), "data.image_encoder": sha256(config.data.image_encoder)}
    if config.init_bundle is not None:
        found["init_bundle"] = bundle_weights_sha256(Bundle.open(config.init_bundle))
    extra = config.extra_losses
    if extra.lpips > 0 and extra.lpips_weights is not None:
        found["extra_losses.lpips_weights"] = sha256(extra.lpips_weights)
    if extra.dino > 0 and extra.dino_model is not None:
        found |= {f"extra_losses.dino_model/{path.name}": sha256(path) for path in _files(Path(extra.dino_model))}
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".json", ".safetensors", ".bin"))


def check_same_files(now: Mapping[str, str], saved: Mapping[str, str], where: str) -> None:
    """Raise IGRError naming a file whose content has changed."""
    for name in sorted(now.keys() | saved.keys()):
        if now.get(name) != saved.get(name):
            raise IGRError(
                f"{where} was trained with a different {name}: its content has changed. Use the file that the run "
                "began with, at any path, or choose another --run folder."
            )


def data_changes(config: TrainConfig, now: Mapping[str, Any], saved: str, before: Mapping[str, Any]) -> list[str]:
    """Descriptions of how a run's data differs from the data in its checkpoint's record; empty if it does not.

    `now` and `before` are records of Batches by stage; rounds that the checkpoint does not record are not compared.
    """
    old, new = dict(flat(json.loads(saved))), dict(flat(to_json(config)))
    found = [f"{name} was {old.get(name)} and is {new.get(name)}" for name in sorted(DATA) if _differs(name, old, new)]
    for stage, record in now.items():
        earlier = before.get(stage)
        if earlier is not None and earlier["round"] == record["round"]:
            found.extend(_entry_changes(earlier["entries"], record["entries"]))
    return found


def _differs(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return old.get(name) != new.get(name)


def _entry_changes(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> Iterator[str]:
    if len(before) != len(now):
        yield f"the number of entries was {len(before)} and is {len(now)}"
        return
    for old, new in zip(before, now, strict=True):
        named = new["name"] if old["name"] == new["name"] else f"{new['name']} (instead of {old['name']})"
        if old["pairs"] != new["pairs"]:
            yield f"{named} has {new['pairs']} pairs instead of {old['pairs']}"
        elif old["content"] != new["content"]:
            yield f"{named} contains different pairs"


def same_data(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two records describe the same data, regardless of its location."""
    return _nameless(one) == _nameless(other)


def _nameless(record: Mapping[str, Any] | None) -> Any:
    if record is None:
        return None
    entries = [{key: value for key, value in entry.items() if key != "name"} for entry in record["entries"]]
    return {**record, "entries": entries}
