"""Read the reference self-attention (Eq. 4) of a restored garment, after any sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..detail.readout import Readout
from ..model.config import NoiseConfig
from ..model.detail_config import ReadoutConfig
from .schedule import alphas_cumprod, draw_noise

if TYPE_CHECKING:  # they need diffusers, which ComfyUI does not have
    from ..model.igr import IGR
    from .sampling import Conditions

LAST_PART = 1 / 3
"""Last fraction of the denoising process, whose attention is read: the garment has taken shape by then."""
SEED = 0
"""Seed of the noise that is added to read the attention, the same for every garment."""


def reading_timesteps(config: NoiseConfig, count: int) -> tuple[int, ...]:
    """`count` timesteps, noisiest first, spread evenly over the last part of the denoising process."""
    last = config.train_steps * LAST_PART
    return tuple(int(last * (2 * number + 1) / (2 * count)) for number in reversed(range(count)))


def noised(latent: Tensor, config: NoiseConfig, timestep: int) -> Tensor:
    """Latents (B, C, h, w) at a timestep of the forward process (paper section 3.1), all with the same noise."""
    kept = float(alphas_cumprod(config)[timestep])
    noise = draw_noise((1, *latent.shape[1:]), SEED).to(latent)
    return kept**0.5 * latent + (1 - kept) ** 0.5 * noise


@torch.no_grad()
def read_attention(
    model: IGR,
    latent: Tensor,
    conditions: Conditions,
    config: ReadoutConfig,
    *,
    reference_strength: float = 1.0,
    image_prompt_strength: float = 1.0,
) -> Readout:
    """The attention with which B restored garments, scaled latents (B, C, h, w), look at their photos.

    Noise is added to the latents again, and the denoiser runs once at each of a few timesteps: about as long as as
    many steps without guidance.
    """
    count, _, height, width = latent.shape
    rows = range(count)
    dtype = next(model.parameters()).dtype
    fusion = model.fusion(
        latent.to(dtype),
        conditions.reference_rows,
        conditions.features,
        rows,
        conditions.image_features,
        reference_strength=reference_strength,
        image_prompt_strength=image_prompt_strength,
        keep=True,
    )
    text = model.text(list(conditions.categories))
    readout = Readout(config, (height, width), count)
    for timestep in reading_timesteps(model.config.noise, config.steps):
        noisy = noised(latent.float(), model.config.noise, timestep).to(dtype)
        fusion.notes = readout.empty_notes()
        model.denoise(noisy, torch.full((count,), timestep, device=latent.device), text, fusion)
        readout.add(fusion.notes)
    return readout
