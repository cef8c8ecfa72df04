"""Collect the outlines of garments as product shots show them, without photos of people."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count as count_from

import numpy as np
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.flatten.outline_file import OutlineSet
from igr_core.model.config import CATEGORIES

from ...data.rendered.base.views import SUBSAMPLES, View

NECK = 0.35
"""Upper part of a garment's height in which its inside is labelled; lower parts, as in open jackets, vary too much."""
SHARES = (0.45, 0.25, 0.3)
"""Fractions of the outlines in each of CATEGORIES."""
_SAMPLES = 4
"""Light paths per pixel, which do not affect outlines."""
_AHEAD = 8
"""Seeds per process that are made at the same time."""


def collect(count: int, start: int, size: tuple[int, int], workers: int) -> OutlineSet:
    """The outlines of `count` garments at `size` (width, height), made from the seeds from `start` on.

    Raises IGRError if the `render` extra is not installed.
    """
    _check_renders()
    wanted = [round(count * share) for share in SHARES[:-1]]
    left = dict(enumerate([*wanted, count - sum(wanted)]))
    found: list[tuple[int, int, np.ndarray]] = []
    with (
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool,
        tqdm(total=count, desc="outlines", unit="garment") as bar,
    ):
        seeds = _seeds(start, left)
        while any(left.values()):
            batch = [next(seeds) for _ in range(_AHEAD * workers)]
            for seed, category, labels in pool.map(outline_of, batch, [size] * len(batch)):
                if labels is not None and left[category]:
                    left[category] -= 1
                    found.append((seed, category, labels))
                    bar.update()
    found.sort(key=lambda one: one[0])
    labels = np.stack([one[2] for one in found])
    return OutlineSet(labels, np.array([one[1] for one in found], np.uint8))


def _check_renders() -> None:
    try:
        from ...data.rendered.capture import making  # noqa: F401
    except ImportError as error:
        raise IGRError(
            f"Rendering needs {error.name}: install the `render` extra (pip install '.[render]')."
        ) from error


def _seeds(start: int, left: dict[int, int]) -> Iterator[int]:
    """Seeds of the categories of which some are left to make."""
    from ...data.rendered.capture.making import category_of

    for seed in count_from(start):
        if left[CATEGORIES.index(category_of(seed))]:
            yield seed


def outline_of(seed: int, size: tuple[int, int]) -> tuple[int, int, np.ndarray | None]:
    """A seed, its category, and its garment's labels as in OutlineSet; None if the product shot is rejected."""
    from ...data.rendered.capture.making import PRODUCT_LIMITS, outfit_of
    from ...data.rendered.garments.tailoring import tailor
    from ...data.rendered.garments.wearing import product_shot
    from ...data.rendered.studio.framing import product_camera
    from ...data.rendered.studio.guards import reasons
    from ...data.rendered.studio.rays.rendering import photograph

    rng, outfit = outfit_of(seed)
    surfaces = product_shot(tailor(outfit.cut), rng)
    camera = product_camera(np.concatenate([surface.vertices for surface in surfaces]), size)
    shot = photograph(surfaces, None, camera, seed, _SAMPLES)
    rejected = reasons(shot, surfaces, camera, PRODUCT_LIMITS, on_set=False)
    return seed, CATEGORIES.index(outfit.cut.category), None if rejected else labels_of(shot.view)


def labels_of(view: View) -> np.ndarray:
    """(h, w) uint8 labels of a product shot as in OutlineSet, made symmetric."""
    kinds = np.array([2 if label.inside else 1 for label in view.table] + [0] * (256 - len(view.table)), np.uint8)
    full = kinds[view.labels]
    full = np.stack([full, full[:, ::-1]])
    cloth, inside = (
        x.reshape(2, x.shape[1] // SUBSAMPLES, SUBSAMPLES, -1, SUBSAMPLES).mean((0, 2, 4))
        for x in (full > 0, full == 2)
    )
    rows = np.nonzero((cloth >= 0.5).any(1))[0]
    inside[rows[0] + round(NECK * (rows[-1] + 1 - rows[0])) :] = 0
    return np.where(cloth < 0.5, 0, np.where(inside > cloth / 2, 2, 1)).astype(np.uint8)
