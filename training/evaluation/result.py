"""The one result type: scores of each pair with their intervals, and everything that they depend on, as JSON."""

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
from igr_core.model.config import from_json, to_json

from ..base.files import write_text
from ..base.statistics import Interval, difference_interval, mean_interval
from .images.folders import ImageList
from .metrics.distribution import Spread
from .metrics.registry import METRICS

LIBRARIES = ("torch", "torchvision", "torchmetrics", "torch-fidelity", "clean-fid", "pyiqa", "pillow", "numpy", "scipy")
"""Whose versions a result records, as far as they are installed."""
_LIST, _BREAK = re.compile(r"\[\n\s*([^\[\]{}]*?)\n\s*\]"), re.compile(r"\n\s*")


@dataclass(frozen=True)
class Paired:
    """A metric over pairs."""

    mean: float
    """Mean over the pairs."""
    low: float
    """Lower end of its 95 % bootstrap interval."""
    high: float
    """Upper end."""
    values: tuple[float, ...]
    """One for each pair, in the order of the result's names."""

    @staticmethod
    def of(values: Sequence[float]) -> Paired:
        """Mean and interval of one value for each pair; IGRError for fewer than two."""
        interval = mean_interval(values)
        return Paired(interval.mean, interval.low, interval.high, tuple(values))


@dataclass(frozen=True)
class Result:
    """One row of a table: some pictures against their references, under one protocol."""

    name: str
    """What tables call it."""
    kind: str
    """`bundle`, `control`, or `folder` for pictures that came from elsewhere."""
    protocol: dict[str, Any]
    """The Protocol's fields."""
    generated: ImageList
    """What was scored."""
    reference: ImageList
    """What it was scored against."""
    names: tuple[str, ...]
    """Name of each pair; none where only distributions were compared."""
    paired: dict[str, Paired]
    """Paired metrics by name."""
    distribution: dict[str, Spread]
    """Distribution metrics by name."""
    skipped: dict[str, str]
    """A sentence for each metric that was wanted and could not run."""
    warnings: tuple[str, ...]
    """What a reader must know: unequal counts, JPEGs, weights that are not the published ones."""
    weights: dict[str, str]
    """SHA-256 of each file that a metric's network was read from."""
    libraries: dict[str, str]
    """Versions."""
    revision: str
    """Commit of this code."""
    silhouettes: ImageList | None = None
    """Masks that told garment from background; None where what is not white background counted as garment."""
    known: dict[str, Any] = field(default_factory=dict)
    """What else is known: bundle, guidance, steps, training seed, data set."""

    @property
    def row(self) -> str:
        """What its row is called, whatever the training seed."""
        return str(self.known.get("row") or self.name)

    def value(self, metric: str) -> float | None:
        """A metric's mean or value, unmultiplied; None where it was not computed."""
        if metric in self.paired:
            return self.paired[metric].mean
        return self.distribution[metric].value if metric in self.distribution else None

    def cell(self, metric: str) -> str:
        """A metric with its interval or spread as tables write it; empty where it was not computed."""
        written = METRICS[metric].written
        if metric in self.paired:
            found = self.paired[metric]
            return f"{written(found.mean)} [{written(found.low)}, {written(found.high)}]"
        if metric in self.distribution:
            spread = self.distribution[metric]
            return written(spread.value) + (f" ± {written(spread.spread)}" if spread.spread is not None else "")
        return ""

    def heading(self, metric: str) -> str:
        """Head of a metric's column: its name under this protocol, and its better side."""
        return METRICS[metric].heading(self.protocol["name"], self.silhouettes is not None)


def difference(result: Result, base: Result, metric: str, names: Iterable[str] | None = None) -> Interval:
    """Mean of a result less the base over some pairs of the result (all by default), pair by pair, with its interval.

    Raises IGRError where one of them lacks a pair, for fewer than two, and where the two cannot be compared.
    """
    check_comparable([result, base])
    wanted = result.names if names is None else tuple(names)
    columns = []
    for one in (result, base):
        values = dict(zip(one.names, one.paired[metric].values, strict=True))
        missing = [name for name in wanted if name not in values]
        if missing:
            raise IGRError(f"{one.name!r} has no score of {missing[0]}: score the same pairs.")
        columns.append([values[name] for name in wanted])
    return difference_interval(*columns)


def check_comparable(results: Sequence[Result]) -> None:
    """Raise IGRError where results of one table differ in protocol, true garments or silhouettes."""
    for what, values in (
        ("protocols", {one.protocol["name"] for one in results}),
        ("true garments", {one.reference.sha256 for one in results}),
        ("silhouettes", {one.silhouettes.sha256 if one.silhouettes else "none" for one in results}),
    ):
        if len(values) > 1:
            names = ", ".join(one.name for one in results)
            raise IGRError(f"{names} were scored with different {what}: score them alike before comparing them.")


def library_versions() -> dict[str, str]:
    """Versions of LIBRARIES that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write results as JSON, atomically; lists of numbers and names take one line each."""
    make_folder(path.parent)
    text = json.dumps({"results": [to_json(result) for result in results]}, indent=1)
    write_text(path, _LIST.sub(lambda found: f"[{_BREAK.sub(' ', found[1])}]", text) + "\n")


def read_results(paths: Sequence[Path]) -> list[Result]:
    """Results of several files, in order; IGRError names a file that holds none."""
    results: list[Result] = []
    for path in paths:
        try:
            data = list(json.loads(path.read_text(encoding="utf-8"))["results"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IGRError(f"{path} contains no results: create it with python -m training evaluate.") from error
        results += [from_json(Result, one, f"{path}, result {number}") for number, one in enumerate(data)]
    return results
