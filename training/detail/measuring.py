"""Score a bundle's correspondence and evidence on pairs with known ground truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from igr_core.model.detail_config import EvidenceConfig
from igr_core.restore.restorer import GarmentRestorer

from ..base.statistics import Interval, auroc, mean_interval
from ..prepared.latents import PreparedPairs
from .evidence import cells
from .runs import Compared, RunSettings, compare

NEAR = 0.05
"""Largest distance from the true position that counts as a hit, as a fraction of the garment's height."""
BINS = 10
"""Bins of the calibration curve."""


@dataclass(frozen=True)
class PlaceScores:
    """Accuracy of visible cells' positions; every value is computed per pair, then averaged."""

    pairs: int
    """Number of pairs."""
    median: Interval
    """Median distance to the true position, as a fraction of the garment's height."""
    near: Interval
    """Fraction of cells within NEAR of the true position."""


@dataclass(frozen=True)
class Calibration:
    """Accuracy of the evidence."""

    auroc: float
    """Probability that a visible cell has more evidence than a hidden one."""
    predicted: tuple[float, ...]
    """Mean evidence in each bin with cells."""
    visible: tuple[float, ...]
    """Fraction of each bin's cells that were visible."""
    error: float
    """Expected calibration error: mean distance between `predicted` and `visible`, weighted by each bin's cells."""


@dataclass(frozen=True)
class DetailScores:
    """All scores of a bundle."""

    places: dict[str, PlaceScores]
    """Scores of the positions, over all pairs and by category."""
    evidence: Calibration
    """Scores of the evidence."""


def measure_detail(
    restorer: GarmentRestorer,
    pairs: PreparedPairs,
    count: int,
    settings: RunSettings,
    progress: Callable[[int], object] | None = None,
) -> DetailScores:
    """Restore the first `count` pairs, and score their attention."""
    width, height = restorer.info.model.native_size
    latent_shape = height // restorer.info.model.vae.downscale, width // restorer.info.model.vae.downscale
    readout = restorer.readout_config(latent_shape)
    numbers = range(min(count, len(pairs)))
    runs = list(compare(restorer, pairs, numbers, readout, settings, progress))
    return DetailScores(score_places(runs, width / height), calibrate(runs, restorer.evidence_config))


def detail_table(scores: DetailScores) -> str:
    """The scores as Markdown tables."""
    lines = ["| pairs | number | median error | within 5% |", "|---|---:|---:|---:|"]
    for name, one in scores.places.items():
        median, near = (f"{x.mean:.1%} [{x.low:.1%}, {x.high:.1%}]" for x in (one.median, one.near))
        lines.append(f"| {name} | {one.pairs} | {median} | {near} |")
    found = scores.evidence
    lines += ["", f"Evidence: AUROC {found.auroc:.3f}, calibration error {found.error:.1%}.", ""]
    lines += ["| evidence | cells that were visible |", "|---:|---:|"]
    lines += [f"| {p:.0%} | {v:.0%} |" for p, v in zip(found.predicted, found.visible, strict=True)]
    return "\n".join(lines)


def score_places(runs: Sequence[Compared], aspect: float) -> dict[str, PlaceScores]:
    """Scores over all pairs, under `all`, and by category."""
    groups: dict[str, list[Tensor]] = defaultdict(list)
    for run in runs:
        errors = run.errors(aspect)
        if len(errors):
            groups["all"].append(errors)
            groups[run.category].append(errors)
    return {
        name: PlaceScores(
            len(some),
            mean_interval([float(errors.median()) for errors in some]),
            mean_interval([float((errors <= NEAR).float().mean()) for errors in some]),
        )
        for name, some in groups.items()
        if len(some) > 1
    }


def calibrate(runs: Sequence[Compared], evidence: EvidenceConfig) -> Calibration:
    """How well the evidence distinguishes visible from hidden cells, over the cells of all pairs."""
    values, labels = cells(runs)
    predicted = torch.sigmoid(values @ torch.tensor(evidence.coefficients))
    number = (predicted * BINS).long().clamp(max=BINS - 1)
    means, seen, error = [], [], 0.0
    for one in range(BINS):
        inside = number == one
        if bool(inside.any()):
            means.append(float(predicted[inside].mean()))
            seen.append(float(labels[inside].mean()))
            error += float(inside.float().mean()) * abs(means[-1] - seen[-1])
    return Calibration(auroc(predicted, labels), tuple(means), tuple(seen), error)
