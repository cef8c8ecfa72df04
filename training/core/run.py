"""A training run from start to finish: lock the run folder, record and report the start, take the steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle
from igr_core.model.config import to_json
from igr_core.text import counted

from ..base.effects import without_effect
from ..base.files import check_space, write_text
from ..base.provenance import command_line, note_parent, note_start, noted_data
from ..base.run.run_folder import RunFolder
from ..base.train_config import TrainConfig
from ..prepared.fits import check_apart
from .compute.engine import peer_lost
from .trainer import Trainer, model_summary
from .validation import Validator


def train_run(
    config: TrainConfig, path: Path, until: int | None, allow_new_data: bool, report: Callable[[str], None]
) -> tuple[int, int]:
    """Train in a run folder, or resume the run there.

    Returns the number of steps done, and the number of the signal that stopped the run, or 0. `report` receives lines
    for the user. Raises the IGRErrors of Trainer, and also raises IGRError if another training run is using the folder,
    if the run has already taken more steps than the config specifies, if there is not enough disk space for a
    checkpoint, or if another process of the run has died.
    """
    check_apart(config)
    folder = RunFolder(path)
    with folder.locked():
        validator = Validator(config, folder.path) if config.validate_every else None
        trainer = Trainer(config, folder, allow_new_data)
        if trainer.step > config.steps:
            raise IGRError(
                f"{folder.path} has already taken {counted(trainer.step, 'step')}, more than steps = {config.steps}: "
                "raise steps, or choose another --run folder."
            )
        if trainer.is_main:
            if trainer.step < config.steps:  # detect a full disk now rather than after hours of steps
                check_space(folder.checkpoints, trainer.checkpoint_bytes, "A checkpoint")
            _report_start(trainer, report)
            if trainer.step >= min(until or config.steps, config.steps):
                report(f"nothing to do: the run has already taken {counted(trainer.step, 'step')}")
        try:
            trainer.run_steps(validator, until)
        except RuntimeError as error:
            if not peer_lost(error):
                raise
            raise IGRError(
                f"Another process of the run has died (see its message above): run the same command again to resume "
                f"from the last checkpoint in {folder.checkpoints}."
            ) from error
        finally:
            folder.close()
    return trainer.step, trainer.stopped_by


def _report_start(trainer: Trainer, report: Callable[[str], None]) -> None:
    """Record the start in the run folder, and report it to the user."""
    config, folder = trainer.config, trainer.run
    noted_data(folder.path)  # if the file is damaged, fail now rather than after the first step
    note_start(folder.path, trainer.step, command_line())
    if config.init_bundle is not None and trainer.step == 0:
        note_parent(folder.path, Bundle.open(config.init_bundle))
    write_text(folder.path / "config.json", json.dumps(to_json(config), indent=2) + "\n")
    report(f"{model_summary(trainer.bare.config, trainer.bare)}; starting at step {trainer.step}")
    report(trainer.engine.describe())
    for note in without_effect(config):
        report(f"note: {note}")
    if trainer.computed_otherwise:
        changes_made = ", ".join(trainer.computed_otherwise)
        report(
            f"steps up to {trainer.step} were computed differently ({changes_made}), so the run is not reproducible "
            "bit for bit"
        )
    if trainer.new_data:
        report(f"starting at step {trainer.step}, the run has new data: {'; '.join(trainer.new_data)}")
