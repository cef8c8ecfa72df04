"""The exponential moving average of trainable weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class Average:
    """Exponential moving average of a module's trainable weights.

    At the start of a run, the decay is lower, so that the average covers fewer steps. With a decay of 0 nothing is
    stored, and the current weights are used instead.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self._live = trained if decay > 0 else {}
        self.weights = {name: weight.detach().clone() for name, weight in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        if self._live:
            torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in self._live.values()], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Swap the average and the current weights: call once to use the average, and again to continue training."""
        for name, live in self._live.items():
            kept = live.detach().clone()
            live.copy_(self.weights[name])
            self.weights[name].copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.steps = state["steps"]
        for name, weight in self.weights.items():
            weight.copy_(state["weights"][name])
