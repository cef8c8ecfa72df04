"""What is measured, and where its result is kept; apart from the measuring, which loads the networks."""

from dataclasses import dataclass
from pathlib import Path

from ..data.contract.seeds import HELD_OUT_START

RESULT = "robustness.json"
"""What a measurement is called in its folder."""
KEPT = Path(__file__).parents[1] / "results" / "robustness" / RESULT
"""The measurement that pages tell of."""


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    photos: int = 30
    """Photos, a third of each category."""
    start: int = HELD_OUT_START + 3_000
    """Seed from which on photos are taken; nothing was trained or chosen on those from here on."""
    steps: int = 10
    """DDIM steps."""
    guidance: float = 1.5
    """Guidance scale (Eq. 2)."""
    noise_seed: int = 0
    """Noise seed of the first photo, the next one's is higher by one; the same in every condition."""
