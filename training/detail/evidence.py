"""Fit the evidence to runs with known ground truth, as a logistic regression of a cell's visibility on its features."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.model.detail_config import EvidenceConfig

from .runs import Compared

_DECAY = 1e-3
"""Weight decay of the coefficients, which makes correlated features share their weight."""


def fit_evidence(runs: Iterable[Compared]) -> tuple[EvidenceConfig, float]:
    """Fitted coefficients and their cross-entropy in nats; raises IGRError if all cells are visible, or all hidden."""
    values, labels = cells(runs)
    if not len(labels) or labels.min() == labels.max():
        raise IGRError("The pairs' cells are all visible, or all hidden: fit the evidence to pairs that have both.")
    coefficients = torch.zeros(values.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficients], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(values @ coefficients, labels)
        loss = loss + _DECAY * coefficients[:-1].square().sum()
        loss.backward()
        return loss.detach()

    optimizer.step(closure)  # type: ignore[arg-type]
    with torch.no_grad():
        nats = float(F.binary_cross_entropy_with_logits(values @ coefficients, labels))
    return EvidenceConfig(tuple(round(one, 4) for one in coefficients.tolist())), nats


def cells(runs: Iterable[Compared]) -> tuple[Tensor, Tensor]:
    """Features (N, F) and visibility (N,), 0 or 1, of all cells that the restored garments cover."""
    values, labels = [], []
    for run in runs:
        if run.features is None:
            continue
        covered = run.garment > 0.5
        values.append(run.features[covered])
        labels.append(run.visible[covered].float())
    if not values:
        raise IGRError(
            "The evidence cannot be fitted, because no garment has a map to its photo: train the model for longer."
        )
    return torch.cat(values), torch.cat(labels)
