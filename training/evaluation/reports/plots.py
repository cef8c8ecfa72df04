"""Plots of an experiment: metrics over guidance, and pictures one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from igr_core.files import atomic_file

from ..experiments.results import METRICS, Result

GUIDANCE_METRICS = ("ssim", "lpips_alex", "dists", "fid", "clip_fid", "kid", "texture_agreement", "invented")
"""Metrics that are drawn over guidance, as far as they were computed."""
TEXTURE = "texture_agreement"
_WIDTH, _HEIGHT, _DPI = 3.6, 2.9, 110


def guidance_groups(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Rows that differ in nothing but guidance, by the name of their bundle; groups of one are left out."""
    own = ("guidance", "paper", "place")
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.kind == "bundle":
            known = {name: value for name, value in result.known.items() if name not in own}
            groups[str(sorted(known.items()))].append(result)
    named = {group[0].name.split(", guidance")[0]: group for group in groups.values() if len(group) > 1}
    return {name: sorted(group, key=lambda one: one.known["guidance"]) for name, group in named.items()}


def draw_guidance(path: Path, results: Sequence[Result]) -> bool:
    """Metrics over guidance scales with their intervals; False where no bundle was run at several."""
    groups = guidance_groups(results)
    shown = [
        name for name in GUIDANCE_METRICS if any(one.value(name) is not None for g in groups.values() for one in g)
    ]
    if not shown:
        return False
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for axis, metric in zip(axes, shown, strict=False):
        kind = METRICS[metric]
        for name, group in groups.items():
            points = [
                (one.known["guidance"], *_with_ends(one, metric)) for one in group if one.value(metric) is not None
            ]
            scales, values, low, high = ([point[i] for point in points] for i in range(4))
            errors = [
                [v - x for v, x in zip(values, low, strict=True)],
                [x - v for v, x in zip(values, high, strict=True)],
            ]
            axis.errorbar(scales, values, yerr=errors, marker="o", capsize=3, label=name)
        axis.set(title=f"{kind.title} {kind.arrow}", xlabel="guidance")
        axis.grid(alpha=0.3)
        if len(groups) > 1:
            axis.legend(fontsize="small")
    for axis in axes[len(shown) :]:
        axis.remove()
    _save(figure, path)
    return True


def draw_pictures(path: Path, results: Sequence[Result]) -> bool:
    """Each pair's texture against its SSIM, and against the control that comes closest; False without such scores."""
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
    """Value, lower and upper end, as tables multiply them."""
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
