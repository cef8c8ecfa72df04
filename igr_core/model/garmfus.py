"""GarmFus (paper section 3.2, Eq. 3 and 4): the attention arithmetic and the row plans, independent of any framework.

The diffusers attention processors and the ComfyUI patches are thin adapters over this file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from ..errors import IGRError
from .pruning import Kept, KeptCells

Attend = Callable[[Tensor, Tensor, Tensor, int, Tensor | None], Tensor]
"""Multi-head attention: query (B, N, C), key and value (B, M, C), heads, additive mask or None -> (B, N, C)."""


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention with heads folded into the channels: (B, N, C), (B, M, C) x 2 -> (B, N, C)."""
    query, key, value = (rearrange(x, "b n (h d) -> b h n d", h=heads) for x in (query, key, value))
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return rearrange(out, "b h n d -> b n (h d)")


@dataclass(frozen=True)
class RowPlan:
    """The conditions that each row of a batch uses."""

    source: tuple[int | tuple[int, ...], ...]
    """`source[row]` is the index of the row's condition, -1 for none, or the indices of several to concatenate."""
    every_branch: bool = False
    """Compute both groups of rows, plain and referenced, even if one is empty, because sharded training needs the same
    graph in every process."""
    _indices: dict[tuple[str, torch.device], Tensor] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Index tensors by name and device, created once for all layers."""
    _parts: dict[tuple[int, ...] | None, list[Part]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Results of `parts`, by `counts`."""

    @cached_property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """Indices of each row's conditions; empty for a plain row."""
        tuples = (source if isinstance(source, tuple) else (source,) for source in self.source)
        return tuple(tuple(index for index in one if index >= 0) for one in tuples)

    @cached_property
    def used(self) -> bool:
        """Whether any row has a condition, or both groups of rows are always computed."""
        return self.every_branch or bool(self.referenced)

    @cached_property
    def referenced(self) -> list[int]:
        """Rows that have a condition."""
        return [row for row, sources in enumerate(self.sources) if sources]

    @cached_property
    def referenced_sources(self) -> list[tuple[int, ...]]:
        """Indices of the conditions of each row that has one."""
        return [self.sources[row] for row in self.referenced]

    @cached_property
    def plain(self) -> list[int]:
        """Rows without a condition, which are computed as in the unpatched model."""
        return [row for row, sources in enumerate(self.sources) if not sources]

    def parts(self, counts: tuple[int, ...] | None = None) -> list[Part]:
        """Referenced rows, grouped by the number of tokens of their conditions.

        Each group is given as its rows' positions among the referenced rows, and its plan. `counts` is the number of
        tokens of each condition, or None if they all have the same number.
        """
        if counts not in self._parts:
            places: dict[int, list[int]] = {}
            for place, row in enumerate(self.referenced):
                sources = self.sources[row]
                total = len(sources) if counts is None else sum(counts[index] for index in sources)
                places.setdefault(total, []).append(place)
            if len(places) < 2:
                self._parts[counts] = [(list(range(len(self.referenced))), self)]
            else:
                self._parts[counts] = [(of_count, self._of(of_count)) for of_count in places.values()]
        return self._parts[counts]

    def _of(self, places: list[int]) -> RowPlan:
        """The plan of some of the referenced rows."""
        return RowPlan(tuple(self.sources[self.referenced[place]] for place in places), self.every_branch)

    def pick(self, conditions: Tensor, counts: tuple[int, ...] | None = None) -> Tensor:
        """The n conditions of each referenced row, concatenated: (R, T, ...) -> (len(referenced), n * T, ...).

        With `counts`, the number of tokens of each condition, the conditions are packed: (1, sum(counts), ...). Nothing
        is copied if the order does not change. Rows with different numbers of tokens must be picked separately; see
        `parts`.
        """
        if counts is not None:
            return self._pick_packed(conditions, counts)
        counted = {len(self.sources[row]) for row in self.referenced} or {1}
        if len(counted) > 1:
            raise ValueError("Rows with different numbers of conditions cannot be picked together: use `parts`.")
        wanted = [index for sources in self.sources for index in sources]
        if counted == {1} and wanted == list(range(conditions.shape[0])) and not self.every_branch:
            return conditions
        picked = conditions.index_select(0, self._index("sources", wanted, conditions.device))
        (count,) = counted
        return picked if count == 1 else picked.reshape(-1, count * picked.shape[1], *picked.shape[2:])

    def _pick_packed(self, conditions: Tensor, counts: tuple[int, ...]) -> Tensor:
        pieces = conditions.split(counts, dim=1)
        rows = self.referenced_sources
        if len({sum(counts[index] for index in sources) for sources in rows}) > 1:
            raise ValueError("Rows with different numbers of tokens cannot be picked together: use `parts`.")
        if all(sources == tuple(range(len(counts))) for sources in rows):  # every row uses all of them, in order
            return conditions.expand(len(rows), *conditions.shape[1:])
        picked = [
            torch.cat([pieces[index] for index in sources], 1) if len(sources) != 1 else pieces[sources[0]]
            for sources in rows
        ]
        return picked[0] if len(picked) == 1 else torch.cat(picked)

    def repeated(self, times: int) -> RowPlan:
        """The plan for a batch in which every row is repeated `times` times, as when images are cut into tiles."""
        return self if times == 1 else RowPlan(tuple(source for source in self.source for _ in range(times)))

    def by_rows(
        self, plain: Callable[..., Tensor], referenced: Callable[..., Tensor], rows: Tensor, *more: Tensor
    ) -> Tensor:
        """Apply one function to the plain rows and the other to the referenced ones: (B, ...) -> (B, ...).

        Further tensors (B, ...) are split in the same way and passed to the functions after `rows`.
        """
        batch = (rows, *more)
        if self.every_branch:
            return self._gathered(plain, referenced, batch)
        if not self.referenced:
            return plain(*batch)
        if not self.plain:
            return referenced(*batch)
        sizes = [len(self.plain), len(self.referenced)]
        if self.plain + self.referenced == list(range(len(self.source))):  # the order of guidance: views, no copies
            first, second = zip(*(x.split(sizes) for x in batch), strict=True)
            return torch.cat([plain(*first), referenced(*second)])
        if self.referenced + self.plain == list(range(len(self.source))):  # the reverse order
            first, second = zip(*(x.split(sizes[::-1]) for x in batch), strict=True)
            return torch.cat([referenced(*first), plain(*second)])
        return self._gathered(plain, referenced, batch)

    def by_count(
        self, apply: Callable[..., Tensor], rows: Tensor, *more: Tensor, counts: tuple[int, ...] | None = None
    ) -> Tensor:
        """Apply a function to the referenced rows, grouped by their number of tokens: (R, ...) -> (R, ...).

        The function receives the group's plan, its row indices in the whole batch, and its slice of every tensor.
        `counts` is as in `parts`.
        """
        batch, parts = (rows, *more), self.parts(counts)
        if len(parts) == 1:
            return apply(self, self.referenced, *batch)
        done = [
            apply(plan, [self.referenced[place] for place in places], *(self._rows(x, places) for x in batch))
            for places, plan in parts
        ]
        order = [place for places, _ in parts for place in places]
        if order == list(range(len(order))):
            return torch.cat(done)
        return torch.cat(done).index_select(0, self._index(f"part order {order}", _inverse(order), rows.device))

    def _rows(self, rows: Tensor, places: list[int]) -> Tensor:
        """Select some of the rows; returns a view instead of a copy if they are consecutive."""
        first, last = places[0], places[-1]
        if places == list(range(first, last + 1)):
            return rows[first : last + 1]
        return rows.index_select(0, self._index(f"part {places}", places, rows.device))

    def _gathered(
        self, plain: Callable[..., Tensor], referenced: Callable[..., Tensor], batch: tuple[Tensor, ...]
    ) -> Tensor:
        device = batch[0].device
        groups = {"plain": self.plain, "referenced": self.referenced}
        parts = [
            apply(*(x.index_select(0, self._index(name, group, device)) for x in batch))
            for apply, (name, group) in zip((plain, referenced), groups.items(), strict=True)
        ]
        return torch.cat(parts).index_select(0, self._index("order", _inverse(self.plain + self.referenced), device))

    def _index(self, name: str, numbers: list[int], device: torch.device) -> Tensor:
        if (name, device) not in self._indices:
            self._indices[name, device] = torch.tensor(numbers, device=device, dtype=torch.long)
        return self._indices[name, device]


Part = tuple[list[int], RowPlan]
"""Positions of some rows among the referenced ones, and their plan."""


def _inverse(order: Sequence[int]) -> list[int]:
    """The inverse of a permutation."""
    return sorted(range(len(order)), key=order.__getitem__)


def reference_self_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    reference_key: Tensor,
    reference_value: Tensor,
    heads: int,
    strength: float = 1.0,
    attend: Attend = attend,
) -> Tensor:
    """Eq. 4 for the half that is kept: own queries (B, N, C) attend to the reference (B, M, C) and to their own tokens.

    `strength` multiplies the attention weight of every reference token before normalisation: 1 is the paper's
    equation, and values towards 0 fade to plain self-attention.
    """
    mask = None
    if strength != 1.0:
        # in the query's dtype, because a float32 mask would take half-precision attention off its fast path
        mask = query.new_zeros(1, 1, 1, reference_key.shape[1] + key.shape[1])
        mask[..., : reference_key.shape[1]] = math.log(strength)
    return attend(
        query, torch.cat([reference_key, key], dim=1), torch.cat([reference_value, value], dim=1), heads, mask
    )


def concatenated_self_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    reference_query: Tensor,
    reference_key: Tensor,
    reference_value: Tensor,
    heads: int,
    attend: Attend = attend,
) -> Tensor:
    """Eq. 4 as written in the paper: attend over both halves and keep the own half. For tests and benchmarks."""
    joined = attend(
        torch.cat([reference_query, query], dim=1),
        torch.cat([reference_key, key], dim=1),
        torch.cat([reference_value, value], dim=1),
        heads,
        None,
    )
    return joined[:, reference_query.shape[1] :]


def image_prompt_attention(
    query: Tensor, image_key: Tensor, image_value: Tensor, heads: int, strength: float = 1.0, attend: Attend = attend
) -> Tensor:
    """Second term of Eq. 3, to be added to the text attention before the out projection: (B, N, C) -> (B, N, C)."""
    return attend(query, image_key, image_value, heads, None) * strength


def sincos_position(
    height: int,
    width: int,
    channels: int,
    amplitude: float,
    device: torch.device | str,
    dtype: torch.dtype,
    place: tuple[float, float, float, float] | None = None,
) -> Tensor:
    """Fixed 2-D position embedding (1, height * width, channels) for models trained from scratch.

    Coordinates are relative to the longer side, so that all levels and working sizes share one scale. Half of the
    channels encode y and half x, with frequencies from half a cycle to eight cycles along the longer side. For part of
    an image, `place` is the top, left, bottom and right of the part, relative to the whole image's longer side.
    """
    own = {"device": device, "dtype": torch.float32}
    frequencies = 2 * math.pi * torch.logspace(math.log2(0.5), math.log2(8.0), channels // 4, base=2.0, **own)
    y, x = (torch.arange(side, **own) + 0.5 for side in (height, width))
    if place is None:
        y, x = y / max(height, width), x / max(height, width)
    else:
        top, left, bottom, right = place
        y, x = top + y * (bottom - top) / height, left + x * (right - left) / width
    y, x = torch.meshgrid(y, x, indexing="ij")
    angles = [axis.reshape(-1, 1) * frequencies for axis in (y, x)]  # (N, C / 4) each
    code = torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)
    code = F.pad(code, (0, channels - code.shape[1]))
    return (amplitude * code).to(dtype)[None]


def level_shape(tokens: int, latent_shape: Sequence[int]) -> tuple[int, int]:
    """Height and width of a UNet level from its token count and the latent's (height, width).

    Each level halves the latent, rounding up, as the UNet's stride-2 convolutions do. Raises IGRError if no level has
    this many tokens.
    """
    height, width = latent_shape
    while height * width > tokens:
        height, width = (height + 1) // 2, (width + 1) // 2
    if height * width != tokens:
        raise IGRError(
            f"A layer of the UNet has {tokens} tokens, which match no level of a latent of "
            f"{latent_shape[1]}×{latent_shape[0]} cells: remove whatever resizes feature maps inside the model."
        )
    return height, width


@dataclass
class Position:
    """The sincos position embedding for one latent shape, with one tensor per level, created on first use."""

    latent_shape: tuple[int, int]
    """Height and width of the latent."""
    amplitude: float
    """See ModelConfig.reference_position_amplitude."""
    place: tuple[float, float, float, float] | None = None
    """Top, left, bottom and right of a latent that is part of another, relative to the other's longer side."""
    levels: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    """Embeddings (1, N, C), by the numbers of tokens and channels."""

    def __call__(self, hidden: Tensor, kept: KeptCells | None = None) -> Tensor:
        """Position embedding (1, N, C) for hidden states (B, N, C).

        With `kept`, the hidden states are those of the kept cells, packed: (1, T, C) -> (1, T, C).
        """
        channels = hidden.shape[2]
        tokens = hidden.shape[1] if kept is None else kept.shape[0] * kept.shape[1]
        if (tokens, channels) not in self.levels:
            height, width = level_shape(tokens, self.latent_shape)
            self.levels[tokens, channels] = sincos_position(
                height, width, channels, self.amplitude, hidden.device, hidden.dtype, self.place
            )
        level = self.levels[tokens, channels]
        return level if kept is None else level[:, kept.packed.to(level.device)]


class Noted(NamedTuple):
    """Queries and keys of one self-attention, used to read its attention weights or to apply a loss to them."""

    rows: list[int]
    """Indices of G rows of the batch."""
    query: Tensor
    """(G, N, C), heads folded into the channels."""
    reference_key: Tensor
    """(G, n * M, C): keys of n references, concatenated; fewer if tokens were pruned."""
    own_key: Tensor
    """(G, N, C): keys of the rows' own tokens."""
    heads: int
    """Heads of the layer."""
    cells: Tensor | None = None
    """(G, T): cell of each of the T reference tokens, in 0..n * M - 1; None if no token was pruned."""
    whole: int = 0
    """n * M, the number of cells of the n references, if tokens were pruned."""

    def located(self, kept: KeptCells | None, plan: RowPlan) -> Noted:
        """A copy with the cells of the reference tokens, for the rows of `plan`; unchanged if no token was pruned."""
        if kept is None:
            return self
        references = plan.referenced_sources
        return self._replace(cells=kept.places(references), whole=kept.whole * len(references[0]))


@dataclass
class Fusion:
    """Conditions of GarmFus for one denoiser call, or for all calls of a sampling run."""

    reference_plan: RowPlan
    """The reference that each row uses."""
    features: dict[str, Tensor] | None
    """GarmNet's reference features (R, N, C) by block name, or packed (1, T, C) in the blocks of `kept`."""
    image_plan: RowPlan
    """The image prompt that each row uses."""
    image_keys_values: dict[str, tuple[Tensor, Tensor]] | None
    """Image-prompt keys and values (R, T, C) by block name."""
    position: Position | None = None
    """Position embedding added to the inputs of to_q and to_k in rows with a reference; None for none."""
    reference_strength: float = 1.0
    """Weight of the reference tokens, at least 0; 0 skips them."""
    image_prompt_strength: float = 1.0
    """Weight w of Eq. 3's second term; 0 skips it."""
    cache: dict[str, tuple[Tensor, Tensor]] | None = None
    """Reference keys and values, reused between steps at inference; None during training."""
    notes: dict[str, list[Noted]] | None = None
    """Queries and keys of the self-attentions in the blocks named here; filled during the call."""
    kept: Kept = field(default_factory=dict)
    """Kept cells of the references, by block name; blocks that keep every token are missing."""

    @property
    def has_reference(self) -> bool:
        """Whether any row attends to a reference."""
        return self.features is not None and self.reference_strength != 0 and self.reference_plan.used

    @property
    def has_image_prompt(self) -> bool:
        """Whether any row attends to an image prompt."""
        wanted = self.image_keys_values is not None and self.image_prompt_strength != 0
        return wanted and self.image_plan.used
