"""Allowed sizes of small models with four stages; the largest such model has a few hundred million weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from igr_core.errors import IGRError
from igr_core.ranges import Length, Range

STAGES = Length(4, 4)
"""One entry for each stage."""
MOST_BLOCKS = 16
StageWidth = Annotated[int, Range(8, 512)]
"""Channels of a stage or of a decoder."""
Blocks = Annotated[int, Range(1, MOST_BLOCKS)]
"""Blocks of a stage."""
StageHeads = Annotated[int, Range(1, 64)]
"""Attention heads of a stage."""
Ratio = Annotated[int, Range(1, 8)]
"""Hidden width of an MLP, relative to its width."""
Window = Annotated[int, Range(1, 64)]
"""Side of an attention window."""
BlockNumber = Annotated[int, Range(0, 4 * MOST_BLOCKS - 1)]
"""Number of a block, counted over all stages."""


def check_heads(widths: Sequence[int], heads: Sequence[int], where: str) -> None:
    """Raise IGRError naming `where` unless every width is a multiple of its number of heads."""
    for width, count in zip(widths, heads, strict=True):
        if width % count:
            raise IGRError(f"{where}: {width} channels cannot be divided among {count} heads; use a multiple.")
