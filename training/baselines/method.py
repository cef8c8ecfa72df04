"""The interface of a method: its settings, the photos to restore from, and the garments of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from PIL import Image

from igr_core.ranges import Guidance, Ranged, Seed, Steps

Photo = TypeVar("Photo")


@dataclass(frozen=True)
class Settings(Ranged):
    """Sampling settings of a run."""

    steps: Steps
    """Denoising steps."""
    guidance: Guidance
    """Classifier-free guidance scale; 1 disables guidance."""
    seed: Seed
    """Seed of the noise."""


@dataclass(frozen=True)
class Item:
    """A photo to restore a garment from."""

    index: int
    """Position of the pair in its data set, which may determine the noise."""
    pair_name: str
    """Name of the pair, with `_` for `/`."""
    photo_name: str
    """File name of the photo without suffix."""
    category: str
    """upper, lower or full."""
    photo: Image.Image
    """The photo, RGB."""


class Method(Protocol[Photo]):
    """A method that restores garments from photos."""

    def load(self, item: Item) -> Photo:
        """Prepare one photo, without the networks; raises IGRError for a photo that cannot be used."""
        ...

    def generate(self, items: Sequence[Item], photos: Sequence[Photo]) -> list[Image.Image]:
        """The garments of a batch, RGB, as the method's own code writes them.

        `photos` is what `load` returned. Raises IGRError if the networks return NaN.
        """
        ...
