"""A training run on disk, and its logs."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from igr_core.errors import IGRError
from igr_core.files import atomic_file

logger = logging.getLogger(__name__)


class RunFolder:
    """A training run on disk: checkpoints/, metrics.csv, tensorboard/ and the images that the trainer adds."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.metrics = self.path / "metrics.csv"
        self._writer: SummaryWriter | None = None
        try:
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
                rows.writerow(("step", "metric", "value"))
            rows.writerows((step, name, repr(float(value))) for name, value in values.items())
        if self._writer is None:
            self._writer = SummaryWriter(str(self.path / "tensorboard"), purge_step=step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def rewind(self, step: int) -> None:
        """Remove the metrics that were logged after `step`, which will be computed again."""
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
