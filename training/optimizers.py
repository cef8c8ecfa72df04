"""AdamW, or Muon for the matrices and AdamW for the rest, behind one small interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from torch import nn

OptimizerName = Literal["adamw", "muon"]


class Optimizer:
    """Steps the weights of some modules; with `muon`, matrices and convolution kernels (as matrices) go to Muon.

    Muon is for nets trained from scratch; the paper's recipe is AdamW.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        name: OptimizerName,
        learning_rate: float,
        muon_learning_rate: float | None = None,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.99),
        skip_muon: tuple[str, ...] = ("conv_in", "conv_out", "embed"),
    ) -> None:
        """`skip_muon`: parts of names of first and last layers, which stay with AdamW."""
        trained = [(path, weight) for path, weight in named if weight.requires_grad]
        self._weights = [weight for _, weight in trained]
        matrices = [
            weight
            for path, weight in trained
            if name == "muon" and weight.ndim >= 2 and not any(part in path for part in skip_muon)
        ]
        taken = {id(weight) for weight in matrices}
        rest = [weight for weight in self._weights if id(weight) not in taken]
        # Muon takes 2-D tensors only: each kernel is given to it as a view that shares its memory.
        self._views = [(weight, nn.Parameter(weight.detach().view(len(weight), -1))) for weight in matrices]
        self._rates: list[tuple[torch.optim.Optimizer, float]] = []
        if rest:
            adamw = torch.optim.AdamW(rest, lr=learning_rate, betas=betas, weight_decay=weight_decay)
            self._rates.append((adamw, learning_rate))
        if matrices:
            rate = learning_rate if muon_learning_rate is None else muon_learning_rate
            views = [view for _, view in self._views]
            muon = torch.optim.Muon(views, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
            self._rates.append((muon, rate))

    def step(self, share: float = 1.0, clip: float | None = 1.0) -> float:
        """Clip the gradients' norm, step with `share` of the learning rates, drop the gradients; returns the norm."""
        norm = nn.utils.clip_grad_norm_(self._weights, clip if clip is not None else float("inf"))
        for weight, view in self._views:
            view.grad = None if weight.grad is None else weight.grad.view_as(view)
        for optimizer, rate in self._rates:
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()
        for weight in self._weights:
            weight.grad = None
        return float(norm)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"parts": [optimizer.state_dict() for optimizer, _ in self._rates]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        for (optimizer, _), saved in zip(self._rates, state["parts"], strict=True):
            optimizer.load_state_dict(saved)
