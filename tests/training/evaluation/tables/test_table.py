"""The table: means over training seeds and pairs, differences from a base row, and rejected results."""

from __future__ import annotations

from dataclasses import replace

import pytest

from igr_core.errors import IGRError
from tests.support.training.made_results import PAIRS, result
from training.evaluation.metrics.distribution import Spread
from training.evaluation.metrics.registry import METRICS
from training.evaluation.result import Result
from training.evaluation.tables.table import results_table


def seeded(row: str, *offsets: float) -> list[Result]:
    """A row of several training seeds."""
    return [result(f"{row}, seed {seed}", offset, row=row, training_seed=seed) for seed, offset in enumerate(offsets)]


def test_table_averages_over_seeds_and_compares_by_seed() -> None:
    table = results_table([*seeded("full", 0.4, 0.6), *seeded("other", 0.3, 0.65)], baseline="full")
    lines = table.splitlines()
    assert lines[2].startswith("| full | 0.5200 [")  # (0.4 + 0.6) / 2 + mean of 0..4 hundredths
    assert lines[3].startswith("| other | 0.4950 [")
    # Every pair has the same difference, so that the interval is a point; the seeds disagree in sign.
    assert "-0.025 [-0.025, -0.025] (-0.100, +0.050)" in lines[3]
    assert f"2 training seeds and {PAIRS} pairs" in table and "Differences for the individual training seeds" in table


def test_order_of_results_does_not_mix_seeds_of_unequal_rows() -> None:
    full, other = seeded("full", 0.4, 0.6), seeded("other", 0.3, 0.65)
    assert "(-0.100, +0.050)" in results_table([full[0], other[0], full[1], other[1]], baseline="full")


def test_a_difference_is_paired() -> None:
    found = results_table([result("a", 0.5), result("worse", 0.4)], baseline="a")
    assert "-0.100 [-0.100, -0.100]" in found and "texture minus a" in found


def test_a_row_without_training_seeds_is_compared_with_the_mean_of_those() -> None:
    table = results_table([*seeded("full", 0.4, 0.6), result("shipped", 0.55)], baseline="full")
    assert "| shipped | 0.5700 [" in table and "| +0.050 [+0.050, +0.050] | +0.050" in table


def test_columns_name_protocol_and_missing_silhouettes() -> None:
    head = results_table([result("a", 0.5)]).splitlines()[0]
    assert "SSIM, native ↑" in head and "texture ↑" in head and "less" not in head
    unmasked = results_table([replace(result("a", 0.5), silhouettes=None)])
    assert "texture, no mask ↑" in unmasked and "everything except white background counts as garment" in unmasked


def test_a_distribution_metric_is_reported_seed_by_seed() -> None:
    spreads = [{"encoder_fd": Spread(value, None, 5, 5)} for value in (0.1, 0.2)]
    found = [replace(one, distribution=two) for one, two in zip(seeded("full", 0.4, 0.6), spreads, strict=True)]
    assert "| 0.150 (0.100, 0.200) |" in results_table(found)


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ([*seeded("full", 0.4, 0.5), *seeded("other", 0.3)], "different numbers of training seeds"),
        (seeded("other", 0.3), "There is no row 'full'"),
        ([*seeded("full", 0.4), *[replace(one, known=one.known | {"guidance": 2.0}) for one in seeded("full", 0.3)]],
         "have different pairs or settings"),
        ([result("full", 0.4), replace(result("other", 0.4), silhouettes=None)], "different silhouettes"),
        ([result("full", 0.4), replace(result("other", 0.4), protocol={"name": "igr"})], "different protocols"),
    ],
)  # fmt: skip
def test_results_that_cannot_be_compared_are_rejected(results: list[Result], sentence: str) -> None:
    with pytest.raises(IGRError, match=sentence):
        results_table(results, "full")


def test_every_metric_has_a_unique_title() -> None:
    titles = [one.name("native", True) for one in METRICS.values()]
    assert len(set(titles)) == len(titles)
