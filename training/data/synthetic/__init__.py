"""Procedural person / flat-garment pairs: `make_pair(seed, size)` is the whole contract.

`scene` draws the lots, `garments` cuts the parts, `painting` puts them on a canvas along the bones of a pose, `photo`
adds the person and the surroundings, `art` has colours and patterns, and `compose` makes the pair.
"""

from .compose import Pair, make_pair, other_mask
from .defects import DEFECTS
from .garments.style import CATEGORIES, CUTS
from .photo.masks import corrupt_mask

__all__ = ["CATEGORIES", "CUTS", "DEFECTS", "Pair", "corrupt_mask", "make_pair", "other_mask"]
