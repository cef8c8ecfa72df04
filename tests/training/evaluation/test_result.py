"""Results: JSON round trip, and paired differences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from tests.support.training.made_results import result
from training.evaluation.metrics.distribution import Spread
from training.evaluation.result import difference, read_results, write_results


def test_json_round_trip_is_exact_and_short(tmp_path: Path) -> None:
    odd = ("a [ b ]", 'say "x",  twice', "c\\n", "{d}", "")
    found = [result("a, [1]", 0.5), replace(result("b", 0.4), names=odd, distribution={"kid": Spread(0.1, None, 5, 5)})]
    write_results(tmp_path / "deep" / "a.json", found)
    assert read_results([tmp_path / "deep" / "a.json"]) == found
    text = (tmp_path / "deep" / "a.json").read_text(encoding="utf-8")
    assert "[0.5, 0.51, 0.52, 0.53, 0.54]" in text, "a list of numbers takes one line"


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"results": 3}', '{"results": [{}]}'])
def test_files_without_results_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(IGRError, match=r"broken\.json"):
        read_results([tmp_path / "broken.json"])


def test_differences_are_of_the_pairs_that_a_result_has() -> None:
    base, other = result("base", 0.5), result("other", 0.4)
    whole = difference(other, base, "ssim")
    assert (whole.low, whole.mean, whole.high) == pytest.approx((-0.1, -0.1, -0.1))
    rising = replace(other.paired["ssim"], values=(0.5, 0.51, 0.52, 0.53, 0.94))
    odd = replace(other, paired={**other.paired, "ssim": rising})
    assert difference(odd, base, "ssim", base.names[:4]).mean == pytest.approx(0)
    assert difference(odd, base, "ssim").mean == pytest.approx(0.4 / 5)
    more = replace(other, names=(*other.names[:4], "seed-x"))
    with pytest.raises(IGRError, match="'base' has no score for seed-x"):
        difference(more, base, "ssim")
    with pytest.raises(IGRError, match="at least 2 pairs"):
        difference(other, base, "ssim", base.names[:1])


def test_only_pairs_of_the_same_truth_are_compared() -> None:
    base = result("base", 0.5)
    other = replace(base, name="other", reference=replace(base.reference, sha256="else"))
    with pytest.raises(IGRError, match="different true garments"):
        difference(other, base, "ssim")
