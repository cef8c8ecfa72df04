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
from igr_core.text import counted

from ..base.optimisation.schedule import rate_share
from ..base.parts import CONFIGS, check_finite_file, describe_content
from ..base.provenance import bundle_weights_sha256
from ..base.run.resume import check_same_run, flat, is_lowered
from ..base.train_config import TrainConfig
from ..prepared.fits import model_config

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
"""Entries that name files and folders; their contents are compared rather than their paths."""

DATA = frozenset({"data.weights", "data.photos", "data.limit", "data.round_steps", "low_resolution.weights"})
"""Entries that, like the data itself, may only change with `train --allow-new-data`."""

PART_CONFIGS = frozenset(f"data.{name}" for name in CONFIGS)
"""Recorded contents that are configs in the .json files beside the VAE and the image encoder."""

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
                f"{where} has {counted(step, 'step')}, but with steps = {config.steps} and decay_steps = "
                f"{config.optimizer.decay_steps}, step {taken} would have had a different learning rate: change them "
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
    """Raise IGRError if the number of pairs per step has changed; how a step is divided does not matter."""
    for name, pairs in step_pairs(config, processes).items():
        if pairs != saved[name]:
            size = pairs // processes // config.accumulation
            raise IGRError(
                f"{where} was trained with {counted(saved[name], 'pair')} per step, but {name}.pairs_per_batch "
                f"({size}) × {counted(processes, 'process', 'processes')} × accumulation ({config.accumulation}) is "
                f"{pairs}: choose values whose product is {saved[name]}, or another --run folder."
            )


def part_contents(config: TrainConfig) -> dict[str, str]:
    """Hashes of the VAE and the image encoder, and their configs, by config entry."""
    parts = describe_content(config.data.vae, "vae") | describe_content(config.data.image_encoder, "image_encoder")
    return {f"data.{name}": value for name, value in parts.items()}


def file_contents(config: TrainConfig) -> dict[str, str]:
    """Hashes, by config entry, of all files that affect a run's steps, except its pairs; see also part_contents."""
    found = part_contents(config)
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


def check_finite_parts(config: TrainConfig) -> None:
    """Raise IGRError if a frozen part has NaN or infinite weights, because such a bundle could not be exported."""
    check_finite_file(config.data.vae)
    if model_config(config).image_prompt is not None:
        check_finite_file(config.data.image_encoder)


def check_same_files(now: Mapping[str, str], saved: Mapping[str, str], where: str) -> None:
    """Raise IGRError naming a file whose content has changed.

    The configs of the VAE and the image encoder are not compared if an earlier version wrote the checkpoint, because it
    did not record them.
    """
    for name in sorted(now.keys() | saved.keys()):
        if now.get(name) == saved.get(name) or (name in PART_CONFIGS and name not in saved):
            continue
        if name in PART_CONFIGS:
            raise IGRError(
                f"{where} was trained with another config in the .json file beside {name.removesuffix('_config')}: "
                "restore the .json file that the run began with."
            )
        raise IGRError(
            f"{where} was trained with a different {name}: its content has changed. Use the file that the run began "
            "with, at any path, or choose another --run folder."
        )


def data_changes(config: TrainConfig, now: Mapping[str, Any], saved: str, before: Mapping[str, Any]) -> list[str]:
    """Descriptions of how a run's data differs from the data recorded in its checkpoint; empty if there is no
    difference.

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
            yield f"{named} has {counted(new['pairs'], 'pair')} instead of {old['pairs']}"
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
