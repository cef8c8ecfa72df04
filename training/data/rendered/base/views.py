"""What the camera saw of a scene, before anything is painted: what the studio gives to dressing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .surfaces import Kind

SUBSAMPLES = 3
"""Places across and down each pixel at which labels are known, for smooth edges."""


@dataclass(frozen=True)
class Label:
    """What one number in a view's labels stands for."""

    kind: Kind
    """What the surface is made of."""
    panel: int = -1
    """Number of the panel; -1 for surfaces without panels."""
    inside: bool = False
    """Whether it is the cloth's inside that is seen."""


@dataclass(frozen=True)
class View:
    """Buffers of one photo or product shot, (h, w) pixels."""

    labels: np.ndarray
    """(h * SUBSAMPLES, w * SUBSAMPLES) uint8: numbers of `table` at the subsamples, the middle one at the centre of the
    pixel; 255 where nothing is (around a product shot)."""
    table: tuple[Label, ...]
    """Meaning of the numbers in `labels`."""
    uv: np.ndarray
    """(h, w, 2) float32 at pixel centres: metres on the panel; NaN where the label has no panel."""
    light: np.ndarray
    """(h, w, 3) float32, linear: what a white matt surface would send to the camera; about 1 where well lit."""
    gloss: np.ndarray
    """(h, w) float32, linear: what a smooth clear coat would add, 0 where none."""
    paint: np.ndarray
    """(h, w, 3) float32 in 0..1: Surface.paint of what is seen; 0 where it has none."""
    pixels_per_metre: float
    """Scale of the picture at the garment's distance."""

    @property
    def centres(self) -> np.ndarray:
        """(h, w) uint8: the labels at the pixels' centres."""
        return self.labels[SUBSAMPLES // 2 :: SUBSAMPLES, SUBSAMPLES // 2 :: SUBSAMPLES]
