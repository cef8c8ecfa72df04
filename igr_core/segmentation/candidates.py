"""Which of the masks that a segmenter offers is meant: a click on a pocket may mean the pocket, the shirt or both."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import IGRError

Choice = Literal["best", "largest", "smallest", "merged"]
"""best: the one that the model is surest of. largest, smallest: by pixels. merged: all of them together."""
CHOICES: tuple[Choice, ...] = get_args(Choice)
"""Every Choice, in the order that they are shown."""


def choose(candidates: Tensor, scores: Tensor, which: Choice = "best") -> Tensor:
    """One mask (1, 1, H, W) of candidates (M, 1, H, W) of 0 and 1 with scores (M,); empty ones are passed over.

    Raises IGRError when all are empty.
    """
    found = candidates.flatten(1).any(1)  # (M,)
    if not bool(found.any()):
        raise IGRError("Nothing is found there: set a point in the middle of the garment, or draw a box around it.")
    candidates, scores = candidates[found], scores.to(candidates.device)[found]
    if which == "merged":
        return candidates.amax(0, keepdim=True)
    areas = candidates.flatten(1).sum(1)
    rank = {"best": scores, "largest": areas, "smallest": -areas}[which]
    return candidates[torch.argmax(rank)][None]
