"""What every training script shares: config files, the run folder, logs, checkpoints and exact resume."""

from __future__ import annotations

import csv
import logging
import pickle
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.model.config import from_json

T = TypeVar("T")

logger = logging.getLogger(__name__)


def load_config(kind: type[T], path: Path | str, changes: Iterable[str] = ()) -> T:
    """Read a YAML file into the config dataclass `kind`; IGRError names the file and the entry that is wrong.

    A file may name another, beside it, as `base`: it then gives only what differs. Mappings merge entry by entry,
    anything else (lists and null, too) replaces the base's entry. `changes` are entries over the file's, written
    `optimizer.learning_rate=0.0001`.
    """
    data = _merged_yaml(Path(path), ())
    for change in changes:
        data = _merged(data, _change(change))
    return from_json(kind, data, str(path))


def _change(text: str) -> dict[str, Any]:
    """`a.b=value` as nested mappings; the value is YAML."""
    names, equals, value = text.partition("=")
    if not equals or not all(names.split(".")):
        raise IGRError(f"--set {text!r} is not understood: write ENTRY=VALUE, such as optimizer.learning_rate=0.0001.")
    try:
        entry: Any = yaml.safe_load(value)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise IGRError(f"--set {text!r} has a value that is no YAML: {str(error).splitlines()[0]}.") from error
    for name in reversed(names.split(".")):
        entry = {name: entry}
    return entry


def _merged_yaml(path: Path, derived: tuple[Path, ...]) -> Any:
    """What a config file says, over what its base says; `derived` are the files that led here."""
    if path.resolve() in derived:
        raise IGRError(f"{path} is its own base, by way of other files: remove one `base` entry.")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise IGRError(f"Could not read the config {path} ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise IGRError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(data, dict) or "base" not in data:
        return {} if data is None else data
    base = data.pop("base")
    if not isinstance(base, str):
        raise IGRError(f"{path} has the base {base!r}; it must be the name of a file beside it.")
    return _merged(_merged_yaml(path.parent / base, (*derived, path.resolve())), data)


def _merged(base: Any, changes: Any) -> Any:
    """`changes` over `base`: mappings entry by entry, anything else as a whole."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    return {**base, **{key: _merged(base.get(key), value) for key, value in changes.items()}}


def seed_everything(seed: int) -> None:
    """Seed python's, numpy's and torch's generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state() -> dict[str, Any]:
    """State of python's, numpy's and torch's generators, of plain containers and tensors only."""
    version, words, gauss = random.getstate()
    name, keys, *rest = np.random.get_state()
    return {
        "python": [version, list(words), gauss],
        "numpy": [str(name), torch.from_numpy(keys.astype(np.int64)), *(float(value) for value in rest)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Put every generator back to what random_state saw."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), int(position), int(has_gauss), cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


@dataclass(frozen=True)
class Checkpoint:
    """What load_latest found."""

    step: int
    """Steps done when it was saved."""
    state: dict[str, Any]
    """What save_checkpoint was given."""
    random: dict[str, Any]
    """State of the random generators."""


class RunFolder:
    """One training run on disk: checkpoints/, metrics.csv, tensorboard/ and whatever pictures the script adds."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.metrics = self.path / "metrics.csv"
        self._writer: SummaryWriter | None = None
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IGRError(f"Could not make the run folder {self.path} ({error.strerror}).") from error

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append numbers to metrics.csv (one row per number) and to tensorboard."""
        try:
            self._append(step, values)
        except OSError as error:
            raise IGRError(
                f"Could not log to {self.path} ({error.strerror}): free some space and run the same command again; "
                "it goes on from the last checkpoint."
            ) from error

    def _append(self, step: int, values: Mapping[str, float]) -> None:
        fresh = not self.metrics.exists()
        with self.metrics.open("a", newline="") as handle:
            rows = csv.writer(handle, lineterminator="\n")
            if fresh:
                rows.writerow(("step", "metric", "value"))
            rows.writerows((step, name, repr(float(value))) for name, value in values.items())
        if self._writer is None:
            self._writer = SummaryWriter(str(self.path / "tensorboard"), purge_step=step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def rewind(self, step: int) -> None:
        """Forget the numbers that were logged after `step`: they are about to be computed again."""
        if not self.metrics.exists():
            return
        lines = self.metrics.read_text().splitlines(keepends=True)
        kept = [line for line in lines[1:] if line.endswith("\n") and int(line.split(",", 1)[0]) <= step]
        with atomic_file(self.metrics) as temporary:
            temporary.write_text("".join([*lines[:1], *kept]))

    def close(self) -> None:
        """Flush the logs."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def save_checkpoint(run: RunFolder, step: int, state: Mapping[str, Any], keep: int = 2) -> Path:
    """Write a checkpoint atomically, with the random state, then drop all but the newest `keep`.

    An earlier checkpoint goes only after the new one is whole on disk, so a full disk or a kill loses nothing.
    """
    path = run.checkpoints / f"step-{step:09d}.pt"
    _write(path, {"step": step, "random": random_state(), "state": dict(state)})
    for old in _newest_first(run)[max(keep, 1) :]:
        old.unlink(missing_ok=True)
        for share in run.checkpoints.glob(f"{old.stem}.rank-*.pt"):
            share.unlink(missing_ok=True)
    return path


def save_share(run: RunFolder, step: int, rank: int, state: Mapping[str, Any]) -> None:
    """Write one process's share of a sharded checkpoint, before the checkpoint itself."""
    _write(_share(run, step, rank), dict(state))


def load_share(run: RunFolder, step: int, rank: int) -> dict[str, Any]:
    """The share that save_share wrote; IGRError when it is missing or damaged."""
    path = _share(run, step, rank)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise IGRError(
            f"{path} is missing or damaged: delete the checkpoint of step {step}; the run goes on from the one before."
        ) from error


def _write(path: Path, content: dict[str, Any]) -> None:
    with atomic_file(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # how torch's zip writer reports a disk that is full
            raise OSError(f"torch could not write it: {str(error).splitlines()[0]}") from error


def _share(run: RunFolder, step: int, rank: int) -> Path:
    return run.checkpoints / f"step-{step:09d}.rank-{rank:05d}.pt"


def load_latest(run: RunFolder, resume: bool = True) -> Checkpoint | None:
    """The newest readable checkpoint of a run; None when there is none yet.

    With `resume` the random state is put back and later log lines are dropped; without, nothing is touched.
    """
    for path in _newest_first(run):
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            checkpoint = Checkpoint(saved["step"], saved["state"], saved["random"])
        except (RuntimeError, KeyError, EOFError, OSError, pickle.UnpicklingError) as error:
            logger.warning("%s is damaged (%s); trying the one before it.", path, error)
            continue
        if resume:
            resume_from(run, checkpoint)
        return checkpoint
    return None


def resume_from(run: RunFolder, checkpoint: Checkpoint, rewind: bool = True) -> None:
    """Put the random state back and drop the log lines that are about to be written again (in one process only)."""
    restore_random_state(checkpoint.random)
    if rewind:
        run.rewind(checkpoint.step)


class Average:
    """Exponential moving average of a module's trained weights; young runs average over fewer steps.

    With a decay of 0 it holds nothing, and the live weights stand for it.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self._live = trained if decay > 0 else {}
        self.weights = {name: weight.detach().clone() for name, weight in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the live weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        if self._live:
            torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in self._live.values()], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange average and live weights: once to look at the average, once more to go on training."""
        for name, live in self._live.items():
            kept = live.detach().clone()
            live.copy_(self.weights[name])
            self.weights[name].copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.steps = state["steps"]
        for name, weight in self.weights.items():
            weight.copy_(state["weights"][name])


def step_generator(seed: int, step: int) -> torch.Generator:
    """Random numbers that belong to one step of one run, whatever ran before it."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1))


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def parameter_count(tensors: Iterable[Tensor]) -> int:
    """Numbers in all the tensors."""
    return sum(tensor.numel() for tensor in tensors)


def _newest_first(run: RunFolder) -> list[Path]:
    whole = (path for path in run.checkpoints.glob("step-*.pt") if ".rank-" not in path.name)
    return sorted(whole, reverse=True)
