"""Which settings may change when a run goes on, and which would make it another run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from igr_core.errors import IGRError
from igr_core.model.config import from_json, to_json

from .optimisation.schedule import rate_share
from .train_config import TrainConfig

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
        "data.workers",
    }
)
"""Entries that do not change what a step computes: length, end of the schedule, logs, checkpoints, validation."""


def check_same_run(config: TrainConfig, saved: str, step: int, where: str) -> None:
    """Raise IGRError if `config` would make a run of `step` steps, trained with the JSON config `saved`, another run.

    Length and decay may change only while no step that was taken would have had another learning rate.
    """
    before = from_json(TrainConfig, json.loads(saved), f"{where} (config)")
    old, new = (dict(flat(to_json(one))) for one in (before, config))
    for name in sorted(old.keys() | new.keys()):
        if name not in FREE and old.get(name) != new.get(name):
            raise IGRError(
                f"{where} was trained with {name} = {old.get(name)!r} and the config says {new.get(name)!r}: "
                "put it back, or choose another --run folder."
            )
    for taken in range(step):
        if rate_share(before.optimizer, taken, before.steps) != rate_share(config.optimizer, taken, config.steps):
            raise IGRError(
                f"{where} has {step} steps, and with steps = {config.steps} and decay_steps = "
                f"{config.optimizer.decay_steps} step {taken} would have had another learning rate: put back "
                f"{before.steps} and {before.optimizer.decay_steps}, delete the checkpoints after step {taken}, "
                "or start another --run from an exported bundle (init_bundle)."
            )


def flat(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Entries of nested mappings by dotted names, lists and tuples alike."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, json.loads(json.dumps(data))
