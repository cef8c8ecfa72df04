"""A table of one bundle's scores over sampling settings: a column for each number of steps."""

from __future__ import annotations

from collections.abc import Sequence

from igr_core.errors import IGRError

from ..metrics.registry import METRICS
from ..result import Result, check_comparable, difference
from .markdown import markdown
from .table import caption

SETTINGS = "settings"
"""Name of this kind of table in experiments."""
SHOWN = ("texture_agreement", "garment_psnr")
"""Metrics in each cell, if they were computed; the first is compared with the baseline."""
WORSE = "↓"
"""Mark of cells that are worse than the baseline, if the interval of the difference excludes zero."""


def settings_table(results: Sequence[Result], baseline: str) -> str:
    """Markdown table of a bundle's results: steps in columns; guidance, its interval and the sampler in rows.

    Raises IGRError if `baseline` is not a row, if results cannot be compared, or if none has SHOWN metrics.
    """
    check_comparable(results)
    bundles = [one for one in results if one.kind == "bundle"]
    base = next((one for one in bundles if one.row == baseline), None)
    if base is None:
        raise IGRError(f"There is no row {baseline!r}: choose {', '.join(one.row for one in bundles)}.")
    shown = [name for name in SHOWN if base.value(name) is not None]
    if not shown:
        raise IGRError(f"{baseline!r} has none of the metrics {', '.join(SHOWN)}: score them.")
    counts = sorted({one.known["steps"] for one in bundles})
    cells: dict[str, dict[int, str]] = {}
    for one in bundles:
        row = cells.setdefault(_named(one), {})
        if one.known["steps"] in row:
            raise IGRError(f"Row {one.name!r} has the same sampling settings as another row: keep only one of them.")
        row[one.known["steps"]] = _cell(one, base, shown)
    lines = [[name, *(found.get(count, "") for count in counts)] for name, found in cells.items()]
    titles = ["", *(f"{count} step{'s' if count > 1 else ''}" for count in counts)]
    title, first = " / ".join(base.heading(name) for name in shown), METRICS[shown[0]]
    widest = max(one.paired[shown[0]].high - one.paired[shown[0]].low for one in bundles) / 2
    name = first.name(base.protocol["name"], base.silhouettes is not None)
    mark = (
        f"Each cell shows {title}. {WORSE} marks cells whose {name} is worse than that of “{baseline}” (bold), with a "
        f"95% interval of the paired difference that excludes zero. The widest 95% interval of {name} is "
        f"±{first.written(widest)}."
    )
    return f"{markdown(titles, lines)}\n{mark} {caption(bundles)}"


def _named(result: Result) -> str:
    known = result.known
    start, end = known.get("guidance_interval") or (0.0, 1.0)
    interval = "" if (start, end) == (0.0, 1.0) else f" from {start:g} to {end:g}"
    precision = f", {known['precision']}" if "precision" in known else ""
    return f"{known['sampler']}, guidance {known['guidance']:g}{interval}{precision}"


def _cell(one: Result, base: Result, shown: Sequence[str]) -> str:
    words = " / ".join(METRICS[name].written(one.paired[name].mean) for name in shown)
    if one is base:
        return f"**{words}**"
    gap = difference(one, base, shown[0])
    worse = gap.high < 0 if METRICS[shown[0]].higher_is_better else gap.low > 0
    return f"{words} {WORSE}" if worse else words
