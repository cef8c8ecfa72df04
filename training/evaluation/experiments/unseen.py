"""Find the categories in an experiment that a bundle was not trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from igr_core.model.bundle import Bundle


def trained_categories(training: Mapping[str, Any]) -> set[str] | None:
    """Categories in the training data of a bundle and its parents; None if any of the data has no recorded
    categories."""
    records = training.get("data_sets")
    if not records or any("categories" not in record for record in records):
        return None
    found = {category for record in records for category in record["categories"]}
    parent = training.get("parent")
    if parent is None or not parent.get("training"):
        return found
    before = trained_categories(parent["training"])
    return None if before is None else found | before


def unseen(bundles: Mapping[Path, Bundle], categories: Iterable[str], title: str) -> list[str]:
    """A sentence for each category of the data set `title` that a bundle was not trained on."""
    asked, said = Counter(categories), []
    for path, bundle in bundles.items():
        known = trained_categories(bundle.info.training)
        for category in sorted(asked.keys() - known) if known is not None else ():
            said.append(
                f"{path} was never trained on {category} garments (only {', '.join(sorted(known or ()))}), but "
                f"{asked[category]} of the {asked.total()} in {title} are {category}: expect poor results, or set "
                "data.categories."
            )
    return said
