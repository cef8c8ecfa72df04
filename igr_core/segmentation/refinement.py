"""A parser's garment mask made clean by SAM 2: the edges are SAM 2's, what belongs to the garment is the parser's."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import IGRError
from ..photo.flood_fill import border, flood, pool_any
from ..photo.inputs import MASK_THRESHOLD
from ..photo.masks import grow_mask
from .sam2_prompt import Prompt, deepest_reach, prompt_from_mask, spread_points

Ask = Callable[[Prompt], tuple[Tensor, Tensor]]
"""Segmenter.masks of one photo: a prompt -> candidates (M, 1, H, W) of 0 and 1, and scores (M,)."""

EDGE = 0.012
"""Half the width, by the photo's longer side, up to which a disagreement counts as one about the edge.

Parsers tell labels by about 128 cells along a side, and their edges are off by one to three of these.
"""
ROUNDS = 3
"""How often SAM 2 is asked for what is still missing: a buttoned dress may come in two answers."""
POINTS = 3
"""Points that each prompt has at most."""
GRID_SIDE = 256
"""Widths, holes and islands are told on at least this many cells along the longer side: fast on large photos."""


class Refined(NamedTuple):
    """What became of a parser's mask."""

    mask: Tensor
    """The clean mask (1, 1, H, W) of 0 and 1."""
    found: float
    """Share of the parser's mask that SAM 2 found; the rest of it was put back but for slivers."""


def refine_mask(region: Tensor, ask: Ask) -> Refined:
    """A clean mask of what a parser's mask (1, 1, H, W) in 0..1 shows.

    SAM 2 is asked by the box and the deepest points of the mask. Of its answers the one that agrees best with the mask
    counts, whatever its own score. Where answer and mask differ by no more than an edge's width, the answer is right;
    where they differ by more, the mask is: such parts of the answer are dropped (the trousers below a shirt), and such
    parts of the mask are asked for again, by a rough mask too, and put back at last (the other half of a buttoned
    dress). So are holes of the answer that the mask does not have; what does not touch the mask is dropped.
    Raises IGRError for an empty mask.
    """
    inside = region >= MASK_THRESHOLD
    if not bool(inside.any()):
        raise IGRError("The mask is empty: paint the garment white on black.")
    reach = _edge_reach(inside)
    found, lost = torch.zeros_like(inside), _thick(inside, reach)
    for turn in range(ROUNDS):
        answer = _closest(ask(_prompt(lost.float(), rough=turn > 0))[0], found, inside)
        answer &= ~_thick(answer & ~inside, reach)
        found |= answer & _of_cells(flood(_to_cells(inside & answer), _to_cells(answer)), answer)
        lost = _thick(inside & ~found, reach)
        if not bool(lost.any()):
            break
    share = float((found & inside).count_nonzero() / inside.count_nonzero())
    whole = found | lost
    holes = ~_of_cells(flood(border(_to_cells(whole)), _to_cells(~whole)), whole)
    return Refined((whole | (holes & inside)).float(), share)


def describe(category: str, mask: Tensor, found: float | None = None) -> str:
    """What was found in one photo, in words: its mask, and which share of the parser's SAM 2 found, where asked."""
    share = "" if found is None else f"; SAM 2 found {found:.0%} of what the parser found"
    return f"{category}, {float(mask.mean()):.1%} of the photo{share}"


def _prompt(wanted: Tensor, rough: bool) -> Prompt:
    """Ask for a mask (1, 1, H, W) by its box, its deepest points and, where these were not enough, by itself."""
    box = prompt_from_mask(wanted).box
    return Prompt(spread_points(wanted, POINTS), box=box, mask=wanted if rough else None)


def _closest(candidates: Tensor, found: Tensor, inside: Tensor) -> Tensor:
    """The candidate (1, 1, H, W) that, together with what is found, overlaps the parser's mask best."""
    together = (candidates.to(inside.device) >= MASK_THRESHOLD) | found
    overlaps = (together & inside).count_nonzero((1, 2, 3)) / (together | inside).count_nonzero((1, 2, 3))
    return together[int(overlaps.argmax())][None]


def _edge_reach(inside: Tensor) -> int:
    """Half an edge's width in cells; less in a narrow garment, of which the edges must leave something."""
    cells = _to_cells(inside)
    return min(round(EDGE * max(cells.shape[-2:])), deepest_reach(cells.float()) // 2)


def _thick(inside: Tensor, reach: int) -> Tensor:
    """What of a boolean mask (1, 1, H, W) is wider than 2 · reach cells."""
    cells = _to_cells(inside)
    if reach:
        cells = grow_mask(grow_mask(cells.float(), -reach), reach).bool()
    return inside & _of_cells(cells, inside)


def _to_cells(inside: Tensor) -> Tensor:
    """Which cells a boolean mask (1, 1, H, W) has something in."""
    return pool_any(inside, _cell(inside))


def _of_cells(cells: Tensor, like: Tensor) -> Tensor:
    """The pixels (1, 1, H, W) of cells."""
    cell, (height, width) = _cell(like), like.shape[-2:]
    return cells.repeat_interleave(cell, -2).repeat_interleave(cell, -1)[..., :height, :width]


def _cell(inside: Tensor) -> int:
    """Pixels along a cell's side."""
    return max(1, max(inside.shape[-2:]) // GRID_SIDE)
