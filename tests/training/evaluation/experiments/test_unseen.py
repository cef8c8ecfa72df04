"""An experiment reports the categories that a bundle was never trained on at its start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from igr_core.model.bundle import Bundle, save_bundle
from tests.support.models.tiny import INFO, stub_parts
from training.evaluation.experiments.unseen import trained_categories, unseen

VITON = {"data_sets": [{"from_step": 0, "categories": ["upper"]}]}
DRESSCODE = {"data_sets": [{"from_step": 0, "categories": ["full", "lower", "upper"]}]}


def bundle(path: Path, training: dict[str, object]) -> Bundle:
    save_bundle(path, replace(INFO, training=training), stub_parts())
    return Bundle.open(path)


def test_a_category_that_was_never_trained_on_is_reported_with_its_count(tmp_path: Path) -> None:
    path = tmp_path / "viton.safetensors"
    asked = ["upper", "upper", "full"]
    (said,) = unseen({path: bundle(path, VITON)}, asked, "StreetTryOn test")
    assert said.startswith(
        f"{path} was never trained on full garments (only upper), but 1 of the 3 in StreetTryOn test"
    )
    assert unseen({path: bundle(path, DRESSCODE)}, asked, "StreetTryOn test") == []
    assert unseen({path: bundle(path, VITON)}, ["upper"], "VITON-HD test") == []


def test_training_of_parents_counts_and_missing_records_are_unknown() -> None:
    assert trained_categories(VITON | {"parent": {"name": "coarse", "training": DRESSCODE}}) == {
        "full",
        "lower",
        "upper",
    }
    assert trained_categories({}) is None
    assert trained_categories(VITON | {"parent": {"name": "old", "training": {"steps": 3}}}) is None
    assert trained_categories(VITON | {"parent": {"name": "init", "training": {}}}) == {"upper"}
