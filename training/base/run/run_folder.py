"""A training run on disk, and its logs."""

from __future__ import annotations

import csv
import logging
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.outputs import check_folder
from igr_core.processes import launched_processes
from igr_core.text import one_line

from .locking import locked

logger = logging.getLogger(__name__)

HEADER = ("step", "metric", "value")
FILES = ("metrics.csv", "config.json", "commands.txt", "revisions.txt", "data.json", "parent.json")
"""Files that a run writes into its folder."""
_ROW = re.compile(r"([0-9]{1,12}),([ -+\--~]+),(-?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|inf|nan))")


class RunFolder:
    """A training run on disk: checkpoints/, metrics.csv, tensorboard/ and the images that the trainer adds."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.metrics = self.path / "metrics.csv"
        self.damaged: set[Path] = set()
        """Checkpoints that were found damaged."""
        self._writer: SummaryWriter | None = None
        try:
            check_folder(self.checkpoints, "The run folder")
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IGRError(
                f"Could not create the run folder {self.path} ({error.strerror}): choose another --run folder."
            ) from error

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append metrics to metrics.csv (one row each) and to TensorBoard."""
        try:
            self._append(step, values)
        except OSError as error:
            raise IGRError(
                f"Could not log to {self.path} ({error.strerror}): free some space and run the same command again to "
                "resume from the last checkpoint."
            ) from error

    def _append(self, step: int, values: Mapping[str, float]) -> None:
        fresh = not self.metrics.exists()
        with self.metrics.open("a", newline="") as handle:
            rows = csv.writer(handle, lineterminator="\n")
            if fresh:
                rows.writerow(HEADER)
            rows.writerows((step, name, repr(float(value))) for name, value in values.items())
        if self._writer is None:
            self._writer = SummaryWriter(str(self.path / "tensorboard"), purge_step=step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def rewind(self, step: int) -> None:
        """Remove damaged lines, and the metrics logged after `step`, which will be logged again."""
        if not os.path.lexists(self.metrics):
            return
        rows, damaged = read_metrics(self.metrics)
        if damaged:
            kept_in = _copy_of(self.metrics)
            logger.warning(
                "%s: %s removed; the file is kept as %s.",
                one_line(str(self.metrics)),
                "1 damaged line was" if damaged == 1 else f"{damaged:,} damaged lines were",
                kept_in.name,
            )
        with atomic_file(self.metrics) as temporary:
            kept = [f"{one},{name},{value!r}\n" for one, name, value in rows if one <= step]
            temporary.write_text("".join([f"{','.join(HEADER)}\n", *kept]))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other training runs; raises IGRError if another run is using it.

        Only the first process of a distributed run takes the lock. Also raises IGRError if a folder has the name of
        a file that the run writes, or a file the name of a folder.
        """
        self._check_names()
        if launched_processes().rank > 0:
            yield
            return
        in_use = (
            f"{self.path} is in use by another training run: wait until it has finished, or choose another --run "
            "folder."
        )
        with locked(self.path, in_use):
            yield

    def _check_names(self) -> None:
        try:
            str(self.path).encode()
        except UnicodeEncodeError as error:
            raise IGRError(
                f"{self.path} is not a UTF-8 name, which TensorBoard needs: choose another --run folder."
            ) from error
        for path in (self.path / name for name in FILES):
            if path.is_dir():
                raise IGRError(f"{path} is a folder, but the run writes a file with this name: rename or move it.")
        board = self.path / "tensorboard"
        if os.path.lexists(board) and not board.is_dir():
            raise IGRError(f"{board} is a file, but the run writes a folder with this name: rename or move it.")

    def close(self) -> None:
        """Flush the logs."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _copy_of(path: Path) -> Path:
    """Copy a damaged log to a name that does not exist yet."""
    copy, number = path.with_name(f"{path.name}.damaged"), 1
    while os.path.lexists(copy):
        copy, number = path.with_name(f"{path.name}.damaged.{number}"), number + 1
    with atomic_file(copy) as temporary:
        shutil.copyfile(path, temporary)
    return copy


def text_of(path: Path) -> str:
    """Text of a log, with bytes that are not UTF-8 escaped; "" if the log does not exist.

    Raises IGRError if the log cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8", errors="backslashreplace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise IGRError(f"{path} cannot be read ({error.strerror}): make it readable, or move it.") from error


def read_metrics(path: Path) -> tuple[list[tuple[int, str, float]], int]:
    """(step, metric, value) rows of a metrics.csv, and the number of damaged lines.

    If a step and metric have several values, the last is used. Lines with a value that is not finite count as
    damaged. A file that does not exist has no rows; raises IGRError if the file cannot be read.
    """
    lines = text_of(path).removeprefix("\ufeff").splitlines()  # spreadsheets add a mark and other line endings
    found: dict[tuple[int, str], float] = {}
    damaged = 0
    for line in lines:
        match = _ROW.fullmatch(line)
        if match is not None and math.isfinite(float(match[3])):
            found[int(match[1]), match[2]] = float(match[3])
        elif line and line != ",".join(HEADER):
            damaged += 1
    return [(step, name, value) for (step, name), value in found.items()], damaged
