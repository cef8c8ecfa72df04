"""Rank several garments restored from one photo by their agreement with it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .evidence import Evidence

_CELL = 2
"""Colours are averaged over squares with this many evidence cells on a side before they are compared."""


def agreement(restored: Tensor, view: Tensor, evidence: Evidence) -> float:
    """Agreement of a restored garment (3, H, W) with its photos' views (n, 3, H, W), in 0..1; higher is better.

    The views are warped onto the garment with the evidence's maps. The score is 1 minus the mean absolute difference
    between colours, weighted by the evidence, times the fourth root of the mean evidence, so that an image that matches
    only a small part of the photo does not win. The score is 0 if no map is reliable.
    """
    height, width = evidence.visible.shape
    size = (max(1, height // _CELL), max(1, width // _CELL))
    difference = restored.new_zeros(height, width)
    for number, flow in enumerate(evidence.flows):
        if flow is None:
            continue
        grid = flow.place.movedim(0, -1)[None].to(restored) * 2 - 1
        taken = F.grid_sample(view[number : number + 1], grid, "bilinear", "border", align_corners=False)
        own = F.interpolate(restored[None], (height, width), mode="area")
        both = [F.interpolate(image, size, mode="area") for image in (own, taken)]
        apart = F.interpolate((both[0] - both[1]).abs().mean(1, keepdim=True), (height, width))[0, 0]
        difference = torch.where(evidence.best == number, apart, difference)
    weight = evidence.visible
    if not any(flow is not None for flow in evidence.flows) or float(weight.sum()) == 0:
        return 0.0
    similar = 1 - float((difference * weight).sum() / weight.sum())
    return similar * float(weight.mean()) ** 0.25


def ranked(scores: list[float]) -> list[int]:
    """Indices of the candidates, best first; ties keep their order."""
    return sorted(range(len(scores)), key=lambda number: -scores[number])
