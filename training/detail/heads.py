"""Fit the weights of attention heads so that the product of the weighted heads peaks at the true positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from igr_core.detail.heads import MOST_CELLS, cells_at, level_of
from igr_core.detail.readout import cells_of_level
from igr_core.errors import IGRError
from igr_core.model.detail_config import HeadConfig, ReadoutConfig
from igr_core.model.diffusers_adapter import self_attention_order
from igr_core.model.garmfus import Noted, level_shape
from igr_core.model.igr import IGR
from igr_core.model.networks import build_scheduler
from igr_core.sampling.schedule import reading_timesteps

from ..prepared.latents import Batch, PreparedPairs

_LEAST = 0.03
"""Heads with less than this fraction of the largest weight are dropped, because reading them is not worth the time."""
STEPS = 3
"""Number of timesteps at which attention is read."""
_SPARSITY = 2e-3
"""Cost per unit of weight, in nats, so that redundant heads get no weight."""

Head = tuple[str, int]
"""Name of a block, and number of a head in it."""


@dataclass(frozen=True)
class Sampled:
    """Attention of every candidate head, from some of the visible cells."""

    log_attention: Tensor
    """(S, heads, cells): log probability of each of the photo's cells."""
    true: Tensor
    """(S,): index of the true cell."""


@dataclass(frozen=True)
class FittedHeads:
    """Fitted readout and its loss."""

    readout: ReadoutConfig
    """The heads that are kept, and their weights."""
    nats: float
    """Cross-entropy of the product of the kept heads."""
    best_head_nats: float
    """Cross-entropy of the best single head, with its own weight."""


def candidates(model: IGR, latent_shape: tuple[int, int]) -> list[Head]:
    """Every head of the denoiser's self-attention whose level is small enough to be read."""
    config = model.config.denoiser
    levels = len(config.block_out_channels)
    return [
        (block, head)
        for block in self_attention_order(model.denoiser)
        if cells_at(block, levels, latent_shape) <= MOST_CELLS
        for head in range(config.heads[level_of(block, levels)])
    ]


@torch.no_grad()
def sample_attention(
    model: IGR,
    pairs: PreparedPairs,
    indices: Sequence[int],
    *,
    cells: int = 48,
    batch: int = 8,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Sampled:
    """Attention of the true garment with noise, at the timesteps at which a restored garment is read.

    Takes up to `cells` visible cells of each pair; `progress` is called with the number of pairs just read.
    Raises IGRError if no pair has a correspondence.
    """
    generator = torch.Generator().manual_seed(seed)
    scheduler, read = build_scheduler(model.config.noise), torch.tensor(reading_timesteps(model.config.noise, STEPS))
    found: list[Sampled] = []
    for start in range(0, len(indices), batch):
        some = pairs.batch(indices[start : start + batch])
        if some.correspondence is not None:
            found += _sample(model, some, read, scheduler.add_noise, cells, generator)
        if progress is not None:
            progress(len(some.categories))
    if not found:
        raise IGRError("No pair has a correspondence: prepare rendered pairs, or pairs drawn with --correspondence.")
    return Sampled(torch.cat([one.log_attention for one in found]), torch.cat([one.true for one in found]))


def fit_heads(sampled: Sampled, heads: Sequence[Head], steps: int = STEPS) -> FittedHeads:
    """Fit weights that minimise the cross-entropy of the true cells under the product of the heads."""
    log_attention, true = sampled.log_attention.float(), sampled.true
    singles = [_fit(log_attention[:, [number]], true)[1] for number in range(len(heads))]
    weights, _ = _fit(log_attention, true)
    kept = [number for number in range(len(heads)) if weights[number] > _LEAST * weights.max()]
    refitted, nats = _fit(log_attention[:, kept], true)
    chosen = tuple(
        HeadConfig(heads[number][0], heads[number][1], round(float(weight), 4))
        for number, weight in zip(kept, refitted, strict=True)
    )
    return FittedHeads(ReadoutConfig(chosen, steps), nats, min(singles))


def _fit(log_attention: Tensor, true: Tensor) -> tuple[Tensor, float]:
    """Weights (heads,) above 0, and the cross-entropy in nats; convex except for the constraint on the sign."""
    raw = torch.full((log_attention.shape[1],), -1.0, requires_grad=True)
    optimizer = torch.optim.LBFGS([raw], max_iter=100, line_search_fn="strong_wolfe")

    def nats() -> Tensor:
        return F.cross_entropy(torch.einsum("h,shc->sc", F.softplus(raw), log_attention), true)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nats() + _SPARSITY * F.softplus(raw).sum()
        loss.backward()
        return loss.detach()

    optimizer.step(closure)  # type: ignore[arg-type]
    with torch.no_grad():
        return F.softplus(raw).detach(), float(nats())


def _sample(
    model: IGR,
    batch: Batch,
    read: Tensor,
    add_noise: Callable[[Tensor, Tensor, Tensor], Tensor],
    cells: int,
    generator: torch.Generator,
) -> list[Sampled]:
    count = len(batch.categories)
    noise = torch.randn(batch.garment_latent.shape, generator=generator)
    time = read[torch.randint(len(read), (count,), generator=generator)]
    noisy = add_noise(batch.garment_latent, noise, time)
    rows = list(range(count))
    features = model.encode_reference(batch.person_latent, batch.mask, batch.categories)
    fusion = model.fusion(noisy, rows, features, rows, batch.image_features)
    latent_shape = noisy.shape[2], noisy.shape[3]
    heads = candidates(model, latent_shape)
    fusion.notes = {block: [] for block, _ in heads}
    model.denoise(noisy, time, model.text(batch.categories), fusion)
    shape = max(level_shape(noted.query.shape[1], latent_shape) for (noted,) in fusion.notes.values())
    assert batch.correspondence is not None
    found = []
    for row in rows:
        true = true_cells(batch.correspondence[row, 0], shape)
        visible = (true >= 0).nonzero().flatten()
        if not len(visible):
            continue
        chosen = visible[torch.randperm(len(visible), generator=generator)[:cells]]
        log_attention = [_rows(fusion.notes[block][0], row, head, chosen, shape, latent_shape) for block, head in heads]
        found.append(Sampled(torch.stack(log_attention, 1), true[chosen]))
    return found


def true_places(correspondence: Tensor, shape: tuple[int, int]) -> Tensor:
    """A map (2, H, W) resampled to cells: (2, h, w) in 0..1, NaN where most of a cell is not visible."""
    shown = F.adaptive_avg_pool2d(correspondence.isfinite().float(), shape)
    place = F.adaptive_avg_pool2d(correspondence.nan_to_num(), shape) / shown
    return torch.where(shown > 0.5, place, torch.nan)


def true_cells(correspondence: Tensor, shape: tuple[int, int]) -> Tensor:
    """Index of the photo's cell for each garment cell, (h * w,), from a map (2, H, W) in 0..1; -1 where not visible."""
    height, width = shape
    place = true_places(correspondence, shape)
    x = (place[0] * width).nan_to_num().long().clamp(0, width - 1)
    y = (place[1] * height).nan_to_num().long().clamp(0, height - 1)
    return torch.where(place.isfinite().all(0), y * width + x, -1).flatten()


def _rows(
    noted: Noted, row: int, head: int, chosen: Tensor, shape: tuple[int, int], latent_shape: tuple[int, int]
) -> Tensor:
    """Log attention of one head from the chosen cells of a grid of `shape` to all cells of the grid: (S, cells)."""
    width = noted.query.shape[-1] // noted.heads
    part = slice(head * width, (head + 1) * width)
    cells = cells_of_level(level_shape(noted.query.shape[1], latent_shape), shape, noted.query.device)
    place = noted.rows.index(row)
    query, key = noted.query[place, cells[chosen], part].float(), noted.reference_key[place, :, part].float()
    return (query @ key.T / width**0.5).log_softmax(-1)[:, cells]
