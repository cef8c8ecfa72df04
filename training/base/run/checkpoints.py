"""Checkpoints from which a run resumes exactly. They are written atomically, and only the newest are kept."""

from __future__ import annotations

import errno
import math
import os
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.ranges import shown
from igr_core.text import one_line

from .randomness import check_random_state, random_state, restore_random_state
from .run_folder import RunFolder, logger

DAMAGED = ".damaged"
"""Suffix of damaged checkpoints that were set aside."""
_NAME = re.compile(r"step-([0-9]{1,15})\.pt")


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

    Older checkpoints are only deleted once the new one is complete, so a full disk or a killed process loses nothing.
    Damaged checkpoints, and those of steps that this run has not reached, are not counted and are renamed to end in
    `.damaged`.
    """
    path = run.checkpoints / f"step-{step:09d}.pt"
    if path.is_dir():  # a file cannot replace it
        _set_aside(path)
    _write(path, {"step": step, "random": random_state(), "state": dict(state)})
    run.damaged.discard(path)  # the damaged file has been overwritten
    for aside in _newest_first(run):
        if aside in run.damaged or _step(aside) > step or not os.path.isfile(aside):
            for file in (aside, *_shares(run, aside)):
                _set_aside(file)
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
    """A checkpoint's file is missing or truncated, or differs from what was written."""


_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    ValueError,
    RuntimeError,
    pickle.UnpicklingError,
)
_UNREADABLE = (
    "{path} could not be read ({reason}): make it readable, or free some memory, and run the same command again."
)


def _read(path: Path) -> dict[str, Any]:
    """Load a file written by torch.save, and verify that its checksums match and that all of its numbers are finite.

    Raises DamagedError, or IGRError if the file cannot be read at the moment.
    """
    if not os.path.isfile(path):  # a folder, a symlink loop
        raise DamagedError("it is not a file")
    try:
        with zipfile.ZipFile(path) as archive:
            if (wrong := archive.testzip()) is not None:  # torch.load does not verify checksums
                raise DamagedError(f"the checksum of {wrong} is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True)
        _check_finite(content, "")
    except _DAMAGES as error:
        if "memory" in str(error):  # torch reports a lack of memory as a RuntimeError
            raise IGRError(_UNREADABLE.format(path=path, reason="out of memory")) from error
        raise DamagedError(str(error).partition("\n")[0]) from error
    except (OSError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno == errno.EINVAL:  # corrupt bytes made an offset negative
            raise DamagedError(str(error)) from error
        reason = getattr(error, "strerror", None) or "out of memory"
        raise IGRError(_UNREADABLE.format(path=path, reason=reason)) from error
    if not isinstance(content, dict):
        raise DamagedError("it contains no entries")
    return content


def _check_finite(content: Any, name: str) -> None:
    """Raise DamagedError with the name of a tensor or number that is not finite."""
    finite = True
    if isinstance(content, Mapping):
        for key, value in content.items():
            _check_finite(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, (list, tuple)):
        for number, value in enumerate(content):
            _check_finite(value, f"{name}[{number}]")
    elif isinstance(content, float):
        finite = math.isfinite(content)
    elif isinstance(content, Tensor):
        finite = bool(content.isfinite().all())
    if not finite:
        raise DamagedError(f"{name} is not finite")


def _checkpoint(path: Path) -> Checkpoint:
    """Load a checkpoint; raises DamagedError unless it contains the step in its name, a state and a random state."""
    saved = _read(path)
    step, state, random = (saved.get(name) for name in ("step", "state", "random"))
    if type(step) is not int or step != _step(path):
        raise DamagedError(f"its step is {shown(step)}")
    if not isinstance(state, dict) or not isinstance(random, dict):
        raise DamagedError("it contains no state, or no state of the random number generators")
    try:
        check_random_state(random)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise DamagedError("the state of its random number generators is incomplete") from error
    return Checkpoint(step, state, random)


def _write(path: Path, content: dict[str, Any]) -> None:
    with atomic_file(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # raised by torch's zip writer if the disk is full
            raise OSError(f"torch could not write the file: {str(error).splitlines()[0]}") from error


def _share(run: RunFolder, step: int, rank: int) -> Path:
    return run.checkpoints / f"step-{step:09d}.rank-{rank:05d}.pt"


def load_latest(
    run: RunFolder, resume: bool = True, check: Callable[[dict[str, Any]], None] = lambda state: None
) -> Checkpoint | None:
    """The newest complete checkpoint of a run; None if it has no checkpoints yet.

    With `resume`, the random state is restored and later log lines are removed; otherwise nothing is changed. If
    `check` raises DamagedError because a state is incomplete, its checkpoint is skipped as if it were damaged on disk.
    Raises IGRError if all existing checkpoints are damaged, or if a checkpoint cannot be read.
    """
    paths = _newest_first(run)
    for path in paths:
        try:
            checkpoint = _checkpoint(path)
            check(checkpoint.state)
        except DamagedError as error:
            shown = one_line(str(path)), one_line(str(error))
            logger.warning("%s is damaged (%s); trying the previous checkpoint.", *shown)
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
    """Restore the random state, and remove the log lines that will be written again if `rewind` (one process only)."""
    restore_random_state(checkpoint.random)
    if rewind:
        run.rewind(checkpoint.step)


def has_checkpoint(run: RunFolder) -> bool:
    """Whether a run has saved a checkpoint; those that were found damaged are not counted."""
    return any(path not in run.damaged for path in _newest_first(run))


def _newest_first(run: RunFolder) -> list[Path]:
    """Checkpoints sorted by step, the newest first; other files in the folder are ignored."""
    named = (path for path in run.checkpoints.glob("step-*.pt") if _NAME.fullmatch(path.name))
    return sorted(named, key=_step, reverse=True)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _set_aside(path: Path) -> None:
    """Rename a file or folder to end in `.damaged`, followed by a number if that name already exists."""
    aside, number = path.with_name(f"{path.name}{DAMAGED}"), 1
    while os.path.lexists(aside):
        aside, number = path.with_name(f"{path.name}{DAMAGED}.{number}"), number + 1
    path.rename(aside)


def _shares(run: RunFolder, path: Path) -> list[Path]:
    return sorted(run.checkpoints.glob(f"{path.stem}.rank-*.pt"))
