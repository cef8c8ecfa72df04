"""Map pixels to the points of cloth that they show, and points of the flat garment to their positions in the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..art.arrays import Array
from .layers import Layer
from .pose import Pose
from .view import View

CLOSE = 1.5
"""Maximum distance in pixels between a point of the cloth and the point that is visible at its pixel."""


@dataclass(frozen=True)
class Places:
    """Points of cloth that are visible in an image while it is painted; painting over cloth removes its points."""

    layers: tuple[Layer, ...]
    """The pieces of cloth to track."""
    grid: Array
    """(h, w, 3) float32: index of the piece and its local coordinates, changed in place; NaN where none is visible."""

    @classmethod
    def of(cls, layers: Sequence[Layer], shape: tuple[int, int]) -> Places:
        """A grid of (h, w) pixels before anything is painted."""
        return cls(tuple(layers), np.full((*shape, 3), np.nan, np.float32))

    def note(self, box: tuple[int, int, int, int], cover: Array, layer: Layer | None, local: Array | None) -> None:
        """Record cloth at `local` (h, w, 2) in a box where `cover` (h, w) exceeds 0.5; anything else removes points."""
        x0, y0, x1, y1 = box
        covered = cover > 0.5
        region = self.grid[y0:y1, x0:x1]
        number = next((n for n, one in enumerate(self.layers) if one is layer), None)
        if number is None or local is None:
            region[covered] = np.nan
            return
        region[covered, 0] = number
        region[covered, 1:] = local[: covered.shape[0], : covered.shape[1]][covered]


def find_in_photo(flat: Places, photo: Places, pose: Pose, view: View, wobble: Array, size: tuple[int, int]) -> Array:
    """Position in the photo of each point of the flat garment: (h, w, 2) x, y in pixels, NaN where hidden.

    Both images are scaled to `size` (width, height); pixel centres are at half-integers. Each point is mapped from its
    piece to the photo by the bone that moved it, and kept only if the photo's own grid shows it there.
    """
    width, height = size
    inner_height, inner_width = flat.grid.shape[:2]
    rows = ((np.arange(height) + 0.5) * inner_height / height).astype(int)
    columns = ((np.arange(width) + 0.5) * inner_width / width).astype(int)
    wanted = flat.grid[rows[:, None], columns[None, :]]  # (h, w, 3)
    found = np.full((height, width, 2), np.nan, np.float32)
    for number, layer in enumerate(flat.layers):
        own = wanted[..., 0] == number
        if not own.any():
            continue
        local = wanted[own][:, 1:]
        at = _carried(local, layer, pose, view, wobble)  # (N, 2) in the photo's inner pixels
        near = np.rint(at).astype(int)
        inside = (near >= 0).all(1) & (near[:, 0] < view.width) & (near[:, 1] < view.height)
        seen = photo.grid[near[:, 1].clip(0, view.height - 1), near[:, 0].clip(0, view.width - 1)]
        close = np.abs(seen[:, 1:] - local).max(1) * view.ppu < CLOSE
        shown = inside & (seen[:, 0] == number) & close
        scaled = (at + 0.5) * np.array([width / view.width, height / view.height])
        found[own] = np.where(shown[:, None], scaled, np.nan)
    return found


def _carried(local: Array, layer: Layer, pose: Pose, view: View, wobble: Array) -> Array:
    """Pixel positions (N, 2) of a posed piece's local points; painting offsets each pixel by `wobble` before lookup."""
    still = pose.bones[layer.part.bone].forward(local)
    at = view.pixels(still)
    for _ in range(2):  # the wobble is small and smooth, so this is exact to a fraction of a pixel
        near = np.rint(at).astype(int)
        at = view.pixels(still - wobble[near[:, 1].clip(0, view.height - 1), near[:, 0].clip(0, view.width - 1)])
    return at
