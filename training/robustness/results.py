"""Results of restoring from corrupted masks, one per condition, with their differences and a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from igr_core.errors import IGRError
from igr_core.model.config import from_json

from ..base.statistics import Interval
from ..evaluation.metrics.registry import METRICS
from ..evaluation.result import Result, difference, read_results, write_results
from ..evaluation.tables.markdown import markdown
from ..evaluation.tables.table import changed

CLEAN, NO_MASK = "clean", "no mask"
"""Conditions without corruption: the garment's visible pixels, and the whole photo as the mask."""
COLUMNS = ("texture_agreement", "outline", "ssim", "invented", "missing")
"""Metrics of the table."""


@dataclass(frozen=True)
class Condition:
    """A kind and degree of corruption, with its effect on each photo's mask."""

    kind: str
    """One of corruptions.KINDS, CLEAN or NO_MASK."""
    aim: float | None
    """Target IoU; None for CLEAN and NO_MASK."""
    overlap: tuple[float, ...]
    """IoU of each photo's mask with the clean mask."""
    strength: tuple[float, ...]
    """Strength of each mask's corruption, as a fraction of the garment's longer side (corruptions.Corrupted)."""
    reached: tuple[bool, ...]
    """Whether each mask reached the target IoU; other photos are excluded from means."""

    @property
    def name(self) -> str:
        """Name in file names."""
        return self.kind.replace(" ", "_") if self.aim is None else f"{self.kind}_{self.aim:.2f}"

    @property
    def title(self) -> str:
        """Name of the result."""
        return self.kind if self.aim is None else f"{self.kind}, IoU {self.aim:.2f}"

    def of_reached(self, values: Iterable[Any]) -> list[Any]:
        """Select the values (one per photo) of the photos whose mask reached the target."""
        return [value for value, reached in zip(values, self.reached, strict=True) if reached]


def condition_of(result: Result) -> Condition:
    """The condition of a result; raises IGRError if the result has no condition."""
    return from_json(Condition, result.known.get("mask"), f"{result.name} (mask)")


@dataclass(frozen=True)
class Robustness:
    """All conditions of one measurement."""

    results: tuple[Result, ...]
    """Results, starting with the clean masks; `known` contains `mask` (the condition), `categories` and `settings`."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seed of each photo."""
        return tuple(int(name) for name in self.results[0].names)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that determines the numbers: bundle, photos, restoration and code."""
        return self.results[0].known["settings"]

    def result(self, kind: str, aim: float | None = None) -> Result:
        """The result for a kind and target IoU; raises IGRError if it was not measured."""
        for one in self.results:
            condition = condition_of(one)
            if (condition.kind, condition.aim) == (kind, aim):
                return one
        what = kind if aim is None else f"{kind} {aim}"
        raise IGRError(f"{what} was not measured: run `python -m training evaluate robustness run`.")

    def difference(self, result: Result, metric: str) -> Interval:
        """Mean difference from the clean mask over photos that reached the target, with a 95% interval."""
        reached = condition_of(result).of_reached(result.names)
        return difference(result, self.result(CLEAN), metric, reached)


def read_condition(path: Path) -> Result | None:
    """A condition's result from an earlier run; None if it is missing or damaged."""
    try:
        return read_results([path])[0]
    except (IGRError, IndexError):
        return None


def write_robustness(path: Path, found: Robustness) -> None:
    """Write a measurement to a file atomically."""
    write_results(path, found.results)


def read_robustness(path: Path) -> Robustness:
    """Read a measurement; raises IGRError if the file does not contain a measurement."""
    try:
        found = Robustness(tuple(read_results([path])))
        for one in found.results:
            condition_of(one)
        found.result(CLEAN)
    except IGRError as error:
        raise IGRError(
            f"{path} contains no measurement ({error}): create it with `python -m training evaluate robustness run`."
        ) from error
    return found


def robustness_table(found: Robustness) -> str:
    """Markdown table of the scores with clean masks and the change in each condition, followed by the settings."""
    clean = found.result(CLEAN)
    titles = ["mask", "IoU", "off by", "photos", *(clean.heading(metric) for metric in COLUMNS)]
    lines = [_line(found, one) for one in found.results]
    return markdown(titles, lines) + "\n" + _caption(found)


def _line(found: Robustness, result: Result) -> list[str]:
    condition = condition_of(result)
    count = sum(condition.reached)
    start = [condition.kind, _overlap(condition), _off_by(condition), str(count)]
    if condition.kind == CLEAN:
        return start + [METRICS[metric].written(result.paired[metric].mean) for metric in COLUMNS]
    if count < 2:
        return start + [""] * len(COLUMNS)
    return start + [changed(found.difference(result, metric), metric) for metric in COLUMNS]


def _overlap(condition: Condition) -> str:
    kept: Sequence[float] = condition.of_reached(condition.overlap)
    return f"{sum(kept) / len(kept):.2f}" if kept else f"{condition.aim:.2f}"


def _off_by(condition: Condition) -> str:
    """Median strength as a percentage of the garment's longer side."""
    kept = condition.of_reached(condition.strength)
    return f"{median(kept):.1%}" if condition.aim is not None and kept else ""


def _caption(found: Robustness) -> str:
    settings = found.settings
    weights = f"{settings['bundle']} `{settings['weights_sha256'][:12]}`"
    return (
        "The first row shows means; the other rows show the mean change per photo from the first row, with its 95% "
        'bootstrap interval. IoU is measured between the mask and the clean mask; "off by" is the median '
        "distance that the edge or mask was moved, or the median radius of the largest hole, as a percentage of the "
        "garment's longer side. "
        f"{len(found.seeds)} held-out photos, seeds {min(found.seeds)} to {max(found.seeds)}; "
        f"guidance {settings['guidance']:g}, {settings['steps']} DDIM steps; weights (sha256) {weights}; "
        f"measured at commit `{settings['revision'][:12]}`.\n"
    )
