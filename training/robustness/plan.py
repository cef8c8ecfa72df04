"""Settings of a measurement and the place of its result, in a module of their own that loads no networks."""

from dataclasses import dataclass
from pathlib import Path

from ..data.contract.seeds import HELD_OUT_START

RESULT = "robustness.json"
"""Name of a measurement's file."""
KEPT = Path(__file__).parents[1] / "results" / "robustness" / RESULT
"""The measurement shown in the docs."""


@dataclass(frozen=True)
class Plan:
    """Settings of a measurement."""

    photos: int = 30
    """Number of photos, a third of each category."""
    start: int = HELD_OUT_START + 3_000
    """First seed of the photos; nothing was trained or chosen on seeds from here on."""
    steps: int = 10
    """DDIM steps."""
    guidance: float = 1.5
    """Guidance scale (Eq. 2)."""
    noise_seed: int = 0
    """Noise seed of the first photo, increased by one for each further photo; the same in every condition."""
