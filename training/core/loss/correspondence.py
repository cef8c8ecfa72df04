"""The correspondence loss: cross-entropy between the attention of selected heads and the true positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from igr_core.detail.heads import level_of
from igr_core.errors import IGRError
from igr_core.model.diffusers_adapter import block_name, self_attention_order
from igr_core.model.garmfus import Noted, level_shape
from igr_core.model.igr import IGR

from ...prepared.latents import Batch

NEAR = 0.05
"""Largest distance between attention peak and true position that counts as a hit, as a fraction of the garment's
height."""


@dataclass(frozen=True)
class Measured:
    """Measurements of the selected heads for some rows."""

    loss: Tensor
    """Cross-entropy in nats, summed over these rows' visible cells, divided by the number of visible cells in all
    rows, and averaged over the heads."""
    hits: Tensor
    """Number of visible cells whose attention peak is near the true position, over the heads of the finest level."""
    cells: Tensor
    """Number of visible cells, summed over the heads of the finest level."""


class CorrespondenceLoss:
    """Loss between some heads' attention to the reference and the true map (Batch.correspondence)."""

    def __init__(self, heads: Sequence[str], model: IGR) -> None:
        """`heads` are written BLOCK:HEAD, counted from 0; raises IGRError for a head that the model does not have."""
        if not heads:
            raise IGRError("correspondence_heads is empty: list heads, or set correspondence_weight to 0.")
        if model.garmnet is None:
            raise IGRError("correspondence_weight needs GarmNet, but model.garmnet is null: set the weight to 0.")
        known = {
            block_name(name): module.heads  # type: ignore[union-attr]
            for name, module in model.denoiser.named_modules()
            if name.endswith(".attn1")
        }
        self.heads: dict[str, list[int]] = {}
        for head in heads:
            block, _, number = head.partition(":")
            if block not in known or not number.isdigit() or int(number) >= known[block]:
                choices = ", ".join(f"{name}:0 to {known[name] - 1}" for name in self_attention_order(model.denoiser))
                raise IGRError(f"correspondence_heads has {head!r}, but this model has {choices}: choose one of these.")
            self.heads.setdefault(block, []).append(int(number))
        levels = len(model.config.denoiser.block_out_channels)
        self._halvings = {block: level_of(block, levels) for block in self.heads}

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks to record."""
        return tuple(self.heads)

    def visible(self, references: Sequence[int | tuple[int, ...]], batch: Batch, draws: int) -> Tensor:
        """Number of visible cells in all rows with a reference, for each block: (blocks,).

        `references` is Rows.reference_rows; row r belongs to pair r // draws of the batch.
        """
        counts = torch.zeros(len(self.heads))
        if batch.correspondence is None:
            return counts
        seen = torch.zeros(len(batch.correspondence))
        for row, reference in enumerate(references):
            seen[row // draws] += float(isinstance(reference, tuple) or reference >= 0)
        known = batch.correspondence.cpu()
        for place, block in enumerate(self.heads):
            shape = known.shape[-2], known.shape[-1]
            for _ in range(self._halvings[block]):
                shape = (shape[0] + 1) // 2, (shape[1] + 1) // 2
            at_level = _sampled(known, *shape).isfinite().all(2).any(1)  # (P, height, columns)
            counts[place] = (at_level.flatten(1).sum(1) * seen).sum()
        return counts

    def __call__(
        self, notes: dict[str, list[Noted]], batch: Batch, draws: int, visible: Tensor | None = None
    ) -> Measured:
        """Measure the heads; row r of the denoiser belongs to pair r // draws of the batch.

        `visible` contains the step's cell counts, from the method of that name; None if these rows are the whole step.
        """
        zero = batch.garment_latent.new_zeros(())
        if batch.correspondence is None:
            return Measured(zero, zero, zero)
        losses, finest, hits, cells = [], 0, zero, zero
        for place, (block, numbers) in enumerate(self.heads.items()):
            for number in numbers:
                parts = [_measure(noted, number, batch.correspondence, draws) for noted in notes[block]]
                own = sum((part.cells for part in parts), zero)
                count = own if visible is None else visible[place]
                losses.append(sum((part.loss for part in parts), zero) / count.clamp(min=1))
                tokens = notes[block][0].query.shape[1] if notes[block] else 0
                if tokens > finest:
                    finest, hits, cells = tokens, zero, zero
                if tokens == finest:
                    hits, cells = hits + sum((part.hits for part in parts), zero), cells + own
        return Measured(torch.stack(losses).mean(), hits, cells)


def places_logged(measured: Sequence[Sequence[float]], name: str) -> dict[str, float]:
    """Metrics from each step's (loss, hits, cells): mean loss and fraction of hits; empty if there are no cells."""
    seen = [one for one in measured if one[2] > 0]
    if not seen:
        return {}
    hits = sum(one[1] for one in seen) / sum(one[2] for one in seen)
    return {f"{name}/loss": sum(one[0] for one in seen) / len(seen), f"{name}/within_5_percent": hits}


def _measure(noted: Noted, head: int, correspondence: Tensor, draws: int) -> Measured:
    """Loss, hits and cells of one head's attention, summed over the visible cells of some rows."""
    count, tokens, width = noted.query.shape
    photos = noted.reference_key.shape[1] // tokens
    pairs = torch.tensor([row // draws for row in noted.rows], device=correspondence.device, dtype=torch.long)
    places = correspondence[pairs, :photos]  # (G, n, 2, H, W)
    latent_shape = places.shape[3], places.shape[4]
    height, columns = level_shape(tokens, latent_shape)
    at_level = _sampled(places, height, columns).flatten(3)  # (G, n, 2, N)
    visible = at_level.isfinite().all(2)  # (G, n, N)
    anywhere = visible.any(1)  # (G, N)
    x, y = at_level.nan_to_num().unbind(2)  # (G, n, N)
    column = (x * columns).long().clamp(0, columns - 1)
    cell = (y * height).long().clamp(0, height - 1) * columns + column
    cell = cell + tokens * torch.arange(photos, device=cell.device).view(1, -1, 1)

    share = slice(head * width // noted.heads, (head + 1) * width // noted.heads)
    query = noted.query[..., share].float() / (width // noted.heads) ** 0.5  # (G, N, d)
    key = noted.reference_key[..., share].float()  # (G, n * N, d)
    loss, peak = query.sum() * 0.0, torch.zeros_like(anywhere, dtype=torch.long)
    for row, (one, other) in enumerate(zip(query.unbind(), key.unbind(), strict=True)):
        seen = anywhere[row]  # most cells are background, whose logits are not needed
        logits = one[seen] @ other.mT  # (S, n * N)
        said = logits.log_softmax(-1).gather(1, cell[row].mT[seen])  # (S, n)
        # if several photos show a cell, a match in any of them counts
        loss = loss - said.masked_fill(~visible[row].mT[seen], float("-inf")).logsumexp(-1).sum()
        peak[row, seen] = logits.detach().argmax(-1)
    hits = _hits(peak, at_level, visible, (height, columns), _heights(places), latent_shape)
    return Measured(loss, hits.sum(), anywhere.sum())


def _sampled(places: Tensor, height: int, columns: int) -> Tensor:
    """The map (..., H, W) at a coarser level (..., height, columns), as means over the visible cells in each cell."""
    shape = places.shape[:-2]
    flat = places.reshape(-1, *places.shape[-2:])
    share = F.adaptive_avg_pool2d(flat.isfinite().float(), (height, columns))
    mean = F.adaptive_avg_pool2d(flat.nan_to_num(), (height, columns)) / share  # 0 / 0 is NaN: not visible
    return mean.view(*shape, height, columns)


def _heights(places: Tensor) -> Tensor:
    """The garment's height in each photo (G, n), as a fraction of the view's height; 0 if no cell is visible."""
    y = places[:, :, 1].flatten(2)
    low = y.nan_to_num(nan=float("inf")).amin(-1)
    high = y.nan_to_num(nan=float("-inf")).amax(-1)
    return (high - low).clamp(min=0)


def _hits(
    peak: Tensor,
    at_level: Tensor,
    visible: Tensor,
    level: tuple[int, int],
    heights: Tensor,
    latent_shape: Iterable[int],
) -> Tensor:
    """Cells (G, N) whose attention peak is near the true position in the same photo."""
    height, columns = level
    tall, wide = latent_shape
    photo, token = peak // (height * columns), peak % (height * columns)
    true = at_level.gather(1, photo[:, None, None, :].expand(-1, 1, 2, -1))[:, 0]  # (G, 2, N)
    across = ((token % columns + 0.5) / columns - true[:, 0]) * wide / tall
    down = (token // columns + 0.5) / height - true[:, 1]
    near = (across**2 + down**2).sqrt() <= NEAR * heights.gather(1, photo)
    return near & visible.gather(1, photo[:, None]).squeeze(1)
