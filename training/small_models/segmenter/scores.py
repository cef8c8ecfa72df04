"""Scores of a segmenter on garments in held-out photos, for clicks, boxes and rough masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from tqdm import tqdm

from igr_core.segmentation.candidates import choose
from igr_core.segmentation.clicks import Clicks
from igr_core.segmentation.sam2_prompt import Point, Prompt, deepest_point
from igr_core.segmentation.segmenter import Segmenter

from ...data.synthetic import corrupt_mask
from ..held_out import AS_DRAWN, HeldOutPhoto, held_out_photos, overlap

PROMPTS = ("click", "random_click", "box", "rough_mask")
"""Prompts to measure."""
ROUGHNESS = 1.0
"""Strength of corrupt_mask for the rough masks."""


def scores_of(segmenter: Segmenter, one: HeldOutPhoto, prompts: Sequence[str] = PROMPTS) -> dict[str, float]:
    """Intersection over union of the garment with the highest-scoring mask, for each of `prompts`.

    For rough masks, the IoU of the rough mask itself is included.
    """
    embedding = segmenter.embed(one.pixels())
    found: dict[str, np.ndarray] = {}
    for name in prompts:
        if name == "rough_mask":
            found["rough_mask_itself"] = rough_mask(one)
        found[name] = choose(*segmenter.masks(embedding, prompt(name, one)))[0, 0].numpy() > 0
    return {name: overlap(mask, one.mask) for name, mask in found.items()}


def prompt(name: str, one: HeldOutPhoto) -> Prompt:
    """Prompt for the garment; `name` is one of PROMPTS."""
    if name == "click":
        return Prompt((deepest_point(as_mask(one.mask)),))
    if name == "random_click":
        return Prompt((random_point(one.mask, one.seed),))
    if name == "box":
        return Prompt(box=tight_box(one.mask))
    return Clicks().prompt(one.photo.size, as_mask(rough_mask(one)))


def all_scores(
    segmenter: Segmenter,
    count: int,
    size: tuple[int, int] = AS_DRAWN.photo_size,
    prompts: Sequence[str] = PROMPTS,
    records: str | None = None,
) -> dict[str, list[float]]:
    """Return rows of scores_of for `count` held-out photos.

    The photos are drawn or, if `records` is given, made by dressing its rendered people.
    """
    photos = tqdm(
        held_out_photos(count, size, records=records), total=count, unit="photo", desc="measuring", mininterval=5
    )
    rows = [scores_of(segmenter, one, prompts) for one in photos]
    return {name: [row[name] for row in rows] for name in rows[0]}


def as_mask(inside: np.ndarray) -> Tensor:
    """Convert a boolean mask (H, W) to zeros and ones (1, 1, H, W)."""
    return torch.from_numpy(inside)[None, None].float()


def rough_mask(one: HeldOutPhoto) -> np.ndarray:
    """The garment's mask as if it had been painted hastily, bool (H, W)."""
    return np.asarray(corrupt_mask(Image.fromarray(one.mask), one.seed, ROUGHNESS)) > 127


def random_point(mask: np.ndarray, seed: int) -> Point:
    """A random pixel (x, y) of a mask (H, W), at least a sixth as far from the edge as the deepest pixel."""
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= depth.max() / 6)
    at = int(np.random.default_rng([seed, 31]).integers(len(rows)))
    return float(columns[at]), float(rows[at])


def tight_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Outermost pixels x0, y0, x1, y1 of a mask (H, W)."""
    rows, columns = np.nonzero(mask)
    return float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max())


def overlaps(masks: Tensor, coverage: Tensor) -> Tensor:
    """Intersection over union (B, P, M) of logits (B, P, M, g, g) with regions (B, P, g, g), cell by cell."""
    inside, wanted = masks > 0, coverage[:, :, None] > 0.5
    both, either = (inside & wanted).sum((-2, -1)), (inside | wanted).sum((-2, -1))
    return both / either.clamp(min=1)
