"""Refine a parser's mask with SAM 2: the parser decides what belongs to the garment, and SAM 2 finds its edges."""

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
"""Segmenter.masks for one photo: from a prompt to candidates (M, 1, H, W), 0 or 1, and their scores (M,)."""

EDGE = 0.012
"""Disagreements up to twice this fraction of the photo's longer side count as uncertainty about the edge.

Parsers predict labels on about 128 cells along a side, and their edges are off by one to three cells.
"""
ROUNDS = 3
"""Maximum number of prompts: one for the whole mask and more for missing parts; a buttoned dress may need two."""
POINTS = 3
"""Maximum number of points in a prompt."""
UNSURE = 0.65
"""Mean certainty of a parser in a mask below which the mask is reported as doubtful.

The included parser is surer of the garments in the photos of `make demo`, and less sure in blank photos.
"""
GRID_SIDE = 256
"""Widths, holes and islands are measured on a grid of at least this many cells along the longer side, for speed."""


class Refined(NamedTuple):
    """A refined mask."""

    mask: Tensor
    """The refined mask (1, 1, H, W), 0 or 1."""
    found: float
    """Fraction of the parser's mask that SAM 2 found; the rest was added, except thin slivers."""


def refine_mask(region: Tensor, ask: Ask) -> Refined:
    """Refine a parser's mask (1, 1, H, W) in 0..1.

    SAM 2 is prompted with the mask's box and deepest points, and the candidate that matches the mask best is used,
    whatever its score. Where the two differ by no more than an edge's width, the candidate is used; where they differ
    by more, the mask is used. Wider parts that only the candidate has, such as the trousers below a shirt, are dropped.
    Wider parts that only the mask has, such as the other half of a buttoned dress, are prompted for again, with a rough
    mask, and are added in the end if SAM 2 still does not find them. Holes in the candidate that are not in the mask
    are filled, and parts that do not touch the mask are dropped. Raises IGRError for an empty mask.
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


def describe(category: str, mask: Tensor, found: float | None = None, certainty: float | None = None) -> str:
    """Describe the mask of one photo.

    If they are given, the description contains the fraction of the parser's mask that SAM 2 found, and the parser's
    certainty if it is low.
    """
    share = "" if found is None else f"; SAM 2 found {found:.0%} of the parser's mask"
    doubt = ""
    if certainty is not None and certainty < UNSURE:
        doubt = f"; the parser is only {certainty:.0%} sure, so check the mask"
    return f"{category}, {float(mask.mean()):.1%} of the photo{share}{doubt}"


def _prompt(wanted: Tensor, rough: bool) -> Prompt:
    """A prompt for a mask (1, 1, H, W): its box, its deepest points and, if `rough`, the mask itself."""
    box = prompt_from_mask(wanted).box
    return Prompt(spread_points(wanted, POINTS), box=box, mask=wanted if rough else None)


def _closest(candidates: Tensor, found: Tensor, inside: Tensor) -> Tensor:
    """The candidate (1, 1, H, W) that, together with the parts found so far, matches the parser's mask best."""
    together = (candidates.to(inside.device) >= MASK_THRESHOLD) | found
    overlaps = (together & inside).count_nonzero((1, 2, 3)) / (together | inside).count_nonzero((1, 2, 3))
    return together[int(overlaps.argmax())][None]


def _edge_reach(inside: Tensor) -> int:
    """Half an edge's width in cells; less for a narrow garment, all of which would otherwise count as edge."""
    cells = _to_cells(inside)
    return min(round(EDGE * max(cells.shape[-2:])), deepest_reach(cells.float()) // 2)


def _thick(inside: Tensor, reach: int) -> Tensor:
    """The parts of a boolean mask (1, 1, H, W) that are wider than 2 · reach cells."""
    cells = _to_cells(inside)
    if reach:
        cells = grow_mask(grow_mask(cells.float(), -reach), reach).bool()
    return inside & _of_cells(cells, inside)


def _to_cells(inside: Tensor) -> Tensor:
    """Cells that contain a pixel of a boolean mask (1, 1, H, W)."""
    return pool_any(inside, _cell(inside))


def _of_cells(cells: Tensor, like: Tensor) -> Tensor:
    """The pixels in these cells, as a mask (1, 1, H, W) of the same size as `like`."""
    cell, (height, width) = _cell(like), like.shape[-2:]
    return cells.repeat_interleave(cell, -2).repeat_interleave(cell, -1)[..., :height, :width]


def _cell(inside: Tensor) -> int:
    """Side of a cell in pixels."""
    return max(1, max(inside.shape[-2:]) // GRID_SIDE)
