"""The one table of results: a line for each row, with its interval, and what it changes against a baseline row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igr_core.errors import IGRError

from ...base.statistics import Interval, difference_interval
from ..metrics.registry import METRICS
from ..result import Paired, Result, check_comparable
from .markdown import markdown

COMPARED = ("texture_agreement", "invented")
"""Metrics whose difference to the baseline row is shown."""
MOST_WEIGHTS = 4
"""More hashes of bundles than these are left to the JSON."""
SAME = ("guidance", "steps", "sampler", "seed", "reference_strength", "image_prompt_strength")
"""Settings in which the training seeds of one row must agree."""


def results_table(results: Sequence[Result], baseline: str = "", compared: Sequence[str] = COMPARED) -> str:
    """Markdown table of results in the order given; those of one row, trained with several seeds, share a line.

    A pair's score is then its mean over the seeds, and intervals are over the pairs. With `baseline`, also what each
    row changes in the metrics of `compared`, pair by pair; where there are several seeds, behind it the change of each,
    as seeds that disagree in sign show nothing. Raises IGRError for an unknown `baseline`, for unequal counts of
    seeds, and for results that cannot be compared.
    """
    check_comparable(results)
    groups = _rows(results)
    if baseline and baseline not in groups:
        raise IGRError(f"No row is called {baseline!r}; there are {', '.join(groups)}.")
    metrics = [name for name in METRICS if any(one.value(name) is not None for one in results)]
    shown = [name for name in compared if baseline and name in metrics]
    titles = [
        "",
        *(results[0].heading(name) for name in metrics),
        *(f"{_name(results[0], one)}: less {baseline}" for one in shown),
    ]
    lines = []
    for row, group in groups.items():
        cells = [row, *(_cell(group, metric) for metric in metrics)]
        cells += ["" if row == baseline else _change(group, groups[baseline], metric) for metric in shown]
        lines.append(cells)
    return markdown(titles, lines) + "\n" + caption(results, bool(shown))


def caption(results: Sequence[Result], differences: bool = False) -> str:
    """What the numbers were measured on and with, in one paragraph."""
    first = results[0]
    groups = _rows(results)
    several = max(map(len, groups.values()))
    over = f"{several} training seeds and " if several > 1 else ""
    spread = "their 95 % bootstrap intervals over the pairs" if first.paired else "KID's spread over subsets"
    parts = [f"Means over {over}{first.generated.count:,} pairs, with {spread}"]
    if first.paired:
        parts[0] += f"; {first.names[0]} to {first.names[-1]}"
    bundles = [one for one in results if one.kind == "bundle"]
    for setting, text in (("guidance", "guidance {:g}"), ("steps", "{} DDIM steps")):
        values = {one.known.get(setting) for one in bundles} - {None}
        if len(values) == 1:
            parts.append(text.format(values.pop()))
    parts.append(f"protocol {first.protocol['name']}")
    weights = dict.fromkeys(one.known["weights_sha256"][:12] for one in bundles if "weights_sha256" in one.known)
    if 0 < len(weights) <= MOST_WEIGHTS:
        parts.append("weights (sha256) " + ", ".join(f"`{digest}`" for digest in weights))
    parts.append("scored at " + ", ".join(f"`{one[:12]}`" for one in sorted({one.revision for one in results})))
    sentences = ["; ".join(parts) + "."]
    if differences and several > 1:
        sentences.append("Behind each difference, that of each training seed alone.")
    sentences += [no_mask(results)] if no_mask(results) else []
    sentences += dict.fromkeys(warning for one in results for warning in one.warnings)
    return " ".join(sentences) + "\n"


def no_mask(results: Sequence[Result]) -> str:
    """A sentence about columns that say “no mask”; empty where there are none."""
    if results[0].paired and results[0].silhouettes is None:
        return "“no mask”: what is not white background counted as garment."
    return ""


def _rows(results: Sequence[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for one in results:
        groups.setdefault(one.row, []).append(one)
    trained = {row: group for row, group in groups.items() if "training_seed" in group[0].known}
    if len({len(group) for group in trained.values()}) > 1:
        counts = ", ".join(f"{row}: {len(group)}" for row, group in trained.items())
        raise IGRError(f"Every row needs the same number of training seeds, and there are {counts}: score the rest.")
    for row, group in groups.items():
        if len({(one.names, *(str(one.known.get(name)) for name in SAME)) for one in group}) > 1:
            raise IGRError(f"The seeds of {row!r} were scored on other pairs or with other settings: score them alike.")
    return groups


def _cell(group: Sequence[Result], metric: str) -> str:
    """One result's cell, or that of the mean over training seeds."""
    if len(group) == 1:
        return group[0].cell(metric)
    written = METRICS[metric].written
    if all(metric in one.paired for one in group):
        found = Paired.of(_over_seeds(group, metric))
        return f"{written(found.mean)} [{written(found.low)}, {written(found.high)}]"
    values = [value for one in group if (value := one.value(metric)) is not None]
    return f"{written(float(np.mean(values)))} ({', '.join(map(written, values))})" if values else ""


def _over_seeds(group: Sequence[Result], metric: str) -> list[float]:
    """One score for each pair, its mean over the training seeds."""
    return np.mean([one.paired[metric].values for one in group], axis=0).tolist()


def _change(group: Sequence[Result], base: Sequence[Result], metric: str) -> str:
    """What a row changes against the base, with its interval, and that of each training seed; empty where unpaired."""
    if any(metric not in one.paired or one.names != base[0].names for one in (*group, *base)):
        return ""
    interval = difference_interval(_over_seeds(group, metric), _over_seeds(base, metric))
    if len(group) < 2 or len(group) != len(base):
        return changed(interval, metric)
    each = (one.paired[metric].mean - other.paired[metric].mean for one, other in zip(group, base, strict=True))
    return f"{changed(interval, metric)} ({', '.join(map(METRICS[metric].change, each))})"


def changed(interval: Interval, metric: str) -> str:
    """A difference with its interval, as tables write it."""
    change = METRICS[metric].change
    return f"{change(interval.mean)} [{change(interval.low)}, {change(interval.high)}]"


def _name(result: Result, metric: str) -> str:
    return METRICS[metric].name(result.protocol["name"], result.silhouettes is not None)
