"""Encode images for training with the frozen networks, into latents, masks at latent size, and image features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from igr_core.photo.view import latent_mask
from igr_core.restore.restorer import encode_crop, encode_image

from ..data.contract.laid_out import PICTURES

PromptLayout = Literal["linear", "resampler"]


@torch.no_grad()
def encode_images(
    pictures: Mapping[str, Tensor],
    vae: AutoencoderKL,
    downscale: int,
    encoder: CLIPVisionModelWithProjection,
    layout: PromptLayout,
    bf16: bool = False,
) -> dict[str, Tensor]:
    """Encode the PICTURES of B pairs on the networks' device; returns tensors in half precision on the CPU."""
    device = next(vae.parameters()).device
    unit = {name: pictures[name].to(device).float() / 255 for name in PICTURES}
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        encoded = {
            "garment_latent": encode_image(vae, unit["garment"]),
            "person_latent": encode_image(vae, unit["person"]),
            "mask": latent_mask(unit["mask"], downscale),
            "image_features": encode_crop(encoder, unit["crop"], layout),
        }
    return {name: value.half().cpu() for name, value in encoded.items()}
