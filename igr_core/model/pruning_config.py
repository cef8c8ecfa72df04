"""Settings for igr_core.model.pruning: which reference tokens the denoiser attends to. Imports without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ..ranges import Range, Ranged

Margin = Annotated[int, Range(0, 64)]
"""A distance in cells."""


@dataclass(frozen=True)
class Pruning(Ranged):
    """Which reference tokens to keep."""

    margin: Margin | None = 1
    """Width in cells of the kept margin around the mask at each level of the UNet; None keeps every token."""


NEAR = Pruning()
"""Keep the tokens near the garment."""
ALL = Pruning(None)
"""Keep every token, as in the paper."""
Keep = Literal["near", "all"]
KEEP: dict[Keep, Pruning] = {"near": NEAR, "all": ALL}
"""The settings by the names that users see, starting with the default."""
