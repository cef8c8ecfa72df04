"""Code shared by both versions of TryOffDiff: square photos, SigLIP tokens and their adapter, sampling, and square
images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from PIL import Image
from torch import Tensor, nn
from transformers import SiglipVisionConfig, SiglipVisionModel

from igr_core.errors import IGRError
from igr_core.model.networks import build_unet

from ..bundles.published import diffusers_unet_shape, fitted, read_json, read_weights
from .method import Item, Settings
from .weights import AGAIN, filled

SIDE = 512
"""Side in pixels of the square photos and garments."""
LATENT = (4, 64, 64)
"""Shape of a garment's latent."""
_HEADS = 8
_COMPILED = "_orig_mod."
_LEAST_RANGE = 1e-5


def square(photo: Image.Image) -> Tensor:
    """A photo (3, SIDE, SIDE) in -1..1, padded to a square with its outermost pixels before it is resized.

    Odd padding has its larger half on the right or at the bottom. Resizing is bilinear with antialiasing, in 8 bits.
    """
    pixels = np.asarray(photo.convert("RGB"))
    height, width = pixels.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    padded = np.pad(pixels, ((top, side - height - top), (left, side - width - left), (0, 0)), mode="edge")
    image = torch.from_numpy(padded).permute(2, 0, 1)[None].contiguous()  # (1, 3, side, side)
    resized = F.interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return (resized[0].float() / 255 - 0.5) / 0.5


def to_image(decoded: Tensor) -> Image.Image:
    """A decoded garment (3, H, W), stretched so that its darkest value becomes black and its brightest white.

    Raises IGRError for NaN and infinite values.
    """
    if not bool(torch.isfinite(decoded).all()):
        raise IGRError("The network returned NaN or infinite values, so its weights are damaged: download them again.")
    unit = (decoded.float().cpu() + 1) / 2
    low, high = unit.min(), unit.max()
    unit = (unit - low) / max(float(high - low), _LEAST_RANGE)
    pixels = (unit * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
    return Image.fromarray(pixels.contiguous().numpy())


class NoiseStream:
    """Initial noise for the photos of a data set: consecutive draws from one generator, in the order of the data set.

    On the CPU, this is the noise that the authors' code draws for these photos, in batches of any size.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._restart()

    def at(self, indices: Sequence[int]) -> Tensor:
        """The noise (B, 4, 64, 64) of the photos at these positions; the fastest order is ascending."""
        return torch.stack([self._draw(index) for index in indices])

    def _draw(self, index: int) -> Tensor:
        if index < self._drawn:
            self._restart()
        while True:
            noise = torch.randn(LATENT, generator=self._generator)
            self._drawn += 1
            if self._drawn > index:
                return noise

    def _restart(self) -> None:
        self._generator, self._drawn = torch.Generator().manual_seed(self._seed), 0


class Adapter(nn.Module):
    """Turns SigLIP tokens (B, N, C) into the context (B, M, C) of the UNet's cross-attention."""

    def __init__(self, tokens: int, slots: int, width: int, feed_forward: int | None) -> None:
        """`feed_forward` is the inner width of a transformer layer before the projection; None for no such layer."""
        super().__init__()
        self.transformer = (
            nn.TransformerEncoderLayer(width, _HEADS, feed_forward, batch_first=True) if feed_forward else None
        )
        self.proj = nn.Linear(tokens, slots)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Context for tokens (B, N, C)."""
        if self.transformer is not None:
            tokens = self.transformer(tokens)
        return self.norm(self.proj(tokens.transpose(1, 2)).transpose(1, 2))


@dataclass(frozen=True)
class Network:
    """The networks in a TryOffDiff checkpoint."""

    unet: UNet2DConditionModel
    """The denoiser, which predicts noise."""
    adapter: Adapter
    """The adapter that makes the denoiser's context."""


def read_network(path: Path, transformer: bool, classes: bool) -> Network:
    """The networks in a checkpoint, on the CPU in float32.

    `transformer` states whether the adapter must have a transformer layer, and `classes` whether the UNet must have
    class embeddings. Raises IGRError for a damaged file, or for a checkpoint of another model.
    """
    tensors = {name.replace(_COMPILED, ""): value for name, value in read_weights(path).items()}
    unet_tensors = {name.removeprefix("unet."): value for name, value in tensors.items() if name.startswith("unet.")}
    needed = {"proj.weight": True, "norm.weight": True}
    needed |= {"transformer.linear1.weight": transformer, "unet.class_embedding.weight": classes}
    for name, wanted in needed.items():
        if (name in tensors) != wanted:
            raise IGRError(f"{path} {'lacks' if wanted else 'has'} {name}, so it belongs to another model: {AGAIN}.")
    shape = diffusers_unet_shape(unet_tensors, path)
    with torch.device("meta"):
        unet: Any = build_unet(shape)
        if classes:
            count = unet_tensors["class_embedding.weight"].shape[0]
            unet = UNet2DConditionModel.from_config(unet.config, num_class_embeds=count)
        slots, tokens = tensors["proj.weight"].shape
        feed_forward = tensors["transformer.linear1.weight"].shape[0] if transformer else None
        adapter = Adapter(tokens, slots, tensors["norm.weight"].shape[0], feed_forward)
    return Network(filled(unet, unet_tensors, path), filled(adapter, tensors, path))


def read_siglip(weights: Path) -> Any:
    """SigLIP's vision model (transformers' SiglipVisionModel) in the folder of its weight file, in float32.

    Raises IGRError for damaged files.
    """
    tensors, config = read_weights(weights), read_json(weights.parent).get("vision_config", {})
    try:
        model = SiglipVisionModel(SiglipVisionConfig(**config))
    except (TypeError, ValueError) as error:
        raise IGRError(f"{weights.parent / 'config.json'} does not describe SigLIP ({error}): {AGAIN}.") from error
    prefix = "" if any(name.startswith("vision_model.") for name in model.state_dict()) else "vision_model."
    own = {name.removeprefix(prefix): value for name, value in tensors.items()}
    model.load_state_dict(fitted(model, own, weights, torch.float32))
    return model.eval().requires_grad_(False)


class SquareDiffusion(ABC):
    """A version of TryOffDiff: a UNet that attends to adapted SigLIP tokens, on squares."""

    def __init__(
        self, network: Network, siglip: Any, vae: Any, scheduler: Any, settings: Settings, device: torch.device
    ) -> None:
        """Move the networks to the device."""
        self.unet: Any = nn.Module.to(network.unet, device)
        """The denoiser."""
        self.adapter = network.adapter.to(device)
        """The adapter."""
        self.siglip = siglip.to(device)
        """The image encoder."""
        self.vae = vae.to(device)
        """The autoencoder; only its decoder is used."""
        self.scheduler = scheduler
        """The sampler."""
        self.settings = settings
        """Steps, guidance and seed."""
        self.device = device
        """Device of the networks."""
        self._noise = NoiseStream(settings.seed)

    def load(self, item: Item) -> Tensor:
        """The photo as a square."""
        return square(item.photo)

    @torch.no_grad()
    def generate(self, items: Sequence[Item], photos: Sequence[Tensor]) -> list[Image.Image]:
        """Garments of SIDE × SIDE pixels, still padded; raises IGRError for NaN."""
        noise = self._noise.at([item.index for item in items])
        latents = self.sample(torch.stack(list(photos)), noise, self.labels(items))
        scale = self.vae.config.scaling_factor
        return [to_image(self.vae.decode(one[None] / scale).sample[0]) for one in latents]

    @torch.no_grad()
    def sample(self, photos: Tensor, noise: Tensor, labels: Tensor | None) -> Tensor:
        """Latents (B, 4, 64, 64) of garments, from square photos (B, 3, SIDE, SIDE) and initial noise."""
        full, empty = self.context(photos.to(self.device))
        latents, guidance = noise.to(self.device), self.settings.guidance
        guided = guidance != 1
        context = torch.cat([empty, full]) if guided else full
        if labels is not None and guided:
            labels = labels.repeat(2)
        self.scheduler.set_timesteps(self.settings.steps)
        for time in self.scheduler.timesteps:
            given = torch.cat([latents] * 2) if guided else latents
            noise_in = self.unet(given, time, encoder_hidden_states=context, class_labels=labels).sample
            if guided:
                without, with_photo = noise_in.chunk(2)
                noise_in = without + guidance * (with_photo - without)
            latents = self.scheduler.step(noise_in, time, latents).prev_sample
        return latents

    @abstractmethod
    def context(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """The UNet's context (B, M, C) for square photos (B, 3, SIDE, SIDE), and its unconditional context."""

    @abstractmethod
    def labels(self, items: Sequence[Item]) -> Tensor | None:
        """Class label of each photo, (B,); None for a UNet without class embeddings."""

    def tokens(self, photos: Tensor) -> Tensor:
        """SigLIP's last hidden states (B, N, C) for photos (B, 3, SIDE, SIDE) in -1..1."""
        return self.siglip(pixel_values=photos).last_hidden_state
