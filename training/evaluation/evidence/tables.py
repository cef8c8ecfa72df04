"""From rows of scores to what people read: Markdown tables, their place in a README, and loss curves."""

from __future__ import annotations

from collections.abc import Sequence

from igr_core.errors import IGRError

from ...base.statistics import difference_interval
from ..markdown import markdown
from ..metrics.garment import HIGHER_IS_BETTER
from .rows import Row, Score

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
