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
from ..detail.transfer import Transfer, transfer_details
from ..detail.warping import source_photos
from ..flatten.flat import complete
from ..photo.view import GarmentView, join_views, shows_again
from ..ranges import Range, Ranged
from ..sampling.loop import Progress
from ..sampling.presets import PAPER, Sampling
from .background_removal import garment_alpha
from .flattened import FlatRestored, restore_flat
from .restorer import GarmentRestorer


@dataclass(frozen=True)
class Detailing(Ranged):
    """Settings for a restoration with candidates or with details from the photos."""

    size: tuple[int, int] | None = None
    """Width and height to which the garment is enlarged with the photos' details; None leaves it as restored."""
    transfer: Transfer = Transfer()
    """Settings of the transfer of details."""
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
    flat: FlatRestored | None = None
    """The photos' pixels, laid out flat; None if it was restored from noise."""


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
    opacity: Tensor | None = None
    """(1, 1, h, w) in 0..1, the garment's exact opacity, if it is known."""


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
    """Restore the garment shown in `views`, which have one photo each and the same size; repetitions are skipped.

    A restorer with a flattener starts from the photos' pixels, laid out flat. Raises IGRError as restore_flat and
    GarmentRestorer.restore_with_evidence do.
    """
    view = join_views(different_views(views))
    found = _candidates(restorer, view, category, detailing.candidates, sampling, seed, progress)
    shown = presented(found[0].image, found[0].evidence, view, detailing, found[0].flat)
    return Detailed(*shown[:4], found, shown.opacity)


def different_views(views: Sequence[GarmentView]) -> list[GarmentView]:
    """The views, each of one photo, without those whose photo and mask are the same as an earlier view's."""
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
    opacity: Tensor | None = None
    """(1, 1, h, w) in 0..1, the garment's exact opacity, if it is known."""


def presented(
    restored: Tensor, evidence: Evidence, view: GarmentView, detailing: Detailing, flat: FlatRestored | None = None
) -> Presented:
    """Present a restored garment (1, 3, H, W): its evidence map and, if requested, the details of its photos' `view`.

    With `flat`, the outline is exact, the evidence of a pixel is the fraction of it that comes from a photo, and an
    enlarged image has the photos' resolution.
    """
    if flat is not None:
        own = flat.flat
        shown = own.shown
        image, opacity = restored, own.opacity
        if detailing.size is not None:
            large = flat.garment.laid_out(detailing.size)
            image, opacity = complete(large, flat.restored)[None], large.opacity
        seen = seen_fraction(shown, own.opacity)
        return Presented(image, shown[None], seen, describe(shown, own.opacity), opacity[None])
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
        if restorer.flattener is not None:
            (flat,) = restore_flat(
                restorer,
                restorer.flattener,
                view,
                category,
                sampling,
                seed=seed + number,
                photos=photos,
                conditions=conditions,
                progress=_part(progress, number, count),
            )
            found.append(Candidate(seed + number, flat.finished()[None], flat.garment.evidence, flat.score, flat))
            continue
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
    """Turn the progress of run `number` into the progress of all `count` runs."""
    if progress is None:
        return None
    report: Callable[[int, int], None] = progress
    return lambda done, total: report(number * total + done, count * total)


def grid(images: Sequence[Tensor], columns: int) -> Tensor:
    """Arrange images (1, 3, H, W) in a grid of `columns` columns, with white empty cells: (1, 3, h, w)."""
    rows = []
    for start in range(0, len(images), columns):
        row = list(images[start : start + columns])
        row += [torch.ones_like(images[0])] * (columns - len(row))
        rows.append(torch.cat(row, -1))
    return torch.cat(rows, -2)
