"""Intervals contain the mean and have the right coverage, and pairing reveals differences between rows."""

from __future__ import annotations

import numpy as np
import pytest

from igr_core.errors import IGRError
from training.base.statistics import difference_interval, mean_interval


def test_interval_agrees_with_the_normal_one_and_is_repeatable() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 400).tolist()
    interval = mean_interval(values)
    half = 1.96 * np.std(values) / 20
    assert interval.mean == pytest.approx(np.mean(values))
    assert interval.low == pytest.approx(interval.mean - half, abs=0.02)
    assert interval.high == pytest.approx(interval.mean + half, abs=0.02)
    assert mean_interval(values) == interval != mean_interval(values, seed=1)


def test_paired_differences_can_be_significant_where_intervals_overlap() -> None:
    rng = np.random.default_rng(1)
    hardness = rng.normal(0.5, 0.2, 60)
    better, worse = hardness + 0.02 + rng.normal(0, 0.01, 60), hardness
    assert mean_interval(better.tolist()).low < mean_interval(worse.tolist()).high
    difference = difference_interval(better.tolist(), worse.tolist())
    assert difference.low > 0 and difference.mean == pytest.approx(0.02, abs=0.005)
    mirrored = difference_interval(worse.tolist(), better.tolist())
    assert mirrored.high < 0 and mirrored.mean == pytest.approx(-difference.mean)


def test_equal_values_have_an_interval_of_zero_width() -> None:
    interval = mean_interval([0.25] * 10)
    assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)
    same = difference_interval([1.0, 2.0], [1.0, 2.0])
    assert same.low == same.high == 0


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")]])
def test_too_few_or_broken_values_are_named(values: list[float]) -> None:
    with pytest.raises(IGRError, match="score"):
        mean_interval(values)


def test_rows_with_unequal_numbers_of_pairs_are_not_compared() -> None:
    with pytest.raises(IGRError, match="2 and 3 pairs"):
        difference_interval([1.0, 2.0], [1.0, 2.0, 3.0])
