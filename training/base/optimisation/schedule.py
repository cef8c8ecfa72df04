"""Learning rates over a run."""

from __future__ import annotations

import math

from ..train_config import OptimizerConfig


def rate_share(optimizer: OptimizerConfig, step: int, steps: int) -> float:
    """Fraction of the peak learning rate at `step` in a run of `steps` steps."""
    if optimizer.schedule == "cosine":
        return cosine_rate(step, steps, optimizer.warmup_steps)
    share = min(1.0, (step + 1) / max(1, optimizer.warmup_steps))
    if optimizer.schedule == "decay":
        share *= min(1.0, (steps - step) / max(1, optimizer.decay_steps))
    return share


def cosine_rate(step: int, steps: int, warmup: int, floor: float = 0.02) -> float:
    """Fraction of the learning rate at a step: linear warm-up, then half a cosine down to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
