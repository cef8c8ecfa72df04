"""Mapping from the body plane to pixels and back."""

from dataclasses import dataclass

import numpy as np

from ..art.arrays import Array


@dataclass(frozen=True)
class View:
    """Maps the body plane to pixels: pixel = (body * scale + offset) * height."""

    scale: float
    offset: tuple[float, float]
    height: int
    width: int

    def pixels(self, body: Array) -> Array:
        """Map body-plane points (N, 2) to pixel positions."""
        return ((body * self.scale + np.array(self.offset)) * self.height).astype(np.float32)

    def body(self, pixels: Array) -> Array:
        """Map pixel positions (N, 2) to body-plane points."""
        return ((pixels / self.height - np.array(self.offset)) / self.scale).astype(np.float32)

    @property
    def ppu(self) -> float:
        """Pixels per body height."""
        return self.scale * self.height
