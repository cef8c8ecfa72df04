"""Checkpoints of a run: written atomically, only the newest kept, resumed exactly."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from igr_core.errors import IGRError
from igr_core.files import atomic_file

from .randomness import random_state, restore_random_state
from .run_folder import RunFolder, logger


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint."""

    step: int
    """Number of steps done when it was saved."""
    state: dict[str, Any]
    """The state passed to save_checkpoint."""
    random: dict[str, Any]
    """State of the random number generators."""


def save_checkpoint(run: RunFolder, step: int, state: Mapping[str, Any], keep: int = 2) -> Path:
    """Write a checkpoint atomically, with the random state, then delete all but the newest `keep`.

    Older checkpoints are only deleted after the new one is complete, so a full disk or a kill loses nothing.
    """
    path = run.checkpoints / f"step-{step:09d}.pt"
    _write(path, {"step": step, "random": random_state(), "state": dict(state)})
    for old in _newest_first(run)[max(keep, 1) :]:
        old.unlink(missing_ok=True)
        for share in run.checkpoints.glob(f"{old.stem}.rank-*.pt"):
            share.unlink(missing_ok=True)
    return path


def save_share(run: RunFolder, step: int, rank: int, state: Mapping[str, Any]) -> None:
    """Write one process's part of a sharded checkpoint, before the checkpoint itself."""
    _write(_share(run, step, rank), dict(state))


def load_share(run: RunFolder, step: int, rank: int) -> dict[str, Any]:
    """The part that save_share wrote; raises IGRError if it is missing or damaged."""
    path = _share(run, step, rank)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise IGRError(
            f"{path} is missing or damaged: delete the checkpoint of step {step} to resume from the previous one."
        ) from error


def _write(path: Path, content: dict[str, Any]) -> None:
    with atomic_file(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # raised by torch's zip writer if the disk is full
            raise OSError(f"torch could not write it: {str(error).splitlines()[0]}") from error


def _share(run: RunFolder, step: int, rank: int) -> Path:
    return run.checkpoints / f"step-{step:09d}.rank-{rank:05d}.pt"


def newest_step(run: RunFolder) -> int:
    """Steps done by the newest checkpoint of a run, by its name; 0 when there is none yet."""
    newest = _newest_first(run)[:1]
    return int(newest[0].stem.removeprefix("step-")) if newest else 0


def load_latest(run: RunFolder, resume: bool = True) -> Checkpoint | None:
    """The newest readable checkpoint of a run; None if there is none yet.

    With `resume`, the random state is restored and later log lines are removed; otherwise nothing is changed.
    """
    for path in _newest_first(run):
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            checkpoint = Checkpoint(saved["step"], saved["state"], saved["random"])
        except (RuntimeError, KeyError, EOFError, OSError, pickle.UnpicklingError) as error:
            logger.warning("%s is damaged (%s); trying the previous checkpoint.", path, error)
            continue
        if resume:
            resume_from(run, checkpoint)
        return checkpoint
    return None


def resume_from(run: RunFolder, checkpoint: Checkpoint, rewind: bool = True) -> None:
    """Restore the random state and remove the log lines that will be written again (in one process only)."""
    restore_random_state(checkpoint.random)
    if rewind:
        run.rewind(checkpoint.step)


def _newest_first(run: RunFolder) -> list[Path]:
    whole = (path for path in run.checkpoints.glob("step-*.pt") if ".rank-" not in path.name)
    return sorted(whole, reverse=True)
