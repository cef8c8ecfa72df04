"""Restore a garment with evidence, from several photos, with the photos' details, or as the best of several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from ..detail.candidates import agreement, ranked
from ..detail.evidence import Evidence
from ..detail.report import describe, evidence_map, seen_fraction
from ..detail.transfer import Transfer, source_photos, transfer_details
from ..photo.view import GarmentView, join_views, shows_again
from ..ranges import Range, Ranged
from ..sampling.loop import Progress
from ..sampling.presets import PAPER, Sampling
from .background_removal import garment_alpha
from .restorer import GarmentRestorer


@dataclass(frozen=True)
class Detailing(Ranged):
    """What to do beyond a plain restoration."""

    size: tuple[int, int] | None = None
    """Width and height to which the garment is enlarged with the photos' details; None leaves it as restored."""
    transfer: Transfer = Transfer()
    """How details are moved."""
    candidates: Annotated[int, Range(1, 64)] = 1
    """Number of seeds to try; the result that agrees best with the photos is kept."""


@dataclass(frozen=True)
class Candidate:
    """The result of one seed."""

    seed: int
    """The seed."""
    image: Tensor
    """(1, 3, H, W) in 0..1 at the working size."""
    evidence: Evidence
    """Evidence for the image."""
    score: float
    """Agreement with the photos, 0..1."""


@dataclass(frozen=True)
class Detailed:
    """A restored garment, and which parts of it the photos show."""

    image: Tensor
    """(1, 3, h, w) in 0..1, at the working size or enlarged with details."""
    visible: Tensor
    """(1, 1, H, W) in 0..1: probability that a pixel was visible in a photo, 0 outside the garment."""
    seen: float
    """Fraction of the garment's area that was visible."""
    note: str
    """One sentence on what was not visible."""
    candidates: tuple[Candidate, ...]
    """All candidates, best first."""


def restore_detailed(
    restorer: GarmentRestorer,
    views: Sequence[GarmentView],
    category: str,
    detailing: Detailing,
    sampling: Sampling = PAPER,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Detailed:
    """Restore the garment that all `views` show, each of one photo and all at the same size; repeated ones count once.

    Raises IGRError as GarmentRestorer.restore_with_evidence does.
    """
    view = join_views(different_views(views))
    found = _candidates(restorer, view, category, detailing.candidates, sampling, seed, progress)
    image, visible, seen, note = presented(found[0].image, found[0].evidence, view, detailing)
    return Detailed(image, visible, seen, note, found)


def different_views(views: Sequence[GarmentView]) -> list[GarmentView]:
    """Views of one photo each, without those that show the same as an earlier one."""
    return [one for number, one in enumerate(views) if not any(shows_again(before, one) for before in views[:number])]


class Presented(NamedTuple):
    """A restored garment with its evidence, as users see it."""

    image: Tensor
    """(1, 3, h, w) in 0..1, at the working size or enlarged with details."""
    visible: Tensor
    """(1, 1, H, W) in 0..1, the evidence map at the working size."""
    seen: float
    """Fraction of the garment's area that was visible."""
    note: str
    """One sentence on what was not visible."""


def presented(restored: Tensor, evidence: Evidence, view: GarmentView, detailing: Detailing) -> Presented:
    """Present a restored garment (1, 3, H, W): its evidence map and, if wanted, the details of its photos' `view`."""
    alpha = garment_alpha(restored)
    visible = evidence_map(evidence, alpha[0])
    image = restored
    if detailing.size is not None:
        photos = source_photos(view)
        image = transfer_details(restored[0], alpha[0], evidence, photos, detailing.size, detailing.transfer)[0][None]
    return Presented(image, visible[None], seen_fraction(visible, alpha[0]), describe(visible, alpha[0]))


def _candidates(
    restorer: GarmentRestorer,
    view: GarmentView,
    category: str,
    count: int,
    sampling: Sampling,
    seed: int,
    progress: Progress | None,
) -> tuple[Candidate, ...]:
    """One candidate for each of `count` seeds starting at `seed`, best first; the extractors run once."""
    photos = [tuple(range(len(view.person)))]
    restorer.check([category], 1, sampling.steps, view)
    conditions = restorer.conditions(view, [category], photos)
    found = []
    for number in range(count):
        images, (evidence,) = restorer.restore_with_evidence(
            view,
            category,
            sampling,
            seed=seed + number,
            progress=_part(progress, number, count),
            photos=photos,
            conditions=conditions,
        )
        score = agreement(images[0], view.person, evidence)
        found.append(Candidate(seed + number, images, evidence, score))
    return tuple(found[place] for place in ranked([one.score for one in found]))


def _part(progress: Progress | None, number: int, count: int) -> Progress | None:
    """Turn the progress of run `number` into that of all `count` runs."""
    if progress is None:
        return None
    report: Callable[[int, int], None] = progress
    return lambda done, total: report(number * total + done, count * total)


def grid(images: Sequence[Tensor], columns: int) -> Tensor:
    """Images (1, 3, H, W) side by side in rows of `columns`, on white: (1, 3, h, w)."""
    rows = []
    for start in range(0, len(images), columns):
        row = list(images[start : start + columns])
        row += [torch.ones_like(images[0])] * (columns - len(row))
        rows.append(torch.cat(row, -1))
    return torch.cat(rows, -2)
