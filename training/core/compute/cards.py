"""Speed, memory and cost of GPUs, for throughput in logs and for estimates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A GPU model."""

    name: str
    """Name in tables; the name that CUDA reports contains each of its words."""
    peak: float
    """Dense bfloat16 TFLOP/s with float32 accumulation, from the data sheet."""
    memory: float
    """Memory in gigabytes (1e9)."""
    efficiency: float
    """Fraction of the peak that a step reaches without compilation; assumed, not measured."""
    price: float
    """Assumed price in US dollars per hour; prices change."""


CARDS = (
    Card("RTX 4090", 165.0, 25.7, 0.40, 0.45),
    Card("L40S", 362.0, 48.0, 0.25, 1.00),
    Card("A100 40GB", 312.0, 42.3, 0.32, 1.30),
    Card("A100", 312.0, 85.0, 0.33, 1.80),
    Card("H100", 989.0, 85.0, 0.25, 2.80),
    Card("H200", 989.0, 150.0, 0.27, 3.50),
)
"""The A100's efficiency comes from published runs at SD1.5's size; the others are scaled by memory bandwidth."""


def card_named(name: str) -> Card | None:
    """The GPU with this CUDA name; None if it is not listed."""
    return next((card for card in CARDS if all(word in name.lower() for word in card.name.lower().split())), None)
