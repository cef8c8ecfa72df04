"""Answers that no model gave: the floor that every table of scores needs beside the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from igr_core.errors import IGRError
from igr_core.photo.inputs import MASK_THRESHOLD
from igr_core.photo.masks import mask_box

from ...data.caches.drawn import DrawnPairs
from ...prepared.latents import PreparedPairs

FILL = 0.88
"""Share of the canvas that a pasted garment takes in its tighter dimension, as flat garments do."""


def plain_white(like: Tensor) -> Tensor:
    """White pictures of the shape of `like`, (B, 3, H, W)."""
    return torch.ones_like(like)


def pasted_crop(person: Tensor, mask: Tensor, fill: float = FILL) -> Tensor:
    """The masked garment as it is worn, cut to its box, resized and centred on white.

    person is (B, 3, H, W) and mask (B, 1, H, W), both in 0..1; the answer is (B, 3, H, W) in 0..1.
    """
    return torch.cat([_paste(p, m, fill) for p, m in zip(person.split(1), mask.split(1), strict=True)])


def _paste(person: Tensor, mask: Tensor, fill: float) -> Tensor:
    canvas = torch.ones_like(person)
    if not bool((mask >= MASK_THRESHOLD).any()):
        return canvas
    left, top, right, bottom = mask_box(mask)
    height, width = person.shape[-2:]
    cover = mask[..., top:bottom, left:right]
    garment = person[..., top:bottom, left:right] * cover + (1 - cover)
    scale = fill * min(width / (right - left), height / (bottom - top))
    w, h = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    resized = F.interpolate(garment, (h, w), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    x, y = (width - w) // 2, (height - h) // 2
    canvas[..., y : y + h, x : x + w] = resized
    return canvas


class NearestGarment:
    """Answers with the flat garment of the training pair whose crop looks most alike to the image encoder."""

    def __init__(self, prepared: PreparedPairs, drawn: DrawnPairs) -> None:
        """`prepared` holds the training pairs' image features, `drawn` their pictures; seeds tie them together.

        Raises IGRError where the drawn cache lacks a prepared pair.
        """
        rows = {seed: row for row, seed in enumerate(drawn.seeds)}
        seeds = prepared.seeds()
        missing = [seed for seed in seeds if seed not in rows]
        if missing:
            raise IGRError(f"{len(missing)} prepared training pairs are not among the drawn ones (seed {missing[0]}).")
        self._drawn = drawn
        self._rows = [rows[seed] for seed in seeds]
        self._categories = [drawn.categories[row] for row in self._rows]
        vectors = crop_vectors(prepared, range(len(prepared)))
        self._centre = vectors.mean(dim=0)
        self._vectors = F.normalize(vectors - self._centre, dim=1)  # (N, D)

    def find(self, vectors: Tensor, categories: Sequence[str]) -> list[int]:
        """Rows in the drawn cache of the nearest pairs of the same category, for crop vectors (B, D)."""
        alike = F.normalize(vectors - self._centre, dim=1) @ self._vectors.T  # (B, N)
        unknown = sorted(set(categories) - set(self._categories))
        if unknown:
            raise IGRError(f"The training pairs hold no {unknown[0]} garment: prepare more of them.")
        same = torch.tensor([[one == other for other in self._categories] for one in categories])
        return [self._rows[int(k)] for k in alike.masked_fill(~same, -torch.inf).argmax(dim=1)]

    def garments(self, vectors: Tensor, categories: Sequence[str]) -> Tensor:
        """The nearest pairs' flat garments, (B, 3, H, W) in 0..1."""
        return self._drawn.take("garment", self.find(vectors, categories)).float() / 255


def crop_vectors(prepared: PreparedPairs, indices: Iterable[int], batch: int = 200) -> Tensor:
    """One vector (N, D) for each prepared pair's crop: its image features, averaged over tokens where it has some."""
    indices = list(indices)
    pieces = []
    for start in range(0, len(indices), batch):
        features = prepared.batch(indices[start : start + batch]).image_features
        pieces.append(features.mean(dim=1) if features.ndim == 3 else features)
    return torch.cat(pieces)
