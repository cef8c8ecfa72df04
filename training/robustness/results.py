"""What was restored from spoiled masks: a result for each condition, the differences and the table made of them."""

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
"""Conditions beside the spoiled ones: the garment's visible pixels, and the whole photo taken for the garment."""
COLUMNS = ("texture_agreement", "outline", "ssim", "invented", "missing")
"""Metrics of the table."""


@dataclass(frozen=True)
class Condition:
    """One way and degree of spoiling, and what it did to each photo's mask."""

    kind: str
    """One of spoilers.KINDS, CLEAN or NO_MASK."""
    aim: float | None
    """Overlap that was aimed at; None for the last two."""
    overlap: tuple[float, ...]
    """IoU of each photo's mask with the clean one."""
    strength: tuple[float, ...]
    """How far each mask was spoiled, in shares of the garment's longer side (spoilers.Spoiled)."""
    reached: tuple[bool, ...]
    """Whether each mask's overlap is the one aimed at; other photos are left out of means."""

    @property
    def name(self) -> str:
        """What files call it."""
        return self.kind.replace(" ", "_") if self.aim is None else f"{self.kind}_{self.aim:.2f}"

    @property
    def title(self) -> str:
        """What its result is called."""
        return self.kind if self.aim is None else f"{self.kind}, IoU {self.aim:.2f}"

    def of_reached(self, values: Iterable[Any]) -> list[Any]:
        """Those of one value per photo whose mask reached the aim."""
        return [value for value, reached in zip(values, self.reached, strict=True) if reached]


def condition_of(result: Result) -> Condition:
    """What spoiled the masks of a result; IGRError where it is of something else."""
    return from_json(Condition, result.known.get("mask"), f"{result.name} (mask)")


@dataclass(frozen=True)
class Robustness:
    """All conditions of one measurement."""

    results: tuple[Result, ...]
    """The clean masks first; `known` holds the condition as `mask`, the photos' categories, and the settings."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """What each photo was drawn from."""
        return tuple(int(name) for name in self.results[0].names)

    @property
    def settings(self) -> dict[str, Any]:
        """Bundle, photos, restoration and code: what decides about the numbers."""
        return self.results[0].known["settings"]

    def result(self, kind: str, aim: float | None = None) -> Result:
        """The result of this kind and aim; IGRError where it was not measured."""
        for one in self.results:
            condition = condition_of(one)
            if (condition.kind, condition.aim) == (kind, aim):
                return one
        raise IGRError(
            f"{kind} {'' if aim is None else aim} was not measured: run python -m training evaluate robustness run."
        )

    def difference(self, result: Result, metric: str) -> Interval:
        """Mean of a condition less the clean mask over the photos that reached the aim, with its 95 % interval."""
        reached = condition_of(result).of_reached(result.names)
        return difference(result, self.result(CLEAN), metric, reached)


def read_condition(path: Path) -> Result | None:
    """The result that an earlier run left of a condition; None where there is none or where the file is damaged."""
    try:
        return read_results([path])[0]
    except (IGRError, IndexError):
        return None


def write_robustness(path: Path, found: Robustness) -> None:
    """Write a measurement as a file of results, atomically."""
    write_results(path, found.results)


def read_robustness(path: Path) -> Robustness:
    """A measurement; IGRError names a file that holds none."""
    try:
        found = Robustness(tuple(read_results([path])))
        for one in found.results:
            condition_of(one)
        found.result(CLEAN)
    except IGRError as error:
        raise IGRError(
            f"{path} holds no measurement ({error}): write it with python -m training evaluate robustness run."
        ) from error
    return found


def robustness_table(found: Robustness) -> str:
    """Markdown table: scores of the clean masks, below them what each condition changes, and what was measured."""
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
    """Median strength in percent of the garment's longer side."""
    kept = condition.of_reached(condition.strength)
    return f"{median(kept):.1%}" if condition.aim is not None and kept else ""


def _caption(found: Robustness) -> str:
    told = found.settings
    weights = f"{told['bundle']} `{told['weights_sha256'][:12]}`"
    return (
        "The first line holds means, the others the mean change from it with its 95 % bootstrap interval, photo by "
        'photo. IoU is the mask\'s with the clean one; "off by" tells the median of how far the edge or the mask was '
        "moved, or the largest hole's radius, in percent of the garment's longer side. "
        f"{len(found.seeds)} held-out photos, {min(found.seeds)}–{max(found.seeds)}; guidance {told['guidance']:g}, "
        f"{told['steps']} DDIM steps; weights (sha256) {weights}; measured at `{told['revision'][:12]}`.\n"
    )
