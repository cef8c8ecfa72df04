"""The table of results, with intervals for each row and its differences from a baseline row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igr_core.errors import IGRError

from ...base.statistics import Interval, difference_interval
from ..metrics.registry import METRICS
from ..result import Paired, Result, check_comparable
from .markdown import markdown

COMPARED = ("texture_agreement", "invented")
"""Metrics whose difference from the baseline row is shown."""
MOST_WEIGHTS = 4
"""Maximum number of bundles whose hashes are shown; the JSON contains all of them."""
SAME = (
    "guidance",
    "guidance_interval",
    "steps",
    "sampler",
    "seed",
    "reference_strength",
    "image_prompt_strength",
    "photos",
    "details",
    "start",
    "precision",
    "flattener_sha256",
    "outlines_sha256",
    "reference_margin",
)
"""Settings that must be the same for all training seeds of a row."""


def results_table(results: Sequence[Result], baseline: str = "", compared: Sequence[str] = COMPARED) -> str:
    """Markdown table of results in the given order; the training seeds of a row share a line.

    With several seeds, a pair's score is its mean over the seeds; intervals are always over the pairs. With `baseline`,
    the table also shows each row's paired differences in the metrics of `compared` and, with several seeds, the
    difference for each seed, because a difference whose sign depends on the seed is not conclusive. Raises IGRError for
    an unknown `baseline`, for unequal numbers of seeds, or for results that cannot be compared.
    """
    check_comparable(results)
    groups = _rows(results)
    if baseline and baseline not in groups:
        raise IGRError(f"There is no row {baseline!r}: choose {', '.join(groups)}.")
    metrics = [name for name in METRICS if any(one.value(name) is not None for one in results)]
    shown = [name for name in compared if baseline and name in metrics]
    titles = [
        "",
        *(results[0].heading(name) for name in metrics),
        *(f"{_name(results[0], one)} minus {baseline}" for one in shown),
    ]
    lines = []
    for row, group in groups.items():
        cells = [row, *(_cell(group, metric) for metric in metrics)]
        cells += ["" if row == baseline else _change(group, groups[baseline], metric) for metric in shown]
        lines.append(cells)
    return markdown(titles, lines) + "\n" + caption(results, bool(shown))


def caption(results: Sequence[Result], differences: bool = False) -> str:
    """One paragraph about the data and settings of the measurement."""
    first = results[0]
    groups = _rows(results)
    several = max(map(len, groups.values()))
    over = f"{several} training seeds and " if several > 1 else ""
    if first.paired:
        pairs = f"{first.generated.count:,} pairs ({first.names[0]} to {first.names[-1]})"
        parts = [f"Means over {over}{pairs}, with 95% bootstrap intervals over the pairs"]
    else:
        seeds = f", and means over {several} training seeds" if several > 1 else ""
        parts = [f"Scores of {first.generated.count:,} images as a set, with KID's spread over subsets{seeds}"]
    bundles = [one for one in results if one.kind == "bundle"]
    for setting, text in (("guidance", "guidance {:g}"), ("steps", "{} DDIM steps")):
        values = {one.known.get(setting) for one in bundles} - {None}
        if len(values) == 1:
            parts.append(text.format(values.pop()))
    parts.append(f"protocol {first.protocol['name']}")
    weights = dict.fromkeys(one.known["weights_sha256"][:12] for one in bundles if "weights_sha256" in one.known)
    if 0 < len(weights) <= MOST_WEIGHTS:
        parts.append("bundle weights (sha256) " + ", ".join(f"`{digest}`" for digest in weights))
    revisions = sorted({one.revision for one in results})
    commits = "commit" if len(revisions) == 1 else "commits"
    parts.append(f"scored at {commits} " + ", ".join(f"`{one[:12]}`" for one in revisions))
    sentences = ["; ".join(parts) + "."]
    if differences and several > 1:
        sentences.append("Differences for the individual training seeds are given in parentheses.")
    sentences += [no_mask(results)] if no_mask(results) else []
    sentences += dict.fromkeys(warning for one in results for warning in one.warnings)
    return " ".join(sentences) + "\n"


def no_mask(results: Sequence[Result]) -> str:
    """A sentence about columns marked “no mask”; empty if there are none."""
    if results[0].paired and results[0].silhouettes is None:
        return "In columns marked “no mask”, everything except white background counts as garment."
    return ""


def _rows(results: Sequence[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for one in results:
        groups.setdefault(one.row, []).append(one)
    trained = {row: group for row, group in groups.items() if "training_seed" in group[0].known}
    if len({len(group) for group in trained.values()}) > 1:
        counts = ", ".join(f"{row}: {len(group)}" for row, group in trained.items())
        raise IGRError(f"Rows have different numbers of training seeds ({counts}): score the missing ones.")
    for row, group in groups.items():
        if len({(one.names, *(str(one.known.get(name)) for name in SAME)) for one in group}) > 1:
            raise IGRError(
                f"The seeds of {row!r} have different pairs or settings: score them with the same pairs and settings."
            )
    return groups


def _cell(group: Sequence[Result], metric: str) -> str:
    """The cell for one result, or for the mean over training seeds."""
    if len(group) == 1:
        return group[0].cell(metric)
    written = METRICS[metric].written
    if all(metric in one.paired for one in group):
        found = Paired.of(_over_seeds(group, metric))
        return f"{written(found.mean)} [{written(found.low)}, {written(found.high)}]"
    values = [value for one in group if (value := one.value(metric)) is not None]
    return f"{written(float(np.mean(values)))} ({', '.join(map(written, values))})" if values else ""


def _over_seeds(group: Sequence[Result], metric: str) -> list[float]:
    """Each pair's score, averaged over the training seeds."""
    return np.mean([one.paired[metric].values for one in group], axis=0).tolist()


def _change(group: Sequence[Result], base: Sequence[Result], metric: str) -> str:
    """A row's difference from the base, with its interval and each training seed's difference; empty if unpaired."""
    if any(metric not in one.paired or one.names != base[0].names for one in (*group, *base)):
        return ""
    interval = difference_interval(_over_seeds(group, metric), _over_seeds(base, metric))
    if len(group) < 2 or len(group) != len(base):
        return changed(interval, metric)
    each = (one.paired[metric].mean - other.paired[metric].mean for one, other in zip(group, base, strict=True))
    return f"{changed(interval, metric)} ({', '.join(map(METRICS[metric].change, each))})"


def changed(interval: Interval, metric: str) -> str:
    """A difference with its interval, formatted for tables."""
    change = METRICS[metric].change
    return f"{change(interval.mean)} [{change(interval.low)}, {change(interval.high)}]"


def _name(result: Result, metric: str) -> str:
    return METRICS[metric].name(result.protocol["name"], result.silhouettes is not None)
