"""Rows of one table that were trained several times: what stays when only the training seed changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igr_core.errors import IGRError

from ...base.statistics import difference_interval, mean_interval
from ..markdown import markdown
from ..metrics.garment import HIGHER_IS_BETTER
from .rows import Row
from .tables import TITLES, title

LEADS = ("texture_agreement", "invented")
"""Metrics whose paired difference to the reference row is shown, over the pairs and for each training seed."""


def seeds_table(rows: Sequence[Row], against: str) -> str:
    """Markdown table of rows that come once per training seed under one name; the order of first appearance stays.

    A pair's score is its mean over the seeds; intervals are over the pairs. The lead of `against` over another row is
    paired by pair and seed, with each seed's own lead behind it: seeds that disagree in sign say that nothing is shown.
    Raises IGRError for an unknown `against`, for names of unequal counts, and for rows over other pairs.
    """
    groups = _by_name(rows)
    if against not in groups:
        raise IGRError(f"No row is called {against!r}; there are {', '.join(groups)}.")
    titles = ["", *(title(metric) for metric in HIGHER_IS_BETTER)]
    titles += [f"{TITLES[metric][0]}: {against} less this" for metric in LEADS]
    lines = []
    for name, group in groups.items():
        cells = [name]
        for metric in HIGHER_IS_BETTER:
            interval = mean_interval(_over_seeds(group, metric).tolist())
            decimals = TITLES[metric][1]
            cells.append(f"{interval.mean:.{decimals}f} [{interval.low:.{decimals}f}, {interval.high:.{decimals}f}]")
        cells += ["" if name == against else _lead(groups[against], group, metric) for metric in LEADS]
        lines.append(cells)
    return markdown(titles, lines) + "\n" + _caption(rows, len(groups[against]))


def _caption(rows: Sequence[Row], count: int) -> str:
    first = rows[0]
    revisions = ", ".join(f"`{one[:12]}`" for one in sorted({row.revision for row in rows}))
    return (
        f"Mean over {count} training seeds and {first.n} held-out pairs, {first.seeds[0]}–{first.seeds[-1]}, with its "
        f"95 % bootstrap interval over the pairs; guidance {first.guidance:g}, {first.steps} DDIM steps. Behind each "
        f"difference, that of each training seed alone. Scored at {revisions}.\n"
    )


def _by_name(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.name, []).append(row)
    if len({len(group) for group in groups.values()}) > 1:
        counts = ", ".join(f"{name}: {len(group)}" for name, group in groups.items())
        raise IGRError(f"Every row needs the same number of training seeds, and there are {counts}: score the rest.")
    if len({(row.pairs_sha256, row.guidance, row.steps, row.noise_seed) for row in rows}) > 1:
        raise IGRError("The rows were scored on unequal pairs, guidance or steps: score them all alike.")
    return groups


def _over_seeds(group: Sequence[Row], metric: str) -> np.ndarray:
    """Scores (N,) of the pairs, each the mean over the training seeds."""
    return np.mean([row.metrics[metric].values for row in group], axis=0)


def _lead(reference: Sequence[Row], group: Sequence[Row], metric: str) -> str:
    interval = difference_interval(_over_seeds(reference, metric).tolist(), _over_seeds(group, metric).tolist())
    each = (one.metrics[metric].mean - other.metrics[metric].mean for one, other in zip(reference, group, strict=True))
    own = ", ".join(f"{value:+.3f}" for value in each)
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}] ({own})"
