"""Settings that may change when a run is resumed, and those that may not."""

from __future__ import annotations

import json

from igr_core.errors import IGRError
from igr_core.model.config import from_json, to_json

from ..base.optimisation.schedule import rate_share
from ..base.resume import check_same_run
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
"""Entries that do not change what a step computes: length, end of the schedule, logs, checkpoints, validation."""


def check_same_training(config: TrainConfig, saved: str, step: int, where: str) -> None:
    """Raise IGRError if a run of `step` steps with the JSON config `saved` cannot be resumed with `config`.

    Length and decay may change only while no step that was taken would have had another learning rate.
    """
    before = from_json(TrainConfig, json.loads(saved), f"{where} (config)")
    check_same_run(to_json(before), to_json(config), FREE, where)
    for taken in range(step):
        if rate_share(before.optimizer, taken, before.steps) != rate_share(config.optimizer, taken, config.steps):
            raise IGRError(
                f"{where} has {step} steps, but with steps = {config.steps} and decay_steps = "
                f"{config.optimizer.decay_steps} step {taken} would have had another learning rate: change them back "
                f"to {before.steps} and {before.optimizer.decay_steps}, delete the checkpoints after step {taken}, "
                "or start another --run from an exported bundle (init_bundle)."
            )
