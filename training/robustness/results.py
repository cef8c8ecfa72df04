"""What was restored from spoiled masks, as JSON on disk, and the differences and the table that are made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.model.config import from_json, to_json

from ..base.files import write_text
from ..base.statistics import Interval, difference_interval
from ..evaluation.markdown import markdown

RESULT = "robustness.json"
"""What a measurement is called in its folder."""
KEPT = Path(__file__).parents[1] / "results" / "robustness" / RESULT
"""The measurement that pages tell of."""
CLEAN, NO_MASK = "clean", "no mask"
"""Conditions beside the spoiled ones: the garment's visible pixels, and the whole photo taken for the garment."""
COLUMNS = {
    "texture_agreement": ("texture ↑", 3),
    "outline": ("outline ↑", 3),
    "ssim": ("SSIM ↑", 3),
    "invented": ("invented ↓", 3),
    "missing": ("missing ↓", 3),
}
"""Metrics of the table, with title and decimals; `outline` is the IoU of the restored and the true silhouette."""


@dataclass(frozen=True)
class Condition:
    """One way and degree of spoiling over all photos."""

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
    scores: dict[str, tuple[float, ...]]
    """One value for each photo, by metric."""

    @property
    def name(self) -> str:
        """What files call it."""
        return self.kind.replace(" ", "_") if self.aim is None else f"{self.kind}_{self.aim:.2f}"

    def of_reached(self, values: Iterable[float]) -> list[float]:
        """Those of one value per photo whose mask reached the aim."""
        return [value for value, reached in zip(values, self.reached, strict=True) if reached]


@dataclass(frozen=True)
class Robustness:
    """All conditions of one measurement, and what they depend on."""

    settings: dict[str, Any]
    """Bundle, photos, restoration and code: what decides about the numbers."""
    seeds: tuple[int, ...]
    """What each photo was drawn from."""
    categories: tuple[str, ...]
    """Category of each photo."""
    command: str
    """Command that measured it."""
    libraries: dict[str, str]
    """Versions."""
    conditions: tuple[Condition, ...]
    """The clean masks first."""

    def condition(self, kind: str, aim: float | None = None) -> Condition:
        """The condition of this kind and aim; IGRError where it was not measured."""
        for one in self.conditions:
            if (one.kind, one.aim) == (kind, aim):
                return one
        raise IGRError(f"{kind} {'' if aim is None else aim} was not measured: run python -m training robustness run.")

    def difference(self, condition: Condition, metric: str) -> Interval:
        """Mean of a condition less the clean mask over the photos that reached the aim, with its 95 % interval."""
        clean = self.condition(CLEAN).scores[metric]
        return difference_interval(condition.of_reached(condition.scores[metric]), condition.of_reached(clean))


def write_condition(path: Path, condition: Condition) -> None:
    """Write one condition as JSON, atomically."""
    make_folder(path.parent)
    write_text(path, json.dumps(to_json(condition)) + "\n")


def read_condition(path: Path) -> Condition | None:
    """A condition that an earlier run finished; None where there is none or where the file is no condition."""
    try:
        return from_json(Condition, json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError, IGRError):
        return None


def write_robustness(path: Path, found: Robustness) -> None:
    """Write a measurement as JSON, atomically; a line for each condition."""
    make_folder(path.parent)
    data = to_json(found)
    conditions = ",\n".join(json.dumps(one) for one in data.pop("conditions"))
    head = json.dumps(data, indent=1).removesuffix("\n}")
    write_text(path, f'{head},\n "conditions": [\n{conditions}\n ]\n}}\n')


def read_robustness(path: Path) -> Robustness:
    """A measurement; IGRError names a file that holds none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IGRError(f"{path} holds no measurement: write it with python -m training robustness run.") from error
    return from_json(Robustness, data, str(path))


def robustness_table(found: Robustness) -> str:
    """Markdown table: scores of the clean masks, below them what each condition changes, and what was measured."""
    titles = ["mask", "IoU", "off by", "photos", *(title for title, _ in COLUMNS.values())]
    lines = [_line(found, condition) for condition in found.conditions]
    return markdown(titles, lines) + "\n" + _caption(found)


def _line(found: Robustness, condition: Condition) -> list[str]:
    count = sum(condition.reached)
    start = [condition.kind, _overlap(condition), _off_by(condition), str(count)]
    if condition.kind == CLEAN:
        return start + [f"{mean(condition.scores[metric]):.{digits}f}" for metric, (_, digits) in COLUMNS.items()]
    if count < 2:
        return start + [""] * len(COLUMNS)
    return start + [_change(found.difference(condition, metric), digits) for metric, (_, digits) in COLUMNS.items()]


def _overlap(condition: Condition) -> str:
    kept = condition.of_reached(condition.overlap)
    return f"{mean(kept):.2f}" if kept else f"{condition.aim:.2f}"


def _off_by(condition: Condition) -> str:
    """Median strength in percent of the garment's longer side."""
    kept = condition.of_reached(condition.strength)
    return f"{median(kept):.1%}" if condition.aim is not None and kept else ""


def _change(interval: Interval, digits: int) -> str:
    return f"{interval.mean:+.{digits}f} [{interval.low:+.{digits}f}, {interval.high:+.{digits}f}]"


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
