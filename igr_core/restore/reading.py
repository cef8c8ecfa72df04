"""Read the reference self-attention (Eq. 4) for a restored garment, after any sampler."""

from __future__ import annotations

import torch
from torch import Tensor

from ..detail.readout import Readout
from ..model.detail_config import ReadoutConfig
from ..model.igr import IGR
from ..sampling.loop import Conditions
from ..sampling.schedule import noised, reading_timesteps


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
    """Read the attention from B restored garments, given as scaled latents (B, C, h, w), to their photos.

    Noise is added to the latents again, and the denoiser runs once at each of a few timesteps. This takes about as long
    as the same number of steps without guidance.
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
        kept=conditions.kept,
    )
    text = model.text(list(conditions.categories))
    readout = Readout(config, (height, width), count)
    for timestep in reading_timesteps(model.config.noise, config.steps):
        noisy = noised(latent.float(), model.config.noise, timestep).to(dtype)
        fusion.notes = readout.empty_notes()
        model.denoise(noisy, torch.full((count,), timestep, device=latent.device), text, fusion)
        readout.add(fusion.notes)
    return readout
