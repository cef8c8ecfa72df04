"""Checkpoints of a run, written atomically and resumed exactly; only the newest ones are kept."""

from __future__ import annotations

import errno
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from igr_core.errors import IGRError
from igr_core.files import atomic_file

from .randomness import random_state, restore_random_state
from .run_folder import RunFolder, logger

DAMAGED = ".damaged"
"""Suffix of damaged checkpoints that were set aside."""


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

    Older checkpoints are only deleted after the new one is complete, so a full disk or a kill loses nothing. Damaged
    files, and those of steps that this run has not reached, are ignored and renamed to end in `.damaged`.
    """
    path = run.checkpoints / f"step-{step:09d}.pt"
    _write(path, {"step": step, "random": random_state(), "state": dict(state)})
    run.damaged.discard(path)  # the damaged file has been overwritten
    for aside in _newest_first(run):
        if aside in run.damaged or _step(aside) > step:
            for file in (aside, *_shares(run, aside)):
                file.rename(file.with_name(f"{file.name}{DAMAGED}"))
    for old in _newest_first(run)[max(keep, 1) :]:
        old.unlink(missing_ok=True)
        for share in _shares(run, old):
            share.unlink(missing_ok=True)
    return path


def save_share(run: RunFolder, step: int, rank: int, state: Mapping[str, Any]) -> None:
    """Write one process's part of a sharded checkpoint, before the checkpoint itself."""
    _write(_share(run, step, rank), dict(state))


def load_share(run: RunFolder, step: int, rank: int) -> dict[str, Any]:
    """Load the part written by save_share; raises IGRError if it is missing, damaged or unreadable."""
    path = _share(run, step, rank)
    try:
        return _read(path)
    except DamagedError as error:
        raise IGRError(
            f"{path} is missing or damaged: delete the checkpoint of step {step} to resume from the previous one."
        ) from error


class DamagedError(Exception):
    """A file of a checkpoint is missing, truncated, or not what was written."""


_DAMAGES = (
    FileNotFoundError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    ValueError,
    RuntimeError,
    pickle.UnpicklingError,
)
_UNREADABLE = (
    "{path} could not be read ({reason}): make it readable, or free some memory, and run the same command again."
)


def _read(path: Path) -> dict[str, Any]:
    """Load a file of torch.save and verify its checksums; raises DamagedError, or IGRError if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            if (wrong := archive.testzip()) is not None:  # torch.load does not check them
                raise DamagedError(f"the checksum of {wrong} is wrong")
        return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGES as error:
        if "memory" in str(error):  # how torch reports a lack of memory
            raise IGRError(_UNREADABLE.format(path=path, reason="out of memory")) from error
        raise DamagedError(str(error).partition("\n")[0]) from error
    except (OSError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno == errno.EINVAL:  # corrupt bytes made an offset negative
            raise DamagedError(str(error)) from error
        reason = getattr(error, "strerror", None) or "out of memory"
        raise IGRError(_UNREADABLE.format(path=path, reason=reason)) from error


def _write(path: Path, content: dict[str, Any]) -> None:
    with atomic_file(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # raised by torch's zip writer if the disk is full
            raise OSError(f"torch could not write the file: {str(error).splitlines()[0]}") from error


def _share(run: RunFolder, step: int, rank: int) -> Path:
    return run.checkpoints / f"step-{step:09d}.rank-{rank:05d}.pt"


def load_latest(run: RunFolder, resume: bool = True) -> Checkpoint | None:
    """The newest complete checkpoint of a run; None if there is none yet.

    With `resume`, the random state is restored and later log lines are removed; otherwise nothing is changed. Raises
    IGRError if there are checkpoints and all are damaged, or if one cannot be read.
    """
    paths = _newest_first(run)
    for path in paths:
        try:
            saved = _read(path)
            checkpoint = Checkpoint(saved["step"], saved["state"], saved["random"])
        except (DamagedError, KeyError, TypeError) as error:
            logger.warning("%s is damaged (%s); trying the previous checkpoint.", path, error)
            run.damaged.add(path)
            continue
        if resume:
            resume_from(run, checkpoint)
        return checkpoint
    if paths:
        named = ", ".join(path.name for path in reversed(paths))
        raise IGRError(
            f"All checkpoints in {run.checkpoints} are damaged ({named}): restore a copy, choose another --run folder, "
            "or delete them to start again at step 0."
        )
    if resume:
        run.rewind(0)
    return None


def resume_from(run: RunFolder, checkpoint: Checkpoint, rewind: bool = True) -> None:
    """Restore the random state and remove the log lines that will be written again (in one process only)."""
    restore_random_state(checkpoint.random)
    if rewind:
        run.rewind(checkpoint.step)


def _newest_first(run: RunFolder) -> list[Path]:
    """Checkpoints by step; other files in the folder are ignored."""
    named = (path for path in run.checkpoints.glob("step-*.pt") if path.stem.removeprefix("step-").isdigit())
    return sorted(named, key=_step, reverse=True)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _shares(run: RunFolder, path: Path) -> list[Path]:
    return sorted(run.checkpoints.glob(f"{path.stem}.rank-*.pt"))
