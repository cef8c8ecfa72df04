"""Measure the cost of evidence and details, as a fraction of a restoration's time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from igr_core.detail.transfer import Transfer, transfer_details
from igr_core.detail.warping import source_photos
from igr_core.restore.background_removal import garment_alpha
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling

from ..evaluation.images.subjects import Subjects

STEPS = 25
"""DDIM steps of the restoration, as in the paper."""


@dataclass(frozen=True)
class Cost:
    """CPU time in each round, as a fraction of the round's restoration."""

    evidence: tuple[float, ...]
    """Reading the attention and computing the evidence."""
    details: tuple[float, ...]
    """Moving the photo's details."""

    @property
    def table(self) -> str:
        """The medians, with their ranges, as a Markdown table."""
        both = tuple(map(sum, zip(self.evidence, self.details, strict=True)))
        lines = [f"| CPU time | of a {STEPS}-step restoration |", "|---|---:|"]
        for name, found in (("evidence", self.evidence), ("details", self.details), ("both", both)):
            lines.append(f"| {name} | {statistics.median(found):.1%} ({min(found):.1%} to {max(found):.1%}) |")
        return "\n".join(lines)


@torch.no_grad()
def measure_cost(
    restorer: GarmentRestorer,
    subjects: Subjects,
    size: tuple[int, int],
    rounds: int,
    progress: Callable[[int], object] | None = None,
) -> Cost:
    """Restore one pair per round, with its evidence and its details at `size` (width, height).

    The first pair is also restored once before the first round, to warm up. `progress` is called with 1 after each
    round.
    """
    evidence, details = [], []
    for number in range(rounds + 1):
        row = max(0, number - 1) % len(subjects)
        view, category = subjects.view([row], restorer.info.model), subjects.categories[row]
        start = time.process_time()
        restorer.restore(view, category, Sampling(STEPS))
        plain = time.process_time()
        images, (found,) = restorer.restore_with_evidence(view, category, Sampling(STEPS))
        read = time.process_time()
        alpha = garment_alpha(images)[0]
        transfer_details(images[0], alpha, found, source_photos(view), size, Transfer())
        moved = time.process_time()
        if number:
            evidence.append((read - plain) / (plain - start) - 1)
            details.append((moved - read) / (plain - start))
            if progress is not None:
                progress(1)
    return Cost(tuple(evidence), tuple(details))
