"""Procedural person / flat-garment pairs: `make_pair(seed, size)` is the whole contract.

Map: style (lots) -> uppers, lowers, fulls (parts) -> layers (rasters) -> canvas (inverse mapping along bones);
pose, body, background, occluders make the person; flat the garment picture; masks the masks; compose the pair.
"""

from .compose import Pair, make_pair, other_mask
from .defects import DEFECTS
from .masks import corrupt_mask
from .style import CATEGORIES, CUTS

__all__ = ["CATEGORIES", "CUTS", "DEFECTS", "Pair", "corrupt_mask", "make_pair", "other_mask"]
