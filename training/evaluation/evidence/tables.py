"""From rows of scores to what people read: Markdown tables, their place in a README, and loss curves."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder

from ..metrics.garment import HIGHER_IS_BETTER
from ...base.provenance import curve
from ...base.run_folder import write_text
from .rows import Row, Score
from ...base.statistics import difference_interval

TITLES = {
    "ssim": ("SSIM", 3),
    "masked_l1": ("masked L1", 3),
    "garment_psnr": ("garment PSNR, dB", 1),
    "texture_agreement": ("texture agreement", 3),
    "invented": ("invented", 3),
    "missing": ("missing", 3),
}
"""Column title and decimals of each metric."""
COMPARED = "texture_agreement"
"""The metric whose paired difference a table shows."""
CURVES = {"loss": ("loss",), "held-out loss": ("validation/",), "held-out loss at the first step": ("first_step/",)}
"""Panels of the loss curves, with the logged names (or their prefixes) that each shows."""


def results_table(rows: Sequence[Row], against: str | None = None) -> str:
    """Markdown table of rows in the order given; with `against`, also that row's texture lead over every other.

    Raises IGRError for an unknown or ambiguous `against`.
    """
    reference = _named(rows, against) if against is not None else None
    titles = ["", "steps", "pairs seen", *(title(metric) for metric in _metrics(rows))]
    if reference is not None:
        titles.append(f"texture lead of {reference.name}")
    lines = []
    for row in rows:
        cells = [row.name, _number(row.training_steps), _number(row.pairs_seen)]
        cells += [_cell(row.metrics[metric], TITLES[metric][1]) for metric in _metrics(rows)]
        if reference is not None:
            cells.append("" if row is reference else _lead(reference, row))
        lines.append(cells)
    return markdown(titles, lines) + "\n" + _caption(rows)


def _metrics(rows: Sequence[Row]) -> list[str]:
    """The metrics that every row has, in the order of tables: rows of older versions lack the newer ones."""
    return [metric for metric in HIGHER_IS_BETTER if all(metric in row.metrics for row in rows)]


def guidance_table(rows: Sequence[Row]) -> str:
    """Markdown table of one model over guidance scales (paper, Table 3), lowest guidance first.

    Raises IGRError when the rows are of several bundles, or of none.
    """
    if len({row.weights_sha256 for row in rows}) != 1 or any(row.guidance is None for row in rows):
        raise IGRError("A guidance table needs rows of one bundle: give the file of python -m training evidence sweep.")
    titles = ["guidance", *(title(metric) for metric in _metrics(rows))]
    lines = [
        [f"{row.guidance:.1f}", *(_cell(row.metrics[metric], TITLES[metric][1]) for metric in _metrics(rows))]
        for row in sorted(rows, key=lambda row: row.guidance or 0.0)
    ]
    return markdown(titles, lines) + "\n" + _caption(rows)


def fill_markers(path: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- evidence:NAME -->` and `<!-- /evidence:NAME -->` of a Markdown file.

    Raises IGRError, the file left as it was, unless both markers are there exactly once and in order.
    """
    start, end = f"<!-- evidence:{name} -->", f"<!-- /evidence:{name} -->"
    try:
        page = path.read_text(encoding="utf-8")
    except OSError as error:
        raise IGRError(f"Could not read {path} ({error.strerror}): write the page with its markers first.") from error
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise IGRError(f"{path} must hold {start} and then {end}, each once: put them where the table belongs.")
    before, rest = page.split(start)
    _, after = rest.split(end)
    write_text(path, f"{before}{start}\n{text.strip()}\n{end}{after}")


def loss_curves(runs: Sequence[Path], out: Path) -> None:
    """Draw the losses of training runs into a PNG: one line of panels for each run, substituted losses included."""
    figure = Figure(figsize=(4.6 * len(CURVES), 3.2 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), len(CURVES), squeeze=False)
    for line, run in zip(axes, runs, strict=True):
        metrics = run / "metrics.csv"
        if not metrics.is_file():
            raise IGRError(f"{run} has no metrics.csv: it is no run of python -m training train, or has not logged yet.")
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


def _named(rows: Sequence[Row], name: str) -> Row:
    found = [row for row in rows if row.name == name]
    if len(found) != 1:
        raise IGRError(f"{len(found)} rows are called {name!r}; there are {', '.join(row.name for row in rows)}.")
    return found[0]


def _lead(reference: Row, row: Row) -> str:
    interval = difference_interval(reference.metrics[COMPARED].values, row.metrics[COMPARED].values)
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def title(metric: str) -> str:
    """A metric's column title, with an arrow to its better side."""
    return f"{TITLES[metric][0]} {'↑' if HIGHER_IS_BETTER[metric] else '↓'}"


def _cell(score: Score, decimals: int) -> str:
    return f"{score.mean:.{decimals}f} [{score.low:.{decimals}f}, {score.high:.{decimals}f}]"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def markdown(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left and numbers to the right."""
    rule = ["---", *["---:"] * (len(titles) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (titles, rule, *lines))


def _caption(rows: Sequence[Row]) -> str:
    """What the numbers were measured on and with."""
    protocols = {(row.guidance, row.steps) for row in rows if row.kind == "bundle"}
    parts = [f"Mean [95 % bootstrap interval] over {rows[0].n} held-out pairs, {rows[0].seeds[0]}–{rows[0].seeds[-1]}"]
    if len(protocols) == 1:
        guidance, steps = protocols.pop()
        parts.append(f"guidance {guidance:g}, {steps} DDIM steps")
    elif len({steps for _, steps in protocols}) == 1:
        parts.append(f"{next(iter(protocols))[1]} DDIM steps")
    bundles = {row.name: row.weights_sha256[:12] for row in rows if row.weights_sha256 is not None}
    if bundles:
        parts.append("weights (sha256) " + ", ".join(f"{name} `{digest}`" for name, digest in bundles.items()))
    parts.append("scored at " + ", ".join(f"`{one[:12]}`" for one in sorted({row.revision for row in rows})))
    return "; ".join(parts) + ".\n"
