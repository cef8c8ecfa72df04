"""Classifier-free guidance (Eq. 2) and the DDIM loop (paper section 4.1), over prepared conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from .model import IGR

Progress = Callable[[int, int], None]
"""Called after each step with (steps done, steps in all)."""


@dataclass(frozen=True)
class Conditions:
    """What a batch of B garments is restored from."""

    categories: Sequence[str]
    """B categories."""
    features: dict[str, Tensor] | None
    """GarmNet's reference features (B, N, C) by block name, or None."""
    image_features: Tensor | None
    """Image-encoder output (B, ...), or None."""


def guide(conditional: Tensor, unconditional: Tensor, guidance: float) -> Tensor:
    """Eq. 2: guidance * conditional + (1 - guidance) * unconditional."""
    return guidance * conditional + (1.0 - guidance) * unconditional


def draw_noise(shape: Sequence[int], seed: int) -> Tensor:
    """Initial noise (B, C, h, w) in float32; picture i is drawn from `seed + i`, so a batch equals single runs."""
    rows = [torch.randn(tuple(shape[1:]), generator=torch.Generator().manual_seed(seed + i)) for i in range(shape[0])]
    return torch.stack(rows)


@torch.no_grad()
def sample_ddim(
    model: IGR,
    scheduler: DDIMScheduler,
    noise: Tensor,
    conditions: Conditions,
    *,
    steps: int = 25,
    guidance: float = 1.5,
    reference_strength: float = 1.0,
    image_prompt_strength: float = 1.0,
    progress: Progress | None = None,
) -> Tensor:
    """Denoise (B, 4, h, w) noise to latents; the unconditional rows see no condition at all and never pay for one."""
    count = noise.shape[0]
    guided = guidance != 1.0
    none = (-1,) * count if guided else ()
    rows = (*none, *range(count))
    fusion = model.fusion(
        noise,
        rows,
        conditions.features,
        rows,
        conditions.image_features,
        reference_strength=reference_strength,
        image_prompt_strength=image_prompt_strength,
        keep=True,
    )
    text = model.text([*["empty"] * len(none), *conditions.categories])
    scheduler.set_timesteps(steps)
    latent = noise * scheduler.init_noise_sigma
    for done, timestep in enumerate(scheduler.timesteps, start=1):
        stacked = torch.cat([latent, latent]) if guided else latent
        predicted = model.denoise(stacked, timestep.expand(len(rows)).to(latent.device), text, fusion)
        if guided:
            unconditional, conditional = predicted.chunk(2)
            predicted = guide(conditional, unconditional, guidance)
        latent = scheduler.step(predicted, int(timestep), latent, return_dict=False)[0]
        if progress is not None:
            progress(done, steps)
    return latent
