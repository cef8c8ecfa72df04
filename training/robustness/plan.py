"""Settings of a measurement and the path of its result, in a separate module that loads no networks."""

from dataclasses import dataclass
from pathlib import Path

from igr_core.ranges import Count, CountOrNone, Guidance, Ranged, Seed, Steps

from ..data.contract.seeds import HELD_OUT_START

RESULT = "robustness.json"
"""File name of a measurement."""
KEPT = Path(__file__).parents[1] / "results" / "robustness" / RESULT
"""The measurement shown in the docs."""


@dataclass(frozen=True)
class Plan(Ranged):
    """Settings of a measurement."""

    photos: Count = 30
    """Number of photos, a third of each category."""
    start: CountOrNone = HELD_OUT_START + 3_000
    """First seed of the photos; this and larger seeds were not used for training or tuning."""
    steps: Steps = 10
    """DDIM steps."""
    guidance: Guidance = 1.5
    """Guidance scale (Eq. 2)."""
    noise_seed: Seed = 0
    """Noise seed of the first photo, increased by one for each further photo, in every condition."""
