"""Prompts for training a segmenter: regions of a photo, and clicks, boxes and rough masks for them.

A region is given by its coverage, 0..1, of each cell of a grid at the resolution of the model's masks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from igr_core.segmentation.segmenter import MASK_LOGIT

from ...data.synthetic.painting.canvas import LABELS

GARMENTS = ("upper", "lower", "full", "coat")
"""Labels that are often clicked on."""
OTHERS = ("hair", "bag", "left_shoe", "right_shoe")
"""Labels that are sometimes clicked on, so that a click on them does not select the garment next to them."""
ASKED = (*GARMENTS, *OTHERS, "background")
"""Labels of possible regions; the last label is only used if a photo has no other region."""
OTHER_SHARE = 0.15
"""Probability of a label from OTHERS, relative to a garment's."""
FEWEST = 4
"""Minimum number of full cells in a region."""
PADDING = -10
"""Label of a padding point."""
_FULL = 0.99


def label_shares(parsing: Tensor, cells: int) -> Tensor:
    """Fraction of each cell that each label in ASKED covers in label maps (B, h, w): (B, len(ASKED), cells, cells)."""
    marks = torch.stack([parsing == LABELS.index(name) for name in ASKED], 1)
    return F.adaptive_avg_pool2d(marks.float(), (cells, cells))


def pick_regions(shares: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Coverage (B, count, g, g) of random regions from label_shares (B, len(ASKED), g, g).

    Most are garments; the background is only used if a photo shows nothing else well enough.
    """
    wanted = torch.tensor([1.0] * len(GARMENTS) + [OTHER_SHARE] * len(OTHERS) + [0.0])
    odds = wanted * ((shares >= _FULL).sum((2, 3)) >= FEWEST)  # (B, labels)
    odds[:, -1] += 1e-6
    picks = torch.multinomial(odds, count, replacement=True, generator=generator)  # (B, count)
    return shares.gather(1, picks[..., None, None].expand(-1, -1, *shares.shape[2:]))


def clicks(coverage: Tensor, side: int, points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Clicks on regions (B, P, g, g) of photos `side` pixels wide: points (B, P, N, 2), labels (B, P, N).

    The first click is inside the region; each further click is randomly inside (1), outside (0) or missing (PADDING).
    """
    inside = (coverage >= _FULL).float()
    deep = 1 - F.max_pool2d(1 - inside, 3, stride=1, padding=1)
    within = _points(0.3 * inside + deep, coverage, side, points, generator)
    if points == 1:
        return within, torch.ones(within.shape[:3], dtype=torch.long)
    near = F.max_pool2d(coverage, 9, stride=1, padding=4)
    outside = _points((coverage <= 1 - _FULL).float() * (0.1 + near), 1 - coverage, side, points, generator)
    kinds = torch.tensor([1, 1, 0, 0, PADDING])
    labels = kinds[torch.randint(len(kinds), within.shape[:3], generator=generator)]
    labels[..., 0] = 1
    return torch.where(labels[..., None] == 1, within, outside), labels


def boxes(coverage: Tensor, side: int, generator: torch.Generator, jitter: float = 0.05) -> Tensor:
    """Boxes (B, P, 4) around regions (B, P, g, g): x0, y0, x1, y1 in pixels, with edges moved by up to `jitter` of the
    side."""
    inside = coverage >= coverage.amax((2, 3), keepdim=True).clamp(max=0.5)
    grid = inside.shape[-1]
    edges = []
    for marks in (inside.any(2), inside.any(3)):  # columns, rows: (B, P, g)
        first = marks.int().argmax(-1)
        last = grid - marks.flip(-1).int().argmax(-1)
        edges.append(torch.stack([first, last], -1) * (side / grid))  # (B, P, 2)
    horizontal, vertical = edges
    off = [(2 * torch.rand(edge.shape, generator=generator) - 1) * jitter * edge.diff(dim=-1) for edge in edges]
    horizontal, vertical = horizontal + off[0], vertical + off[1]
    corners = torch.stack([horizontal[..., 0], vertical[..., 0], horizontal[..., 1], vertical[..., 1]], -1)
    return (corners - 0.5).clamp(0, side - 1)


def rough_masks(coverage: Tensor, generator: torch.Generator) -> Tensor:
    """Make regions (B, P, g, g) look hastily painted: grown or shrunk, jagged, shifted, with holes and specks.

    Returns logits of the same shape for the prompt encoder.
    """
    batch, count, grid, _ = coverage.shape
    noise = torch.randn((batch, 2 * count, grid // 4, grid // 4), generator=generator)
    jagged, spots = F.interpolate(noise, (grid, grid), mode="bilinear").chunk(2, 1)
    blurred = F.avg_pool2d(coverage, 5, stride=1, padding=2)
    level = 0.2 + 0.6 * torch.rand((batch, count, 1, 1), generator=generator)
    rough = (blurred + 0.2 * jagged * (blurred > 0) > level).float()
    corrupted = (spots > 1.3) & (F.max_pool2d(rough, 9, stride=1, padding=4) > 0)
    rough = torch.where(corrupted, 1 - rough, rough)
    right, down = torch.randint(-1, 2, (2,), generator=generator).tolist()
    return (2 * rough.roll((down, right), (2, 3)) - 1) * MASK_LOGIT


def _points(odds: Tensor, instead: Tensor, side: int, count: int, generator: torch.Generator) -> Tensor:
    """Random points (B, P, count, 2), x and y in pixels, in cells chosen with odds (B, P, g, g).

    If all odds are 0, uses the cells where `instead` is highest.
    """
    batch, regions, grid, _ = odds.shape
    highest = (instead == instead.amax((2, 3), keepdim=True)).float()
    odds = torch.where(odds.amax((2, 3), keepdim=True) > 0, odds, highest)
    picks = torch.multinomial(odds.flatten(2).flatten(0, 1), count, replacement=True, generator=generator)
    cells = torch.stack([picks % grid, picks // grid], -1).view(batch, regions, count, 2)
    within = torch.rand(cells.shape, generator=generator)
    return (cells + within) * (side / grid) - 0.5  # (0, 0) is the centre of the first pixel
