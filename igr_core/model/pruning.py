"""Prune reference tokens that are far from the garment, so that reference self-attention (Eq. 4) takes less time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import IGRError
from .pruning_config import Pruning

_TOUCHED = 0.01
"""A cell belongs to the garment if the mask covers at least this fraction of it."""
_MOST = 0.6
"""Photos whose mask touches more than this fraction of the cells keep all tokens; such a mask is rarely right."""


@dataclass(frozen=True)
class KeptCells:
    """The cells of R references whose tokens are kept at one level of the UNet.

    The tokens are packed: the kept tokens of the first reference, then those of the second, and so on: (1, T, C).
    """

    shape: tuple[int, int]
    """Height and width of the level."""
    cells: tuple[Tensor, ...]
    """Indices of each reference's kept cells, row by row, ascending: (M,)."""

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of kept tokens of each reference."""
        return tuple(len(cells) for cells in self.cells)

    @cached_property
    def packed(self) -> Tensor:
        """Cell of each packed token: (T,)."""
        return torch.cat(self.cells)

    @property
    def whole(self) -> int:
        """N, the number of cells of the level."""
        return self.shape[0] * self.shape[1]

    def places(self, references: Iterable[Sequence[int]]) -> Tensor:
        """For rows that attend to n references each, the cell of each token: (G, T), in 0..n * N - 1.

        The cells of a row's second reference follow those of its first. All rows must have the same number of tokens.
        """
        rows = [torch.cat([self.cells[one] + n * self.whole for n, one in enumerate(some)]) for some in references]
        return torch.stack(rows)


Kept = dict[str, KeptCells]
"""Kept cells by block name; blocks that keep every token are missing."""


def prune(features: dict[str, Tensor], mask: Tensor, pruning: Pruning) -> tuple[dict[str, Tensor], Kept]:
    """Prune tokens that are far from the garment in the reference features (R, N, C) of each block.

    `mask` (R, 1, h, w) has the latent's size, and is in 0..1. Returns the features, packed (1, T, C) in the blocks that
    are pruned, and the cells that were kept. Photos whose mask covers most or none of the view keep all of their
    tokens.
    """
    if pruning.margin is None or not features:
        return features, {}
    touched = (mask >= _TOUCHED).float()
    share = touched.mean((1, 2, 3))
    touched[(share > _MOST) | (share == 0)] = 1
    kept_at: dict[int, KeptCells] = {}
    short, kept = {}, {}
    for name, value in features.items():
        tokens = value.shape[1]
        if tokens not in kept_at:
            kept_at[tokens] = _kept_cells(touched, tokens, pruning.margin, value.device)
        short[name] = value
        if min(kept_at[tokens].counts) < tokens:
            kept[name] = kept_at[tokens]
            short[name] = torch.cat([one[cells] for one, cells in zip(value, kept[name].cells, strict=True)])[None]
    return short, kept


def take(features: dict[str, Tensor], kept: Kept, rows: slice) -> tuple[dict[str, Tensor], Kept]:
    """Select some of the references that `prune` returned."""
    chosen, chosen_kept = {}, {}
    for name, value in features.items():
        if name in kept:
            pieces = value.split(kept[name].counts, 1)
            chosen[name] = torch.cat(pieces[rows], 1)
            chosen_kept[name] = KeptCells(kept[name].shape, kept[name].cells[rows])
        else:
            chosen[name] = value[rows]
    return chosen, chosen_kept


def join(parts: Sequence[tuple[dict[str, Tensor], Kept]]) -> tuple[dict[str, Tensor], Kept]:
    """Join references as `prune` returns them: those of the first part, then those of the second, and so on."""
    joined, joined_kept = {}, {}
    for name in parts[0][0]:
        shapes = {kept[name].shape for _, kept in parts if name in kept}
        if not shapes:
            joined[name] = torch.cat([features[name] for features, _ in parts])
            continue
        (shape,) = shapes
        cells = [_cells_of(features[name], kept.get(name)) for features, kept in parts]
        joined[name] = torch.cat([features[name].reshape(1, -1, features[name].shape[-1]) for features, _ in parts], 1)
        joined_kept[name] = KeptCells(shape, tuple(one for some in cells for one in some))
    return joined, joined_kept


def _cells_of(value: Tensor, kept: KeptCells | None) -> tuple[Tensor, ...]:
    """Kept cells of each reference; all of them for features (R, N, C) that were not pruned."""
    if kept is not None:
        return kept.cells
    return (torch.arange(value.shape[1], device=value.device),) * value.shape[0]


def _kept_cells(touched: Tensor, tokens: int, margin: int, device: torch.device) -> KeptCells:
    """Cells near the garment at the level with this many tokens; `touched` (R, 1, h, w) is 1 in the garment's cells."""
    grid = touched
    while grid.shape[2] * grid.shape[3] > tokens:
        grid = F.max_pool2d(grid, 2, ceil_mode=True)
    height, width = grid.shape[2:]
    if height * width != tokens:
        size = tuple(touched.shape[2:])
        raise IGRError(f"{tokens} tokens do not match any level of a {size} latent: encode the photo at that size.")
    if margin:
        grid = F.max_pool2d(grid, 2 * margin + 1, 1, margin)
    return KeptCells((height, width), tuple(one.flatten().nonzero()[:, 0].to(device) for one in grid))
