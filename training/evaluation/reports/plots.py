"""Plots of an experiment: metrics by guidance or steps, and scores of single pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igr_core.files import atomic_file

from ..metrics.registry import METRICS
from ..result import Result

SETTINGS = ("guidance", "steps")
"""Settings for the horizontal axis of plots."""
DRAWN = ("ssim", "lpips_alex", "dists", "fid", "clip_fid", "kid", "texture_agreement", "garment_psnr", "invented")
"""Metrics to plot by setting, if they were computed."""
TEXTURE = "texture_agreement"
_NAMES = ("paper", "place", "row")
_MOST_INTERVALS = 4
"""Maximum number of lines for which intervals are drawn and the legend is placed inside the plot."""
_WIDTH, _HEIGHT, _DPI = 3.6, 2.9, 110


def setting_groups(results: Sequence[Result], setting: str) -> dict[str, list[Result]]:
    """Groups of at least two rows that differ only in one setting, by the shared part of their names."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.kind == "bundle":
            known = {name: value for name, value in result.known.items() if name not in (*_NAMES, setting)}
            groups[str(sorted(known.items()))].append(result)
    named = {_without(group[0], setting): group for group in groups.values() if len(group) > 1}
    return {name: sorted(group, key=lambda one: one.known[setting]) for name, group in named.items()}


@rc_context({"text.parse_math": False})  # names may contain $
def draw_setting(path: Path, results: Sequence[Result], setting: str) -> bool:
    """Plot metrics, with intervals, by guidance or steps; returns False if no bundle was run with several values."""
    groups = setting_groups(results, setting)
    shown = [name for name in DRAWN if any(one.value(name) is not None for g in groups.values() for one in g)]
    if not shown:
        return False
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for axis, metric in zip(axes, shown, strict=False):
        for name, group in groups.items():
            scored = [one for one in group if one.value(metric) is not None]
            _draw_group(axis, scored, metric, setting, name, intervals=len(groups) <= _MOST_INTERVALS)
        axis.set(title=next(iter(groups.values()))[0].heading(metric), xlabel=setting)
        if setting == "steps":
            counts = sorted({one.known[setting] for group in groups.values() for one in group})
            axis.set_xscale("log", base=2)
            axis.set_xticks(counts, [str(count) for count in counts])
            axis.minorticks_off()
        axis.grid(alpha=0.3)
        if 1 < len(groups) <= _MOST_INTERVALS:
            axis.legend(fontsize="small")
    if len(groups) > _MOST_INTERVALS:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize="small")
        figure.set_size_inches(figure.get_figwidth() + _WIDTH * 0.75, figure.get_figheight())
    for axis in axes[len(shown) :]:
        axis.remove()
    _save(figure, path)
    return True


def _draw_group(
    axis: Axes, group: Sequence[Result], metric: str, setting: str, name: str, intervals: bool = True
) -> None:
    points = [(one.known[setting], *_with_ends(one, metric)) for one in group]
    if not points:
        return
    scales, values, low, high = ([point[i] for point in points] for i in range(4))
    if not intervals:
        axis.plot(scales, values, marker="o", markersize=4, label=name)
        return
    errors = [
        [v - x for v, x in zip(values, low, strict=True)],
        [x - v for v, x in zip(values, high, strict=True)],
    ]
    axis.errorbar(scales, values, yerr=errors, marker="o", capsize=3, label=name)


def _without(result: Result, setting: str) -> str:
    """A row's name without the value of the setting."""
    value = result.known[setting]
    own = {"guidance": f"guidance {value:g}", "steps": f"{value} steps"}[setting]
    return ", ".join(part for part in result.name.split(", ") if part != own)


@rc_context({"text.parse_math": False})  # names may contain $
def draw_pictures(path: Path, results: Sequence[Result]) -> bool:
    """Plot each pair's texture score against its SSIM, and against the best control's texture score.

    Returns False without these scores.
    """
    first = next((one for one in results if one.kind != "control" and {TEXTURE, "ssim"} <= set(one.paired)), None)
    if first is None:
        return False
    rivals = [one for one in results if one.kind == "control" and TEXTURE in one.paired and "truth" not in one.name]
    best = max(rivals, key=lambda one: one.paired[TEXTURE].mean, default=None)
    figure = Figure(figsize=(_WIDTH * (1 if best is None else 2) * 1.2, _HEIGHT * 1.3), layout="constrained")
    axes = figure.subplots(1, 1 if best is None else 2, squeeze=False)[0]
    texture = first.paired[TEXTURE].values
    axes[0].scatter(first.paired["ssim"].values, texture, s=14, alpha=0.6)
    axes[0].set(xlabel="SSIM", ylabel="texture", title=f"{first.name}: each pair")
    if best is not None:
        axes[1].scatter(best.paired[TEXTURE].values, texture, s=14, alpha=0.6)
        axes[1].plot([0, 1], [0, 1], color="grey", linewidth=1)
        ahead = sum(a > b for a, b in zip(texture, best.paired[TEXTURE].values, strict=True))
        axes[1].set(xlabel=f"texture, {best.name}", ylabel=f"texture, {first.name}", xlim=(0, 1), ylim=(0, 1))
        axes[1].set_title(f"ahead in {ahead} of {len(texture)} pairs")
    for axis in axes:
        axis.grid(alpha=0.3)
    _save(figure, path)
    return True


def _with_ends(result: Result, metric: str) -> tuple[float, float, float]:
    """A metric's value and the lower and upper ends of its interval, scaled as in the tables."""
    times = METRICS[metric].times
    if metric in result.paired:
        found = result.paired[metric]
        return found.mean * times, found.low * times, found.high * times
    spread = result.distribution[metric]
    around = spread.spread or 0.0
    return spread.value * times, (spread.value - around) * times, (spread.value + around) * times


def _save(figure: Figure, path: Path) -> None:
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})
