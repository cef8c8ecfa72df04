"""Buffers of a scene as seen by the camera, before painting; the studio creates them, and dressing reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .surfaces import Kind

SUBSAMPLES = 3
"""Subsamples of labels per pixel in each direction, for smooth edges."""


@dataclass(frozen=True)
class Label:
    """Meaning of a number in a view's labels."""

    kind: Kind
    """Kind of the surface."""
    panel: int = -1
    """Index of the panel; -1 for surfaces without panels."""
    inside: bool = False
    """Whether the inside of the cloth is visible."""


@dataclass(frozen=True)
class View:
    """Buffers of one photo or product shot, (h, w) pixels."""

    labels: np.ndarray
    """(h * SUBSAMPLES, w * SUBSAMPLES) uint8: index into `table` at each subsample; 255 in empty areas (around a
    product shot). The middle subsample is at the pixel's centre."""
    table: tuple[Label, ...]
    """Meaning of the numbers in `labels`."""
    uv: np.ndarray
    """(h, w, 2) float32 at pixel centres: positions on the panel, in metres; NaN where the label has no panel."""
    light: np.ndarray
    """(h, w, 3) float32, linear: light that a white matt surface would reflect; about 1 where well lit."""
    gloss: np.ndarray
    """(h, w) float32, linear: light that a smooth clear coat would add."""
    paint: np.ndarray
    """(h, w, 3) float32 in 0..1: Surface.paint of the visible surface; 0 without paint."""
    pixels_per_metre: float
    """Scale of the image at the garment's distance."""

    @property
    def centres(self) -> np.ndarray:
        """(h, w) uint8: the labels at the pixels' centres."""
        return self.labels[SUBSAMPLES // 2 :: SUBSAMPLES, SUBSAMPLES // 2 :: SUBSAMPLES]
