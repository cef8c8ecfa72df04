"""Tables over training seeds: means over seeds and pairs, leads by pair, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from igr_core.errors import IGRError
from training.base.statistics import mean_interval
from training.evaluation.evidence.rows import Row, Score
from training.evaluation.evidence.seeds import seeds_table
from training.evaluation.metrics.garment import HIGHER_IS_BETTER

PAIRS = 5


def row(name: str, offset: float) -> Row:
    """A row whose pair i scores offset + i / 100 in every metric."""
    values = [offset + index / 100 for index in range(PAIRS)]
    interval = mean_interval(values)
    score = Score(interval.mean, interval.low, interval.high, tuple(values))
    return Row(
        name=name,
        kind="bundle",
        pairs_sha256="same",
        seeds=tuple(range(PAIRS)),
        n=PAIRS,
        metrics=dict.fromkeys(HIGHER_IS_BETTER, score),
        revision="0" * 40,
        guidance=1.5,
        steps=25,
        noise_seed=0,
    )


def test_table_averages_over_seeds_and_leads_by_seed():
    rows = [row("full", 0.4), row("full", 0.6), row("other", 0.3), row("other", 0.65)]
    table = seeds_table(rows, "full")
    lines = table.splitlines()
    assert lines[2].startswith("| full | 0.520 [")  # (0.4 + 0.6) / 2 + mean of 0..4 hundredths
    assert lines[3].startswith("| other | 0.495 [")
    # Every pair has the same difference, so that the interval is a point; the seeds disagree in sign.
    assert "+0.025 [+0.025, +0.025] (+0.100, -0.050)" in lines[3]
    assert "2 training seeds and 5 held-out pairs" in table


def test_order_of_files_does_not_mix_seeds_of_unequal_rows():
    rows = [row("full", 0.4), row("other", 0.3), row("full", 0.6), row("other", 0.65)]
    assert "(+0.100, -0.050)" in seeds_table(rows, "full")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row("full", 0.4), row("full", 0.5), row("other", 0.3)], "same number of training seeds"),
        ([row("other", 0.3)], "No row is called 'full'"),
        ([row("full", 0.4), replace(row("other", 0.3), guidance=2.0)], "unequal pairs, guidance or steps"),
    ],
)
def test_what_cannot_be_compared_is_refused(rows: list[Row], sentence: str):
    with pytest.raises(IGRError, match=sentence):
        seeds_table(rows, "full")
