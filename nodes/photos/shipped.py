"""The rendered photos that come with the pack."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
"""Photos NAME.webp and their masks, written by `python -m training data examples` from held-out seeds."""
GARMENTS = {
    "upper": ("upper.webp", "upper_mask.png", "upper"),
    "upper in a close-up": ("upper_closeup.webp", "upper_closeup_mask.png", "upper"),
    "lower": ("lower.webp", "lower_mask.png", "lower"),
    "full": ("full.webp", "full_mask.png", "full"),
    "upper of an outfit": ("outfit.webp", "outfit_upper_mask.png", "upper"),
    "lower of an outfit": ("outfit.webp", "outfit_lower_mask.png", "lower"),
}
"""Photo, mask and category for each option; the first two show the same shirt, and the last two share a photo."""
