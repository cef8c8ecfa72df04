"""Loss curves of training runs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder

from ...base.provenance import curve


def loss_curves(runs: Sequence[Path], out: Path) -> None:
    """Draw the losses of training runs into a PNG: one line of panels for each run, substituted losses included."""
    figure = Figure(figsize=(4.6 * len(CURVES), 3.2 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), len(CURVES), squeeze=False)
    for line, run in zip(axes, runs, strict=True):
        metrics = run / "metrics.csv"
        if not metrics.is_file():
            raise IGRError(f"{run} has no metrics.csv: it is not a run of `train`, or nothing has been logged yet.")
        logged = _logged(metrics)
        for axis, (panel, wanted) in zip(line, CURVES.items(), strict=True):
            for name in [name for name in logged if name.startswith(wanted)]:
                steps, values = zip(*curve(metrics, name, points=120), strict=True)
                axis.plot(steps, values, label=name.rpartition("/")[2].replace("_", " "))
            axis.set(title=f"{run.name}: {panel}", xlabel="step", ylabel="mean squared error")
            axis.set_yscale("log")
            axis.grid(alpha=0.3, which="both")
            if axis.lines:
                axis.legend(fontsize="small")
    make_folder(out.parent)
    with atomic_file(out) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _logged(metrics: Path) -> list[str]:
    """Names of the logged numbers, in the order of their first appearance."""
    with metrics.open(newline="") as handle:
        return list(dict.fromkeys(row["metric"] for row in csv.DictReader(handle)))


CURVES = {"loss": ("loss",), "held-out loss": ("validation/",), "held-out loss at the first step": ("first_step/",)}
"""Panels of the loss curves, with the logged names (or their prefixes) that each shows."""
