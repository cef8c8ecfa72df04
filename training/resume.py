"""Which settings may change when a run goes on, and which would make it another run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from igr_core.config import from_json, to_json
from igr_core.errors import IGRError

from .config import TrainConfig

FREE = frozenset(
    {
        "steps",
        "optimizer.decay_steps",
        "log_every",
        "checkpoint_every",
        "keep_checkpoints",
        "data.validation",
        "validate_every",
        "validation_pairs",
        "grid_pairs",
        "grid_steps",
        "guidance",
    }
)
"""Entries that do not change what a step computes: length, end of the schedule, logs, checkpoints, validation."""


def check_same_run(config: TrainConfig, saved: str, where: str) -> None:
    """Raise IGRError naming the first entry in which `config` differs from the JSON config of a checkpoint."""
    before, now = (
        dict(_flat(to_json(one))) for one in (from_json(TrainConfig, json.loads(saved), f"{where} (config)"), config)
    )
    for name in sorted(before.keys() | now.keys()):
        if name not in FREE and before.get(name) != now.get(name):
            raise IGRError(
                f"{where} was trained with {name} = {before.get(name)!r} and the config says {now.get(name)!r}: "
                "put it back, or choose another --run folder."
            )


def _flat(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Entries of nested mappings by dotted names, lists and tuples alike."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, json.loads(json.dumps(data))
