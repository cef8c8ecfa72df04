"""The paper's numbers: the row common to all three tables, and the positions of measured rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.evaluation.tables.paper import COLUMNS, PAPER, STREET, VITON


def test_tables_have_every_column_and_share_the_papers_own_row() -> None:
    for rows in PAPER.values():
        for viton, street in rows.values():
            assert (len(viton), len(street)) == (len(COLUMNS[VITON]), len(COLUMNS[STREET]))
    assert PAPER["table1"]["Ours"] == PAPER["table2"]["Ours"] == PAPER["table3"]["1.5"]


@pytest.mark.parametrize("table", PAPER)
def test_numbers_are_in_the_range_of_their_metric(table: str) -> None:
    for ssim, lpips, dists, fid, clip_fid, kid in (viton for viton, _ in PAPER[table].values()):
        assert 0.7 < ssim < 0.81 and 0.29 < lpips < 0.45 and 0.2 < dists < 0.3
        assert 12 < fid < 67 and 5 < clip_fid < 15 and 2 < kid < 53


def test_configs_name_only_rows_that_the_paper_has() -> None:
    configs = Path(__file__).parents[4] / "training" / "configs" / "evaluation"
    known = {name for rows in PAPER.values() for name in rows}
    named = {
        name.strip() for path in configs.glob("*.yaml") for name in re.findall(r"paper: ([^},\n]+)", path.read_text())
    }
    assert named and named <= known
