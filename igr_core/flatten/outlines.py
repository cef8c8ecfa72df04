"""Give a flat garment the outline of a real one: the flattener's own is blurred wherever it is unsure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .outline_file import OutlineSet

_COARSE, _FINE = 4, 2
"""Pixels per cell when outlines are compared, and when the chosen one is bent."""
_SURE = 6.0
"""Maximum absolute logit of a pixel's opacity, and of a cell's visibility, in a comparison."""
_NECK = 1.0
"""Weight of a cell that the photo does not show where an outline shows the garment's inside."""
_CHOSEN = 12
"""Number of outlines that are also compared in other sizes."""
_WIDER = (0.9, 0.95, 1.0, 1.05, 1.1)
_LONGER = (0.92, 0.96, 1.0, 1.04, 1.08)
_LOWER = (-0.06, -0.03, 0.0, 0.03, 0.06)
"""Scales and shifts, the latter in half heights, in which they are compared."""
_BEND_GRID = (8, 6)
"""Rows and columns of the grid of shifts that bend the chosen outline."""
_BEND_STEPS, _BEND_RATE, _STIFFNESS = 30, 0.01, 20.0
"""Steps and learning rate of the bending, and the weight of its roughness."""
_LEAST_OVERLAP = 0.8
"""Overlap (intersection over union) with the flattener's own outline below which no outline fits."""


@dataclass(frozen=True)
class Shape:
    """The outline of a flat garment."""

    opacity: Tensor
    """(1, H, W): logit-like opacity, 0 on the outline."""
    inside: Tensor
    """(1, H, W) in 0..1: where a flat garment shows its inside, as in a neckline."""


class Outlines:
    """Outlines of many garments, of which one is fitted to the flattener's opacity."""

    def __init__(self, outlines: OutlineSet) -> None:
        """Keep the outlines, whose size is that of the flattener's opacity."""
        self._labels = outlines.labels
        self._categories = torch.from_numpy(outlines.categories.astype(np.int64))

    @cached_property
    def _small(self) -> tuple[Tensor, Tensor]:
        """(N, h, w) fractions of each cell covered by cloth, and by its inside."""
        count, height, width = self._labels.shape
        cells = self._labels.reshape(count, height // _COARSE, _COARSE, width // _COARSE, _COARSE)
        cloth, inside = (torch.from_numpy(one.mean((2, 4), np.float32)) for one in (cells > 0, cells == 2))
        return cloth, inside

    @torch.no_grad()
    def fitted(self, opacity: Tensor, visible: Tensor, category: int) -> Shape | None:
        """The best outline for a garment's opacity (1, H, W) and visibility (h, w), both logits.

        None if no outline of this category is similar, so that unusual garments keep the flattener's own outline.
        """
        own = F.avg_pool2d(opacity, _COARSE)[0].clamp(-_SURE, _SURE)
        hidden = -F.interpolate(visible[None, None], own.shape, mode="area")[0, 0].clamp(-_SURE, _SURE)
        rows = torch.nonzero(self._categories == category)[:, 0]
        if not len(rows):
            return None
        cloth, inside = (one[rows] for one in self._small)
        score = (cloth * own).sum((1, 2)) + _NECK * (inside * hidden).sum((1, 2))
        chosen = score.topk(min(_CHOSEN, len(rows))).indices
        size, number = _best_size(cloth[chosen], inside[chosen], own, hidden)
        label = torch.from_numpy(self._labels[int(rows[chosen[number]])])
        masks = torch.stack([label > 0, label == 2]).float()[None]
        bend = _bent(_sized(F.avg_pool2d(masks[:, :1], _FINE), size), F.avg_pool2d(opacity, _FINE))
        cloth, inside = _moved(_sized(masks, size), bend)[0].split(1)
        over = (cloth > 0.5) & (opacity > 0)
        if float(over.sum()) < _LEAST_OVERLAP * float(((cloth > 0.5) | (opacity > 0)).sum()):
            return None
        return Shape((cloth - 0.5) * 8, inside)


def _best_size(cloth: Tensor, inside: Tensor, own: Tensor, hidden: Tensor) -> tuple[tuple[float, float, float], int]:
    """The scales and shift at which one of some outlines (n, h, w) fits best, and its number."""
    best, found = -float("inf"), ((1.0, 1.0, 0.0), 0)
    for wide in _WIDER:
        for long in _LONGER:
            for low in _LOWER:
                moved = _sized(torch.stack([cloth, inside], 1), (wide, long, low))
                score = (moved[:, 0] * own + _NECK * moved[:, 1] * hidden).sum((1, 2))
                value, number = score.max(0)
                if float(value) > best:
                    best, found = float(value), ((wide, long, low), int(number))
    return found


def _sized(masks: Tensor, size: tuple[float, float, float]) -> Tensor:
    """Masks (B, C, h, w) in other sizes: scale of the width, scale of the height, and shift down in half heights."""
    wide, long, low = size
    matrix = masks.new_tensor([[1 / wide, 0, 0], [0, 1 / long, -low / long]]).expand(len(masks), 2, 3)
    grid = F.affine_grid(matrix, list(masks.shape), align_corners=False)
    return F.grid_sample(masks, grid, align_corners=False)


def _bent(cloth: Tensor, opacity: Tensor) -> Tensor:
    """A smooth, symmetric field of shifts (1, 2, rows, columns) that moves an outline (1, 1, h, w) onto an opacity."""
    weight = opacity.clamp(-_SURE, _SURE) / opacity.numel() * 10
    with torch.inference_mode(False), torch.enable_grad():
        cloth, weight = cloth.clone(), weight.clone()
        field = torch.zeros(1, 2, *_BEND_GRID, dtype=torch.float32, requires_grad=True)
        optimiser = torch.optim.Adam([field], lr=_BEND_RATE)
        for _ in range(_BEND_STEPS):
            optimiser.zero_grad()
            even = _symmetric(field)
            rough = sum(even.diff(n=2, dim=dim).square().mean() for dim in (2, 3))
            loss = _STIFFNESS * rough - (_moved(cloth, even) * weight).sum()
            loss.backward()
            optimiser.step()
        return _symmetric(field).detach()


def _symmetric(field: Tensor) -> Tensor:
    return (field + field.flip(-1) * field.new_tensor([-1.0, 1.0]).view(1, 2, 1, 1)) / 2


def _moved(masks: Tensor, field: Tensor) -> Tensor:
    """Masks (1, C, h, w) whose points come from places that are shifted by `field`, in -1..1 from edge to edge."""
    height, width = masks.shape[-2:]
    shift = F.interpolate(field, (height, width), mode="bicubic", align_corners=True)
    grid = F.affine_grid(masks.new_tensor([[[1.0, 0, 0], [0, 1, 0]]]), [1, 1, height, width], align_corners=False)
    return F.grid_sample(masks, grid + shift.movedim(1, -1), align_corners=False)
