"""Bootstrap intervals for mean scores, and for the paired difference between two rows of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap, mannwhitneyu
from torch import Tensor

from igr_core.errors import IGRError

RESAMPLES = 9_999
"""Number of bootstrap resamples per interval."""


@dataclass(frozen=True)
class Interval:
    """A mean and its 95% confidence interval."""

    mean: float
    """Mean of the values."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""


def mean_interval(values: Sequence[float], seed: int = 0, confidence: float = 0.95) -> Interval:
    """Mean of N per-pair values with its percentile bootstrap interval (scipy); the same seed gives the same interval.

    Raises IGRError for fewer than two values and for NaN.
    """
    data = np.asarray(values, dtype=np.float64)  # (N,)
    if data.ndim != 1 or data.size < 2:
        raise IGRError(f"An interval needs at least 2 pairs, but there are {data.size}: score more pairs.")
    if not np.isfinite(data).all():
        raise IGRError(f"{int((~np.isfinite(data)).sum())} of {data.size} scores are not finite: score again.")
    mean = float(data.mean())
    if np.ptp(data) == 0:
        return Interval(mean, mean, mean)
    found = bootstrap(
        (data,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=1_000,
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))


def difference_interval(values: Sequence[float], others: Sequence[float], seed: int = 0) -> Interval:
    """Mean of values - others over the same N pairs, with its bootstrap interval.

    Pairing cancels out how difficult each pair is, so rows can differ significantly even if their intervals overlap.
    """
    if len(values) != len(others):
        raise IGRError(
            f"Rows with {len(values)} and {len(others)} pairs cannot be compared pair by pair: score both rows on the "
            "same pairs."
        )
    return mean_interval((np.asarray(values) - np.asarray(others)).tolist(), seed)


def spread(total: int, count: int) -> list[int]:
    """At most `count` indices below `total`, spread evenly because drawn pairs precede rendered pairs in a folder."""
    count = min(total, count)
    return [place * total // count for place in range(count)]


def auroc(predicted: Tensor, labels: Tensor) -> float:
    """Area under the ROC curve, which is the Mann–Whitney U as a fraction of all pairs; NaN if a class is missing."""
    positive = labels > 0.5
    ones, zeros = predicted[positive].numpy(), predicted[~positive].numpy()
    if not len(ones) or not len(zeros):
        return float("nan")
    return float(mannwhitneyu(ones, zeros).statistic) / (len(ones) * len(zeros))
