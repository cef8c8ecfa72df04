"""What the trainings on drawn photos do to them: other light, and pixels as the libraries' processors give them."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD


def normalise(photos: Tensor) -> Tensor:
    """Photos (B, 3, h, w) in 0..1 as the processors of SAM 2 and SegFormer normalise them."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    return (photos - mean) / std


def recoloured(photos: Tensor, generator: torch.Generator) -> Tensor:
    """Photos (B, 3, h, w) under other light: gain of each channel, contrast and brightness."""
    gain = 1 + 0.15 * (2 * torch.rand((len(photos), 3, 1, 1), generator=generator) - 1)
    contrast = 0.75 + 0.5 * torch.rand((len(photos), 1, 1, 1), generator=generator)
    shift = 0.2 * torch.rand((len(photos), 1, 1, 1), generator=generator) - 0.1
    return (((photos - 0.5) * contrast + 0.5 + shift) * gain).clamp(0, 1)
