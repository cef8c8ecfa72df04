"""Plot loss curves of training runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder

from ...base.provenance import curve
from ...base.run.run_folder import read_metrics


@dataclass(frozen=True)
class Panel:
    """One panel of a run's plot."""

    title: str
    """Title, which follows the run's name."""
    unit: str
    """Label of the vertical axis."""
    names: re.Pattern[str]
    """Logged metrics to show; the pattern's group is the label of the line."""
    logarithmic: bool = True
    """Whether the vertical axis is logarithmic."""


LOSS, ATTENTION = "mean squared error", "fraction of visible cells"
PANELS = (
    Panel("loss", LOSS, re.compile(r"(loss)")),
    Panel("held-out loss", LOSS, re.compile(r"validation/(?!.*correspondence/)(.+)")),
    Panel("held-out loss at the first step", LOSS, re.compile(r"first_step/(?!.*correspondence/)(.+)")),
    Panel("attention within 5%", ATTENTION, re.compile(r"(.*)correspondence/within_5_percent"), logarithmic=False),
)
"""All panels; a panel is left out if no run has logged a metric for it."""


@rc_context({"text.parse_math": False})  # names may contain $
def loss_curves(runs: Sequence[Path], out: Path) -> None:
    """Draw the curves of training runs into a PNG with a row of panels for each run.

    Raises IGRError for a folder that is not a run, and if none of the runs has logged anything.
    """
    for run in runs:
        if not (run / "metrics.csv").is_file():
            raise IGRError(f"{run} has no metrics.csv: it is not a run of `train`, or nothing has been logged yet.")
    logged = [_logged(run / "metrics.csv") for run in runs]
    panels = [one for one in PANELS if any(one.names.fullmatch(name) for names in logged for name in names)]
    if not panels:
        raise IGRError(f"{runs[0] / 'metrics.csv'} contains no losses: wait until the run has logged some.")
    figure = Figure(figsize=(4.6 * len(panels), 3.2 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), len(panels), squeeze=False)
    for line, run, names in zip(axes, runs, logged, strict=True):
        for axis, panel in zip(line, panels, strict=True):
            for found in filter(None, map(panel.names.fullmatch, names)):
                steps, values = zip(*curve(run / "metrics.csv", found[0], points=120), strict=True)
                label = found[1].strip("/").replace("/", " ").replace("_", " ")
                axis.plot(steps, values, label=label or "training")
            axis.set(title=f"{run.name}: {panel.title}", xlabel="step", ylabel=panel.unit)
            if panel.logarithmic:
                axis.set_yscale("log")
            axis.grid(alpha=0.3, which="both")
            axis.margins(y=0.45)  # room for the legend
            if axis.lines:
                axis.legend(fontsize="small", loc="upper right", ncols=2)
    make_folder(out.parent)
    with atomic_file(out) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _logged(metrics: Path) -> list[str]:
    """Names of the logged metrics, in order of first appearance."""
    return list(dict.fromkeys(name for _, name, _ in read_metrics(metrics)[0]))
