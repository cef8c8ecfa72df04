"""The ranking that distinguishes texture agreement from SSIM, and its limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.evaluation.reports.validity import (
    CASES,
    enlarged,
    rankings,
    read_validity,
    shifted,
    turned,
    validity_table,
    write_validity,
)


def test_texture_agreement_ranks_like_people_where_ssim_does_not(tmp_path: Path) -> None:
    measured = rankings(10_000_000, 8)
    found = {(one.metric, one.case): one for one in measured.rankings}
    assert len(found) == 2 * len(CASES)
    for case in ("0 pixels", "2 pixels", "2% in size", "2° turned"):
        assert found["texture_agreement", case].right == 1, case
    assert found["ssim", "2 pixels"].right < 0.5, "a right garment off its place is worth less to SSIM than a blur"
    right, soft, wrong = found["texture_agreement", "2 pixels"].scores
    assert right > soft + 0.1 > wrong + 0.2
    right, soft, wrong = found["texture_agreement", "4 pixels"].scores
    assert found["texture_agreement", "4 pixels"].right < 1, "beyond what it forgives the order ends"
    assert min(right, soft) > wrong + 0.2, "and yet the wrong cloth is told"
    text = validity_table(measured)
    assert "| texture | 2 pixels | 100.0% | 1.000 |" in text and "8 drawn garments" in text
    assert "| SSIM, native | 2° turned | " in text
    write_validity(tmp_path / "validity.json", measured)
    assert read_validity(tmp_path / "validity.json") == measured
    with pytest.raises(IGRError, match="contains no rankings"):
        read_validity(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("move", "wanted"),
    [(shifted(4), (34, 24)), (turned(90), (20, 30)), (enlarged(1.5), (30, 15))],
    ids=["shifted", "turned", "enlarged"],
)
def test_an_image_is_rotated_and_scaled_about_its_centre(move: object, wanted: tuple[int, int]) -> None:
    picture = Image.new("RGB", (60, 60), "white")
    picture.paste("black", (27, 17, 33, 23))  # about (30, 20)
    found = move(picture)  # type: ignore[operator]
    rows, columns = np.nonzero(np.asarray(found.convert("L")) < 128)
    assert found.size == picture.size
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx(wanted, abs=0.5)
