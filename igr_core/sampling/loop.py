"""The headless sampling loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from torch import Tensor

from ..model.config import NoiseConfig
from ..model.garmfus import RowPlan
from ..model.igr import IGR
from ..model.pruning import Kept
from ..ranges import Range
from .presets import PAPER, Sampling
from .samplers import Step, plan_steps
from .schedule import Seeds, guide, is_guided, keep_clean, noised

Progress = Callable[[int, int], None]
"""Called after each step with (steps done, total steps)."""


@dataclass(frozen=True)
class Conditions:
    """Conditions for a batch of B garments."""

    categories: Sequence[str]
    """B categories."""
    features: dict[str, Tensor] | None
    """GarmNet's reference features (B, N, C) by block name, or None; (F, N, C) for F photos if `photos` is given, or
    packed (1, T, C) in the blocks of `kept`."""
    image_features: Tensor | None
    """Image-encoder output (B, ...), or None."""
    photos: Sequence[tuple[int, ...]] | None = None
    """Indices in the features of each garment's photos; None for one photo per garment."""
    kept: Kept = field(default_factory=dict)
    """Kept cells of the photos by block name, as returned by pruning.prune; empty if no token was pruned."""

    @property
    def reference_rows(self) -> Sequence[int | tuple[int, ...]]:
        """Indices of the features that each garment uses, as expected by IGR.fusion."""
        return self.photos if self.photos is not None else range(len(self.categories))


@dataclass(frozen=True)
class StartImages:
    """Images to start from instead of noise."""

    latent: Tensor
    """(B, 4, h, w), float32: their latents."""
    keep: Tensor
    """(B, 1, h, w) in 0..1: fraction of each cell that is kept unchanged."""
    denoise: Annotated[float, Range(0, 1, above=True)] = 1.0
    """Fraction of the noise levels to run, like ComfyUI's `denoise`; 1 runs all of them."""

    def __post_init__(self) -> None:
        Range(0, 1, above=True).check(self.denoise, "denoise")


def categories_of_photos(categories: Sequence[str], photos: Sequence[tuple[int, ...]]) -> list[str]:
    """The category of the garment in each photo, in the order of the photos."""
    owners = {number: garment for garment, numbers in enumerate(photos) for number in numbers}
    return [categories[owners[number]] for number in sorted(owners)]


@torch.no_grad()
def sample_latents(
    model: IGR,
    noise: Tensor,
    conditions: Conditions,
    sampling: Sampling = PAPER,
    *,
    seed: Seeds = 0,
    reference_strength: float = 1.0,
    image_prompt_strength: float = 1.0,
    progress: Progress | None = None,
    start: StartImages | None = None,
) -> Tensor:
    """Denoise float32 noise (B, 4, h, w) to float32 latents; the model runs in its own precision.

    Steps with guidance add B unconditional rows, for which no attention to conditions is computed. `seed` is used by
    samplers that add noise. With `start`, the noise is added to its latents, and the number of steps stays the same.
    Raises IGRError for an unsupported step count.
    """
    count, config = noise.shape[0], model.config.noise
    timesteps, step, skipped = _planned(config, sampling, seed, start)
    interval = sampling.guidance_start, sampling.guidance_end
    guided = [sampling.guidance != 1.0 and is_guided(timestep, config, *interval) for timestep in timesteps]
    dtype = next(model.parameters()).dtype
    fusion = model.fusion(
        noise.to(dtype),
        conditions.reference_rows,
        conditions.features,
        range(count),
        conditions.image_features,
        reference_strength=reference_strength,
        image_prompt_strength=image_prompt_strength,
        keep=True,
        kept=conditions.kept,
    )
    text = model.text(conditions.categories)
    none = (-1,) * count
    twice = replace(  # the same cached keys and values
        fusion,
        reference_plan=RowPlan((*none, *conditions.reference_rows), model.every_branch),
        image_plan=RowPlan((*none, *range(count)), model.every_branch),
    )
    text_twice = torch.cat([model.text(["empty"] * count), text]) if any(guided) else text
    latent = noise if start is None else noised(start.latent, config, timesteps[skipped], noise)
    for number, timestep in list(enumerate(timesteps))[skipped:]:
        rows = latent.to(dtype)
        if guided[number]:
            time = torch.full((2 * count,), timestep, device=latent.device)
            both = model.denoise(torch.cat([rows, rows]), time, text_twice, twice).float()
            unconditional, conditional = both.chunk(2)
            predicted = guide(conditional, unconditional, sampling.guidance)
        else:
            time = torch.full((count,), timestep, device=latent.device)
            predicted = model.denoise(rows, time, text, fusion).float()
        if start is not None:
            predicted = keep_clean(latent, predicted, start.latent, start.keep, config, timestep)
        latent = step(number, latent, predicted)
        if progress is not None:
            progress(number + 1 - skipped, sampling.steps)
    return latent


def _planned(
    config: NoiseConfig, sampling: Sampling, seed: Seeds, start: StartImages | None
) -> tuple[list[int], Step, int]:
    """The timesteps, the function that takes a step, and the number of steps that are skipped at the beginning."""
    total = sampling.steps if start is None else round(sampling.steps / start.denoise)
    timesteps, step = plan_steps(config, sampling.sampler, total, seed)
    return timesteps, step, len(timesteps) - sampling.steps
