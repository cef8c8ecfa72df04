"""The ranking that tells texture agreement from SSIM."""

from __future__ import annotations

from training.evaluation.validity import rankings, table


def test_texture_agreement_ranks_as_people_do_where_ssim_does_not() -> None:
    found = {(one.metric, one.shift): one for one in rankings(10_000_000, 8)}
    assert found["texture_agreement", 0].right == found["texture_agreement", 2].right == 1
    assert found["ssim", 2].right < 0.5, "a right garment two pixels off its place is worth less to SSIM than a blur"
    right, soft, wrong = found["texture_agreement", 2].scores
    assert right > soft + 0.1 > wrong + 0.2
    text = table(list(found.values()))
    assert "| texture agreement | 2 pixels | 100.0% | 1.000 |" in text and "8 drawn garments" in text
