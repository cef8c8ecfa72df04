"""How pairs are drawn into a cache; apart from the drawing, so that commands show the defaults without loading it."""

from __future__ import annotations

from dataclasses import dataclass, field

from igr_core.model.config import ViewConfig


@dataclass(frozen=True)
class DrawConfig:
    """How pairs are drawn; every shard of a folder is drawn alike."""

    size: tuple[int, int] = (192, 256)
    """Width and height in pixels of person, mask, garment and silhouette."""
    photo_size: tuple[int, int] = (288, 384)
    """Width and height in pixels of the drawn photo that the view is cut from."""
    view: ViewConfig = field(default_factory=lambda: ViewConfig(mode="focused", margin=0.15))
    """How the photo is laid out for the model."""
    crop_size: int = 224
    """Side in pixels of the crop p_g."""
    coarse: float = 0.16
    """Smallest repeat of a pattern, as a share of the garment's length; 0 for the generator's whole range.

    The demo's own narrowing, because fine patterns are lost at its size; draw with 0 for a larger model.
    """
    corrupt_share: float = 0.5
    """Share of the pairs whose mask is spoiled as people and segmenters do."""
    corrupt_strength: float = 0.5
    """Strongest spoiling (0..1); each spoiled mask draws its own strength up to this."""
    correspondence: bool = False
    """Keep with each drawn pair where its garment lies in the photo, as rendered pairs always do."""
