"""Restore the pairs for one line of an experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from igr_core.restore.detailed import Detailing, restore_detailed
from igr_core.restore.restorer import GarmentRestorer

from ..images.subjects import Subjects
from .experiment import ExperimentConfig, Line


def restore_line(
    restorer: GarmentRestorer, subjects: Subjects, rows: Sequence[int], line: Line, config: ExperimentConfig
) -> Iterator[tuple[int, Tensor]]:
    """Yield the index and restored garment (3, H, W) of some pairs; pair i has the noise seed config.seed + i."""
    assert line.sampling is not None
    if line.row.one_by_one:
        yield from _one_by_one(restorer, subjects, rows, line, config.seed)
        return
    for batch in _batches(rows, config.batch):
        garments = restorer.restore(
            subjects.view(batch, restorer.info.model),
            [subjects.categories[i] for i in batch],
            line.sampling,
            seed=config.seed + batch[0],
            reference_strength=line.row.reference_strength,
            image_prompt_strength=line.row.image_prompt_strength,
        )
        yield from zip(batch, garments, strict=True)


def _one_by_one(
    restorer: GarmentRestorer, subjects: Subjects, rows: Sequence[int], line: Line, seed: int
) -> Iterator[tuple[int, Tensor]]:
    """Garments restored from several photos, from the photos' own pixels, or with the photos' details."""
    assert line.sampling is not None
    detailing = Detailing(size=restorer.info.model.native_size if line.row.details else None)
    for i in rows:
        views = [subjects.view([row], restorer.info.model) for row in subjects.photos_of(i, line.row.photos)]
        found = restore_detailed(
            restorer,
            views,
            subjects.categories[i],
            detailing,
            line.sampling,
            seed=seed + i,
        )
        yield i, found.image[0]


def _batches(rows: Sequence[int], size: int) -> Iterator[list[int]]:
    """Batches of at most `size` consecutive rows, whose noise seeds are therefore also consecutive."""
    batch: list[int] = []
    for row in rows:
        if batch and (row != batch[-1] + 1 or len(batch) == size):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
