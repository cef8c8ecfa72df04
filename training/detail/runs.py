"""Restore prepared pairs with a known correspondence, and compare this with the positions that the attention finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from igr_core.detail.evidence import cell_opacity, features, weighted_flow
from igr_core.detail.flow import Flow
from igr_core.detail.readout import Correspondence
from igr_core.model.detail_config import ReadoutConfig
from igr_core.model.pruning import prune
from igr_core.restore.background_removal import garment_alpha
from igr_core.restore.reading import read_attention
from igr_core.restore.restorer import GarmentRestorer, decode_latent
from igr_core.sampling.loop import Conditions, sample_latents
from igr_core.sampling.presets import Sampling
from igr_core.sampling.schedule import draw_noise

from ..prepared.latents import Batch, PreparedPairs
from .heads import true_places


@dataclass(frozen=True)
class RunSettings:
    """Settings for restoring pairs."""

    sampling: Sampling = Sampling(steps=10)
    """Steps, guidance and sampler."""
    seed: int = 0
    """Seed of the first pair's noise."""
    batch: int = 8
    """Number of pairs restored together."""


@dataclass(frozen=True)
class Compared:
    """The attention and the ground truth for one pair, in each of h x w cells."""

    pair: int
    """Index of the pair in the data."""
    category: str
    """upper, lower or full."""
    found: Correspondence
    """The attention that was read."""
    flow: Flow | None
    """The smoothed map; None if it could not be fitted."""
    garment: Tensor
    """(h, w) in 0..1: opacity of the restored garment."""
    features: Tensor | None
    """(h, w, F): values that the evidence is computed from; None without a map."""
    true: Tensor
    """(2, h, w): true position as fractions of the view; NaN where the photo does not show the cell."""
    height: float
    """Height of the visible garment in the photo, as a fraction of the view's height."""

    @property
    def visible(self) -> Tensor:
        """(h, w): whether the photo shows the cell."""
        return self.true.isfinite().all(0)

    def errors(self, aspect: float) -> Tensor:
        """Distances (cells,) between map and ground truth over the visible cells, as fractions of the garment's
        height."""
        place = self.found.place[0] if self.flow is None else self.flow.place
        apart = (place - self.true)[:, self.visible] * torch.tensor([[aspect], [1.0]])
        return apart.norm(dim=0) / max(self.height, 1e-6)


@torch.no_grad()
def compare(
    restorer: GarmentRestorer,
    pairs: PreparedPairs,
    indices: Sequence[int],
    readout: ReadoutConfig,
    settings: RunSettings,
    progress: Callable[[int], object] | None = None,
) -> Iterator[Compared]:
    """Restore pairs from their prepared latents and read the attention; pairs without a correspondence are skipped.

    `progress` is called with the number of pairs that have just been restored.
    """
    for start in range(0, len(indices), settings.batch):
        numbers = indices[start : start + settings.batch]
        some = pairs.batch(numbers)
        count = len(some.categories)
        height, width = some.garment_latent.shape[2:]
        noise = draw_noise((count, *some.garment_latent.shape[1:]), settings.seed + start)
        conditions = _conditions(restorer, some)
        latent = sample_latents(restorer.model, noise, conditions, settings.sampling, seed=settings.seed + start)
        reader = read_attention(restorer.model, latent, conditions, readout)
        opacity = garment_alpha(decode_latent(restorer.vae, latent).float())
        f = restorer.info.model.vae.downscale
        masks = [mask.repeat_interleave(f, -1).repeat_interleave(f, -2)[None] for mask in some.mask]
        for row, found in enumerate(reader.correspondences(masks)):
            if some.correspondence is not None and bool(some.correspondence[row].isfinite().any()):
                yield _compared(numbers[row], some, row, found, opacity[row], width / height)
        if progress is not None:
            progress(count)


def _conditions(restorer: GarmentRestorer, batch: Batch) -> Conditions:
    features = restorer.model.encode_reference(batch.person_latent, batch.mask, batch.categories)
    features, kept = prune(features, batch.mask, restorer.pruning)
    return Conditions(batch.categories, features, batch.image_features, kept=kept)


def _compared(pair: int, batch: Batch, row: int, found: Correspondence, opacity: Tensor, aspect: float) -> Compared:
    assert batch.correspondence is not None
    whole = batch.correspondence[row, 0]
    garment = cell_opacity(opacity, found)
    flow = weighted_flow(found, garment, 0, aspect)
    low, high = whole[1][whole[1].isfinite()].aminmax()
    return Compared(
        pair,
        batch.categories[row],
        found,
        flow,
        garment,
        None if flow is None else features(found, flow, 0),
        true_places(whole, (found.mass.shape[0], found.mass.shape[1])),
        float(high - low),
    )
