"""Compact scores for a bundle's metadata."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError

from ..result import Result, read_results
from .folder import result_files, sets_of


def compact_scores(place: Path, weights: str) -> dict[str, Any]:
    """Results for the weights with this hash, by setting, from a file of results or an experiment's folder.

    Raises IGRError if there are none, because scores are only valid for the weights that were measured.
    """
    places = {"": [place]} if place.is_file() else {name: result_files(one) for name, one in sets_of(place).items()}
    found: dict[str, Any] = {}
    for name, files in places.items():
        results = [one for one in read_results(files) if one.known.get("weights_sha256") == weights]
        found |= {", ".join(word for word in (name, _named(one, results)) if word): _short(one) for one in results}
    if not found:
        raise IGRError(
            f"{place} has no scores for these weights: export without --scores, score that bundle, then export again."
        )
    return found


def _named(result: Result, results: Sequence[Result]) -> str:
    """The guidance, or the row's name if several results have the same guidance."""
    named = f"guidance {result.known['guidance']:g}"
    return named if sum(one.known["guidance"] == result.known["guidance"] for one in results) == 1 else result.name


def _short(result: Result) -> dict[str, Any]:
    return {
        "guidance": result.known["guidance"],
        "steps": result.known["steps"],
        "n": len(result.names),
        "pairs": [result.names[0], result.names[-1]],
        "protocol": result.protocol["name"],
        "revision": result.revision,
        "metrics": {
            metric: {"mean": round(found.mean, 5), "interval_95": [round(found.low, 5), round(found.high, 5)]}
            for metric, found in result.paired.items()
        },
    }
