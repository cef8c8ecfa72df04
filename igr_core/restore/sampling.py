"""The headless DDIM sampling loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.igr import IGR
from .schedule import alphas_cumprod, ddim_step, ddim_timesteps, guide

Progress = Callable[[int, int], None]
"""Called after each step with (steps done, total steps)."""


@dataclass(frozen=True)
class Conditions:
    """Conditions for a batch of B garments."""

    categories: Sequence[str]
    """B categories."""
    features: dict[str, Tensor] | None
    """GarmNet's reference features (B, N, C) by block name, or None; (F, N, C) for F photos if `photos` is given."""
    image_features: Tensor | None
    """Image-encoder output (B, ...), or None."""
    photos: Sequence[tuple[int, ...]] | None = None
    """Indices of each garment's photos among the features; None for one photo per garment."""

    @property
    def reference_rows(self) -> Sequence[int | tuple[int, ...]]:
        """Indices of the features that each garment uses, as expected by IGR.fusion."""
        return self.photos if self.photos is not None else range(len(self.categories))


def categories_of_photos(categories: Sequence[str], photos: Sequence[tuple[int, ...]]) -> list[str]:
    """The category of each photo, in order, from the garment it shows."""
    owners = {number: garment for garment, numbers in enumerate(photos) for number in numbers}
    return [categories[owners[number]] for number in sorted(owners)]


@torch.no_grad()
def sample_ddim(
    model: IGR,
    noise: Tensor,
    conditions: Conditions,
    *,
    steps: int = 25,
    guidance: float = 1.5,
    reference_strength: float = 1.0,
    image_prompt_strength: float = 1.0,
    progress: Progress | None = None,
) -> Tensor:
    """Denoise float32 noise (B, 4, h, w) to float32 latents; the model runs in its own precision.

    The unconditional rows see no condition and skip its cost; at guidance 1 there are no such rows. Raises IGRError for
    an unsupported step count.
    """
    count = noise.shape[0]
    timesteps = ddim_timesteps(model.config.noise, steps)
    signals = [float(x) for x in alphas_cumprod(model.config.noise)[timesteps]] + [1.0]
    dtype = next(model.parameters()).dtype
    none = (-1,) * count if guidance != 1.0 else ()
    rows = (*none, *range(count))
    fusion = model.fusion(
        noise.to(dtype),
        (*none, *conditions.reference_rows),
        conditions.features,
        rows,
        conditions.image_features,
        reference_strength=reference_strength,
        image_prompt_strength=image_prompt_strength,
        keep=True,
    )
    text = model.text([*["empty"] * len(none), *conditions.categories])
    latent = noise
    for done, timestep in enumerate(timesteps, start=1):
        stacked = torch.cat([latent] * (len(rows) // count)).to(dtype)
        time = torch.full((len(rows),), timestep, device=latent.device)
        predicted = model.denoise(stacked, time, text, fusion).float()
        if none:
            unconditional, conditional = predicted.chunk(2)
            predicted = guide(conditional, unconditional, guidance)
        latent, _ = ddim_step(latent, predicted, signals[done - 1], signals[done], model.config.noise.prediction_type)
        if progress is not None:
            progress(done, steps)
    return latent
