"""Settings for a cache of drawn pairs, in a separate module so that commands can show the defaults quickly."""

from __future__ import annotations

from dataclasses import dataclass, field

from igr_core.model.config import Side, ViewConfig
from igr_core.ranges import Ranged, Share


@dataclass(frozen=True)
class DrawConfig(Ranged):
    """Settings for drawing pairs, the same for all shards in a folder."""

    size: tuple[Side, Side] = (192, 256)
    """Width and height in pixels of person, mask, garment and silhouette."""
    photo_size: tuple[Side, Side] = (288, 384)
    """Width and height in pixels of the drawn photo that the view is cut from."""
    view: ViewConfig = field(default_factory=lambda: ViewConfig(mode="focused", margin=0.15))
    """Layout of the photo for the model."""
    crop_size: Side = 224
    """Side in pixels of the crop p_g."""
    coarse: Share = 0.16
    """Smallest repeat of a pattern, as a fraction of the garment's length; 0 for the generator's full range.

    The default suits igr-small, whose small images lose fine patterns; use 0 for a larger model.
    """
    corrupt_share: Share = 0.5
    """Fraction of the pairs whose mask is corrupted with typical errors of people and segmenters."""
    corrupt_strength: Share = 0.5
    """Maximum strength (0..1) of the corruption; the strength of each mask is drawn between 0 and this value."""
    correspondence: bool = False
    """Store the correspondence between each drawn garment and its photo; for rendered pairs, it is always stored."""
