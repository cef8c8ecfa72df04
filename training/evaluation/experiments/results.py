"""What a scoring found, on disk as JSON: numbers with their intervals, and everything that they depend on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.model.config import from_json, to_json
from training.base.files import write_text

from ..metrics.distribution import Spread
from ..pictures.folders import PictureList

LIBRARIES = ("torch", "torchvision", "torchmetrics", "torch-fidelity", "clean-fid", "pyiqa", "pillow", "numpy", "scipy")
"""Whose versions a result tells, as far as they are installed."""


@dataclass(frozen=True)
class Metric:
    """How a metric is written."""

    title: str
    """In tables."""
    decimals: int
    """Digits behind the point."""
    higher_is_better: bool
    """Its better side."""
    times: float = 1.0
    """What tables multiply it with: KID is given times 1,000."""

    @property
    def arrow(self) -> str:
        """Its better side as heads of tables show it."""
        return "↑" if self.higher_is_better else "↓"


METRICS = {
    "ssim": Metric("SSIM", 4, True),
    "lpips_alex": Metric("LPIPS (alex)", 4, False),
    "lpips_vgg": Metric("LPIPS (vgg)", 4, False),
    "dists": Metric("DISTS", 4, False),
    "fid": Metric("FID", 2, False),
    "clip_fid": Metric("CLIP-FID", 2, False),
    "kid": Metric("KID ×10³", 2, False, 1000.0),
    "encoder_fd": Metric("FD (bundle's encoder)", 3, False),
    "texture_agreement": Metric("texture", 3, True),
    "masked_l1": Metric("masked L1", 3, False),
    "garment_psnr": Metric("garment PSNR, dB", 1, True),
    "invented": Metric("invented", 3, False),
    "missing": Metric("missing", 3, False),
}
"""All metrics by name, in the order of tables: the paper's, the same over a bundle's encoder, this project's."""
DISTRIBUTION = ("fid", "clip_fid", "kid", "encoder_fd")
"""Those that compare two sets."""
ENCODER = ("encoder_fd",)
"""Those that need a bundle to look through."""


def check_metrics(names: Iterable[str]) -> None:
    """Raise IGRError for a name that is none of METRICS."""
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise IGRError(f"There is no metric {unknown[0]!r}: choose {', '.join(METRICS)}.")


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


@dataclass(frozen=True)
class Result:
    """One row of a table: some pictures against their references, under one protocol."""

    name: str
    """What tables call it."""
    kind: str
    """`bundle`, `control`, or `folder` for pictures that came from elsewhere."""
    protocol: dict[str, Any]
    """The Protocol's fields."""
    generated: PictureList
    """What was scored."""
    reference: PictureList
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
    silhouettes: PictureList | None = None
    """Masks that told garment from background; None where what is not white background counted as garment."""
    known: dict[str, Any] = field(default_factory=dict)
    """What else is known: bundle, guidance, steps, data set."""

    def value(self, metric: str) -> float | None:
        """A metric's mean or value, unmultiplied; None where it was not computed."""
        if metric in self.paired:
            return self.paired[metric].mean
        return self.distribution[metric].value if metric in self.distribution else None

    def cell(self, metric: str) -> str:
        """A metric with its interval or spread as tables write it; empty where it was not computed."""
        kind = METRICS[metric]

        def written(value: float) -> str:
            return f"{value * kind.times:.{kind.decimals}f}"

        if metric in self.paired:
            found = self.paired[metric]
            return f"{written(found.mean)} [{written(found.low)}, {written(found.high)}]"
        if metric in self.distribution:
            spread = self.distribution[metric]
            return written(spread.value) + (f" ± {written(spread.spread)}" if spread.spread is not None else "")
        return ""


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
    """Write results as JSON, atomically."""
    make_folder(path.parent)
    write_text(path, json.dumps({"results": [to_json(result) for result in results]}, indent=1) + "\n")


def read_results(paths: Sequence[Path]) -> list[Result]:
    """Results of several files, in order; IGRError names a file that holds none."""
    results: list[Result] = []
    for path in paths:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))["results"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IGRError(f"{path} holds no results: write it with python -m training evaluate.") from error
        results += [from_json(Result, one, f"{path}, result {number}") for number, one in enumerate(data)]
    return results
