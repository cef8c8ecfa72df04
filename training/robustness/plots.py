"""Plot a measurement: scores by the IoU of the mask, with a line for each kind of corruption."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igr_core.files import atomic_file, make_folder

from ..evaluation.result import Result
from .corruptions import KINDS
from .results import CLEAN, NO_MASK, Robustness, condition_of

PANELS = {
    "texture_agreement": "Texture that agrees with the true garment",
    "outline": "Outline that agrees with the true garment (IoU)",
}
"""Metrics to plot, with their titles."""
LABELS = {
    "erosion": "too small all around",
    "dilation": "too large all around",
    "holes": "holes inside",
    "shift": "shifted",
}
"""Label of each kind of corruption."""
STYLES = {
    "erosion": ("#0072B2", "o"),
    "dilation": ("#D55E00", "s"),
    "holes": ("#009E73", "^"),
    "shift": ("#7B3F98", "D"),
}
"""Colour and marker of each kind, chosen so that colour-blind readers can distinguish them."""
WIDTH, HEIGHT, DPI = 9.0, 4.3, 130
_APART = 0.006
"""Horizontal offset between lines, so that their intervals do not overlap."""


def draw_robustness(path: Path, found: Robustness) -> None:
    """Plot a measurement as a PNG: mean scores, with the 95% interval of each change from the clean mask."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots(1, len(PANELS), squeeze=False)[0]
    for axis, (metric, title) in zip(axes, PANELS.items(), strict=True):
        clean = found.result(CLEAN).paired[metric].mean
        axis.axhline(clean, color="0.35", linewidth=1, linestyle="--", label="clean mask")
        for number, kind in enumerate(KINDS):
            _line(axis, found, metric, kind, (number - (len(KINDS) - 1) / 2) * _APART)
        none = clean + found.difference(found.result(NO_MASK), metric).mean
        axis.axhline(none, color="0.35", linewidth=1, linestyle=":", label="no mask: the whole photo")
        axis.set(title=title, xlabel="overlap of the mask with the visible garment (IoU)")
        axis.title.set_fontsize(11)
        axis.set_xlim(1.03, 0.47)
        axis.set_xticks([1.0, 0.95, 0.9, 0.8, 0.7, 0.5], ["1", ".95", ".9", ".8", ".7", ".5"])
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("score, higher is better")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    make_folder(path.parent)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def _line(axis: Axes, found: Robustness, metric: str, kind: str, beside: float) -> None:
    """Plot one kind of corruption, starting at the clean mask; IoUs reached by fewer than two photos are skipped."""
    clean = found.result(CLEAN).paired[metric].mean
    degrees = sorted((one for one in found.results if condition_of(one).kind == kind), key=_aim, reverse=True)
    kept = [one for one in degrees if sum(condition_of(one).reached) > 1]
    overlaps = [mean(condition.of_reached(condition.overlap)) for condition in map(condition_of, kept)]
    changes = [found.difference(one, metric) for one in kept]
    colour, marker = STYLES[kind]
    axis.errorbar(
        [1.0, *(overlap + beside for overlap in overlaps)],
        [clean, *(clean + change.mean for change in changes)],
        yerr=[
            [0.0, *(change.mean - change.low for change in changes)],
            [0.0, *(change.high - change.mean for change in changes)],
        ],
        color=colour,
        marker=marker,
        markersize=5,
        linewidth=1.6,
        elinewidth=1,
        capsize=2.5,
        label=LABELS[kind],
    )


def _aim(result: Result) -> float:
    return condition_of(result).aim or 0.0
