"""The drawn photos that ship with the pack."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
"""Photos NAME.webp and their masks, drawn from the held-out seeds in tests/nodes/test_examples.py."""
GARMENTS = {
    "upper": ("upper.webp", "upper_mask.png", "upper"),
    "lower": ("lower.webp", "lower_mask.png", "lower"),
    "full": ("full.webp", "full_mask.png", "full"),
    "upper of an outfit": ("outfit.webp", "outfit_upper_mask.png", "upper"),
    "lower of an outfit": ("outfit.webp", "outfit_lower_mask.png", "lower"),
}
"""Photo, mask and category of each option; the two outfit options share one photo."""
