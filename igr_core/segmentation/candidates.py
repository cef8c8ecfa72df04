"""Choose among a segmenter's candidate masks, because a click on a pocket may mean the pocket, the shirt or both."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import IGRError

Choice = Literal["best", "largest", "smallest", "merged"]
"""best: the highest score, or the largest mask with a score close to it. largest, smallest: by area. merged: all
candidates together."""
CHOICES: tuple[Choice, ...] = get_args(Choice)
"""Every Choice, in display order."""

NEAR_TIE = 0.05
"""Scores that differ by less than this are a tie, so that a click near a collar selects the coat, not the collar.

Measured with a small SAM 2 and 240 clicks on drawn people: near the upper edge of a garment, the mean IoU rises
from 0.49 to 0.52, and IoUs below 0.3 become rarer (39% instead of 44%); elsewhere, it changes by less than 0.01.
"""


def choose(candidates: Tensor, scores: Tensor, which: Choice = "best") -> Tensor:
    """Choose one mask (1, 1, H, W) from candidates (M, 1, H, W) of 0 and 1 with scores (M,); empty ones are ignored.

    Raises IGRError if all are empty.
    """
    found = candidates.flatten(1).any(1)  # (M,)
    if not bool(found.any()):
        raise IGRError("Nothing was found there: click in the middle of the garment, or draw a box around it.")
    candidates, scores = candidates[found], scores.to(candidates.device)[found]
    if which == "merged":
        return candidates.amax(0, keepdim=True)
    areas = candidates.flatten(1).sum(1)
    near_best = areas * (scores >= scores.max() - NEAR_TIE)
    rank = {"best": near_best, "largest": areas, "smallest": -areas}[which]
    return candidates[torch.argmax(rank)][None]
