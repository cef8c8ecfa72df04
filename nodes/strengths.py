"""Reference strengths of transformer blocks, from one strength and a factor per level. Independent of ComfyUI."""

from __future__ import annotations

from ..igr_core.errors import IGRError
from ..igr_core.model.config import UNetConfig
from ..igr_core.model.image_prompt import cross_attention_widths
from ..igr_core.text import counted

MOST = 10
"""Largest factor for a level."""


def parse_factors(text: str) -> tuple[float, ...]:
    """Parse `1, 0.5, 1`; raises IGRError for anything but numbers from 0 to MOST."""
    words = text.replace(",", " ").split()
    try:
        factors = tuple(float(word) for word in words)
    except ValueError:
        factors = (-1.0,)
    if not all(0 <= factor <= MOST for factor in factors):
        raise IGRError(
            f"level_strengths {text!r} is not valid: enter numbers from 0 to {MOST}, separated by commas, such as "
            "1, 1, 0.5."
        )
    return factors


def block_strengths(unet: UNetConfig, strength: float, factors: tuple[float, ...]) -> dict[str, float]:
    """Reference strength of every transformer block; raises IGRError unless there is one factor per level."""
    levels = len(unet.block_out_channels)
    if factors and len(factors) != levels:
        raise IGRError(
            f"level_strengths has {counted(len(factors), 'number')}, but this model has {counted(levels, 'level')}: "
            "enter one number per level."
        )
    return {
        name: strength * (factors[_level(name, levels)] if factors else 1.0) for name in cross_attention_widths(unet)
    }


def _level(name: str, levels: int) -> int:
    """Level of a diffusers block name; 0 is the finest."""
    part, number = name.split(".")[:2]
    if part == "mid_block":
        return levels - 1
    return int(number) if part == "down_blocks" else levels - 1 - int(number)
