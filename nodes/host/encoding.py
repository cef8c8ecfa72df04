"""Encode the photo with the VAE, GarmNet, the image encoder and the image-prompt layers, once before sampling."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import comfy.model_management
import torch
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.model.config import ModelConfig, VAEConfig
from ...igr_core.model.image_encoder import preprocess
from ...igr_core.model.image_prompt import ImagePrompt
from ...igr_core.model.pruning import Kept, join, take
from ...igr_core.photo.view import MOST_PHOTOS, GarmentView
from ...igr_core.text import counted
from .blocks import last_block, reference_position, transformer_blocks
from .locking import after_click
from .networks import inference_dtype

SHOWN = "igr_shown"
"""Key of Flatten Garment's LATENT for Reference.shown."""
TAKEN = (
    "The latent no longer shows which of several garments it contains, because it was taken from a batch or passed "
    "Latent Batch Seed Behavior: restore the whole batch, or encode only the photos of the garments that you want."
)
"""Error message for part of a batch, because repeating a batch makes ComfyUI's image indices meaningless."""


@dataclass(frozen=True)
class Reference:
    """GarmNet Encode's output for B photos."""

    config: ModelConfig
    """Config of the bundle that encoded the photos."""
    features: dict[str, Tensor]
    """GarmNet's reference features (B, N, C) by block name, or packed (1, T, C) in the blocks of `kept`; empty without
    GarmNet."""
    image_keys_values: dict[str, tuple[Tensor, Tensor]]
    """Image-prompt keys and values (B, T, C) by block name; empty without an image prompt."""
    prompt: Tensor
    """Text embedding (1, T, C) of the category."""
    empty_prompt: Tensor
    """Text embedding (1, T, C) of the empty prompt."""
    latent_shape: tuple[int, int, int, int]
    """Batch size, channels, height and width of the latents to restore."""
    key: str
    """Bundle.key of the bundle that encoded the photos."""
    category: str
    """Category of the garments."""
    photos: int = 1
    """n, the number of photos per garment; features have n * B rows, beginning with all first photos."""
    kept: Kept = field(default_factory=dict)
    """Kept cells of the n * B photos, by block name; blocks that keep every token are missing."""
    shown: tuple[str, ...] = ()
    """GarmentView.keys of the photos, in the order of the features."""
    vae_weights: Tensor | None = None
    """First convolution of the VAE's encoder that the bundle was trained with; None if the bundle names none."""


def check_together(one: Reference, other: Reference) -> None:
    """Raise IGRError unless two references have the same bundle, size, number of garments and category."""
    if one.latent_shape[0] != other.latent_shape[0]:
        raise IGRError(
            f"One reference has {counted(one.latent_shape[0], 'garment')}, the other {other.latent_shape[0]}: encode "
            "as many photos for one as for the other, in the same order."
        )
    if (one.config, one.latent_shape, one.key) != (other.config, other.latent_shape, other.key):
        raise IGRError(
            "The references differ in bundle or size: encode both with the same bundle, from views of the same size."
        )
    if one.category != other.category:
        raise IGRError("The references differ in category: choose the same one in both GarmNet Encode nodes.")


def check_view(reference: Reference, view: GarmentView) -> None:
    """Raise IGRError for a view of other photos than those of the reference."""
    if reference.shown != view.keys:
        raise IGRError(
            "The view does not show the photos that the reference was encoded from: connect the same Garment Mask/Crop "
            "to both."
        )


def photo_of(reference: Reference, number: int) -> Reference:
    """The reference with only photo `number` of each garment."""
    count = reference.latent_shape[0]
    rows = slice(number * count, (number + 1) * count)
    features, kept = take(reference.features, reference.kept, rows)
    return replace(reference, features=features, kept=kept, photos=1, shown=reference.shown[rows])


def join_references(one: Reference, other: Reference) -> Reference:
    """One reference with the photos of both; the image prompt comes from the first photo.

    Raises IGRError for more than MOST_PHOTOS photos.
    """
    if one.photos + other.photos > MOST_PHOTOS:
        raise IGRError(f"A garment can have at most {MOST_PHOTOS} photos: remove a Combine References node.")
    features, kept = join([(one.features, one.kept), (other.features, other.kept)])
    shown = one.shown + other.shown
    return replace(one, features=features, kept=kept, photos=one.photos + other.photos, shown=shown)


def encode_image(vae: Any, image: Tensor, config: VAEConfig) -> Tensor:
    """Images (B, 3, H, W) in 0..1 -> scaled latents (B, 4, H / f, W / f) in float32."""
    after_click()
    return vae.encode(image.movedim(1, -1)).float() * config.scaling_factor


def encode_crop(encoder: Any, crop: Tensor, layout: str) -> Tensor:
    """Crops p_g (B, 3, S, S) in 0..1 -> input for a projection with this `layout`.

    ComfyUI's own CLIP Vision Encode would round the crops to 8 bits.
    """
    after_click()
    comfy.model_management.load_model_gpu(encoder.patcher)
    output = encoder.model(pixel_values=preprocess(crop.to(encoder.load_device)), intermediate_output=-2)
    return output[2] if layout == "linear" else output[1]


def encode_image_prompt(patcher: Any, features: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Image-encoder output -> keys and values (B, T, C) for every cross-attention, by block name.

    The result is on ComfyUI's intermediate device: main memory, or the GPU with --gpu-only.
    """
    after_click()
    comfy.model_management.load_model_gpu(patcher)
    module: ImagePrompt = patcher.model
    weight = next(module.parameters())
    with torch.no_grad():
        pairs = module.keys_values(module(features.to(patcher.load_device, weight.dtype)))
    home = comfy.model_management.intermediate_device()
    return {name: (key.to(home), value.to(home)) for name, (key, value) in pairs.items()}


class _LastCaptured(Exception):
    """Stops GarmNet's forward pass after the last features that are used."""


def encode_reference(
    patcher: Any, config: ModelConfig, latent: Tensor, mask: Tensor, prompt: Tensor
) -> dict[str, Tensor]:
    """Run GarmNet once at t = 0 (paper, F_hl): reference features (B, N, C) by block name.

    `latent` (B, 4, h, w) is scaled, `mask` (B, 1, h, w) is in 0..1, and `prompt` is (1, T, C). The features are on
    ComfyUI's intermediate device: main memory, or the GPU with --gpu-only.
    """
    assert config.garmnet is not None
    home = comfy.model_management.intermediate_device()
    sample = torch.cat([latent, mask.to(latent)], dim=1)  # (B, 5, h, w)
    needed = patcher.model.memory_required(sample.shape)
    after_click()
    comfy.model_management.load_models_gpu([patcher], memory_required=needed)
    names = {block: name for name, block in transformer_blocks(config.garmnet).items()}
    last = last_block(names)
    position = reference_position(config, (sample.shape[2], sample.shape[3]))
    features: dict[str, Tensor] = {}

    def capture(hidden: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        block = (*options["block"], options["block_index"])
        features[names[block]] = hidden.to(home)
        if block == last:
            raise _LastCaptured
        located = hidden if position is None else hidden + position(hidden)
        return located, located, value

    dtype, device = inference_dtype(patcher.model), patcher.load_device
    try:
        with torch.no_grad():
            patcher.model.diffusion_model(
                sample.to(device, dtype),
                torch.zeros(sample.shape[0], device=device),
                context=prompt.to(device, dtype).expand(sample.shape[0], -1, -1),
                transformer_options={"patches": {"attn1_patch": [capture]}},
            )
    except _LastCaptured:
        pass
    return features
