"""The type of all results: each pair's scores, intervals, and everything that they depend on, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.json_text import parse_json
from igr_core.model.config import from_json, to_json

from ..base.files import write_text
from ..base.statistics import Interval, difference_interval, mean_interval
from .images.folders import ImageList
from .metrics.distribution import Spread
from .metrics.registry import METRICS

LIBRARIES = ("torch", "torchvision", "torchmetrics", "torch-fidelity", "clean-fid", "pyiqa", "pillow", "numpy", "scipy")
"""Libraries whose versions are recorded in a result, if they are installed."""
_LIST, _BREAK = re.compile(r"\[\n\s*([^\[\]{}]*?)\n\s*\]"), re.compile(r"\n\s*")


@dataclass(frozen=True)
class Paired:
    """A paired metric: mean, confidence interval of the mean, and the value of each pair."""

    mean: float
    """Mean over the pairs."""
    low: float
    """Lower end of the mean's 95% bootstrap interval."""
    high: float
    """Upper end of the interval."""
    values: tuple[float, ...]
    """A value for each pair, in the order of the result's names."""

    @staticmethod
    def of(values: Sequence[float]) -> Paired:
        """Mean and interval of one value per pair; raises IGRError for fewer than two."""
        interval = mean_interval(values)
        return Paired(interval.mean, interval.low, interval.high, tuple(values))


@dataclass(frozen=True)
class Result:
    """One row of a table: images compared with their references under a protocol."""

    name: str
    """Name in tables."""
    kind: str
    """`bundle`, `control`, or `folder` for images from elsewhere."""
    protocol: dict[str, Any]
    """Fields of the Protocol."""
    generated: ImageList
    """The scored images."""
    reference: ImageList
    """The images that the scored images were compared with."""
    names: tuple[str, ...]
    """Name of each pair; empty if only distributions were compared."""
    paired: dict[str, Paired]
    """Paired metrics by name."""
    distribution: dict[str, Spread]
    """Distribution metrics by name."""
    skipped: dict[str, str]
    """Why each requested metric could not run: a sentence, by the metric's name."""
    warnings: tuple[str, ...]
    """Notes for the reader, such as unequal counts, JPEGs, or weights that differ from the published ones."""
    weights: dict[str, str]
    """SHA-256 of the file of each metric's network."""
    libraries: dict[str, str]
    """Versions of the installed LIBRARIES."""
    revision: str
    """Commit of the code that scored the images."""
    silhouettes: ImageList | None = None
    """Masks of the garments; None if everything except white background counts as garment."""
    known: dict[str, Any] = field(default_factory=dict)
    """Further settings, such as bundle, guidance, steps and training seed."""

    @property
    def row(self) -> str:
        """Name of the result's row, without the training seed."""
        return str(self.known.get("row") or self.name)

    def value(self, metric: str) -> float | None:
        """A metric's mean or value, without the factor of tables; None if it was not computed."""
        if metric in self.paired:
            return self.paired[metric].mean
        return self.distribution[metric].value if metric in self.distribution else None

    def cell(self, metric: str) -> str:
        """A metric with its interval or spread, formatted for tables; empty if it was not computed."""
        written = METRICS[metric].written
        if metric in self.paired:
            found = self.paired[metric]
            return f"{written(found.mean)} [{written(found.low)}, {written(found.high)}]"
        if metric in self.distribution:
            spread = self.distribution[metric]
            return written(spread.value) + (f" ± {written(spread.spread)}" if spread.spread is not None else "")
        return ""

    def heading(self, metric: str) -> str:
        """Header of a metric's column: the name under this protocol, and an arrow for the better direction."""
        return METRICS[metric].heading(self.protocol["name"], self.silhouettes is not None)


def difference(result: Result, base: Result, metric: str, names: Iterable[str] | None = None) -> Interval:
    """Mean paired difference between a result and a base, with its interval, over `names` (by default all pairs).

    Raises IGRError if a pair is missing, for fewer than two pairs, or if the two results cannot be compared.
    """
    check_comparable([result, base])
    wanted = result.names if names is None else tuple(names)
    columns = []
    for one in (result, base):
        values = dict(zip(one.names, one.paired[metric].values, strict=True))
        missing = [name for name in wanted if name not in values]
        if missing:
            raise IGRError(f"{one.name!r} has no score for {missing[0]}: score the same pairs.")
        columns.append([values[name] for name in wanted])
    return difference_interval(*columns)


def check_comparable(results: Sequence[Result]) -> None:
    """Raise IGRError if the results for a table differ in protocol, true garments or silhouettes."""
    for what, values in (
        ("protocols", {one.protocol["name"] for one in results}),
        ("true garments", {one.reference.sha256 for one in results}),
        ("silhouettes", {one.silhouettes.sha256 if one.silhouettes else "none" for one in results}),
    ):
        if len(values) > 1:
            names = ", ".join(one.name for one in results)
            raise IGRError(
                f"{names} were scored with different {what}: score them with the same {what} before comparing them."
            )


def library_versions() -> dict[str, str]:
    """Versions of the installed LIBRARIES, by name."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write results as JSON, atomically, with each list of numbers or names on one line."""
    make_folder(path.parent)
    text = json.dumps({"results": [to_json(result) for result in results]}, indent=1)
    write_text(path, _LIST.sub(lambda found: f"[{_BREAK.sub(' ', found[1])}]", text) + "\n")


def read_results(paths: Sequence[Path]) -> list[Result]:
    """Results from several files, in order; raises IGRError for a file without results."""
    results: list[Result] = []
    for path in paths:
        try:
            data = list(parse_json(path.read_bytes(), "the file", "create it again")["results"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IGRError(f"{path} contains no results: create it with `python -m training evaluate`.") from error
        results += [from_json(Result, one, f"{path}, result {number}") for number, one in enumerate(data)]
    return results
