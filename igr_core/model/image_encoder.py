"""Input of the CLIP vision tower: the crop p_g with CLIP's normalisation."""

from __future__ import annotations

from torch import Tensor

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of each colour channel that every CLIP vision tower expects."""
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Standard deviation of each colour channel."""


def preprocess(crop: Tensor) -> Tensor:
    """Crop (B, 3, S, S) in 0..1, at the tower's image size -> normalised input (B, 3, S, S)."""
    mean = crop.new_tensor(CLIP_MEAN).view(1, 3, 1, 1)
    std = crop.new_tensor(CLIP_STD).view(1, 3, 1, 1)
    return (crop - mean) / std
