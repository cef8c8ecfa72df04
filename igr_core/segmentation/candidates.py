"""Choose among a segmenter's candidate masks: a click on a pocket may mean the pocket, the shirt or both."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import IGRError

Choice = Literal["best", "largest", "smallest", "merged"]
"""best: the highest score. largest, smallest: by number of pixels. merged: the union of all."""
CHOICES: tuple[Choice, ...] = get_args(Choice)
"""Every Choice, in the order they are shown."""


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
    rank = {"best": scores, "largest": areas, "smallest": -areas}[which]
    return candidates[torch.argmax(rank)][None]
