"""Procedural pairs of person and flat garment. `make_pair(seed, size)` is the whole interface.

`scene` makes the random choices, `garments` cuts the parts, `painting` paints them on a canvas along the bones of a
pose, `photo` adds the person and the background, `art` provides colours and patterns, and `compose` makes the pair.
"""

from .compose import Pair, make_pair, other_mask
from .defects import DEFECTS
from .garments.style import CATEGORIES, CUTS
from .photo.masks import corrupt_mask

__all__ = ["CATEGORIES", "CUTS", "DEFECTS", "Pair", "corrupt_mask", "make_pair", "other_mask"]
