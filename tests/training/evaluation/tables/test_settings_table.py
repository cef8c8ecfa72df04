"""The table over sampling settings: steps in columns, and marks for what is worse than the baseline."""

from __future__ import annotations

from typing import Any

import pytest

from igr_core.errors import IGRError
from tests.support.training.made_results import result
from training.evaluation.result import Result
from training.evaluation.tables.settings_table import settings_table


def measured(offset: float, steps: int, guidance: float = 1.5, **known: Any) -> Result:
    name = f"{steps} at {guidance} {known}"
    return result(name, offset, steps=steps, guidance=guidance, sampler="ddim", **known)


FEW, MANY = measured(0.5, 2), measured(0.5, 25)
OTHERS = [measured(0.4, 2, 1.0), measured(0.6, 25, 1.0), measured(0.3, 25, guidance_interval=[0.2, 0.6])]


def test_steps_are_columns_and_the_worse_cells_are_marked() -> None:
    lines = settings_table([FEW, MANY, *OTHERS], MANY.row).splitlines()
    assert lines[0] == "|  | 2 steps | 25 steps |"
    assert lines[2].startswith("| ddim, guidance 1.5 | 0.520 / ") and "**0.520 / " in lines[2] and "↓" not in lines[2]
    worse, better = lines[3].split("|")[2:4]
    assert lines[3].startswith("| ddim, guidance 1 |") and worse.strip().endswith("↓") and "↓" not in better
    assert lines[4].startswith("| ddim, guidance 1.5 from 0.2 to 0.6 |  | 0.320 / ") and lines[4].endswith("↓ |")


def test_another_precision_has_its_own_row() -> None:
    lines = settings_table([FEW, MANY, measured(0.5, 25, precision="bf16")], MANY.row).splitlines()
    assert lines[3].startswith("| ddim, guidance 1.5, bf16 |  | 0.520 / ")


def test_the_caption_names_metrics_and_the_baseline() -> None:
    text = settings_table([FEW, MANY], FEW.row).splitlines()[-1]
    assert text.startswith("Each cell shows texture ↑ / garment PSNR, dB ↑.") and f"“{FEW.row}” (bold)" in text


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(IGRError, match="There is no row 'x'"):
        settings_table([FEW], "x")


def test_two_rows_with_the_same_settings_are_refused() -> None:
    with pytest.raises(IGRError, match="has the same sampling settings as another row: keep only one of them"):
        settings_table([FEW, MANY, measured(0.1, 25, photos=2)], MANY.row)
