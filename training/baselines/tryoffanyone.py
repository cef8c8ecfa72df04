"""TryOffAnyone (ixarchakos/try-off-anyone, src/model/pipeline.py; arXiv 2412.08573): upper garments, from VITON-HD.

An SD1.5 inpainting UNet without cross-attention, whose transformer blocks were fine-tuned. Its input is the canvas on
which it generates the garment, stacked above the whole photo; the masked photo and the mask are further input channels.
The photo is stretched to 384×512, and RMBG-1.4 removes the background of the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from diffusers.image_processor import VaeImageProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from PIL import Image
from torch import Tensor, nn

from igr_core.errors import IGRError
from igr_core.model.networks import build_unet

from ..bundles.published import Tensors, read_unet, read_weights
from . import background
from .background import IsNet, foreground, on_white, read_isnet
from .garment_masks import Masks
from .method import Item, Settings
from .tryoffdiff_v2 import VAE
from .weights import AGAIN, SD_INPAINTING, TRYOFFANYONE, Published, filled, load_scheduler, load_vae, model_folder

TRAINED_ON = ("upper",)
"""Categories that the model was trained on."""
SIZE = (384, 512)
"""Width and height in pixels of photos and garments."""
CHECKPOINT = Published("model.safetensors", TRYOFFANYONE)
_UNET = model_folder(SD_INPAINTING, "unet")
UNET = Published(
    f"{_UNET}/diffusion_pytorch_model.safetensors",
    SD_INPAINTING,
    (f"{_UNET}/diffusion_pytorch_model.bin", f"{_UNET}/diffusion_pytorch_model.fp16.safetensors"),
)
SCHEDULE = Published(f"{model_folder(SD_INPAINTING, 'scheduler')}/scheduler_config.json", SD_INPAINTING)
FILES = (CHECKPOINT, UNET, SCHEDULE, VAE, background.FILE)
"""Files that it needs in addition to the masks."""
_ETA = 1.0
_INPUTS = 9
_LATENT_SCALE = 8


class Photo(NamedTuple):
    """A photo and its mask, as the method sees them."""

    image: Tensor
    """(3, 512, 384) in -1..1."""
    mask: Tensor
    """(1, 512, 384), 0 or 1."""


class SkippedAttention:
    """A processor that returns its input, so that the block adds its normalised input instead of attention output."""

    def __call__(self, attn: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The hidden states, unchanged."""
        return hidden_states


class TryOffAnyone:
    """TryOffAnyone, sampled with DDIM at eta 1."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        vae: Any,
        scheduler: Any,
        isnet: IsNet,
        masks: Masks,
        settings: Settings,
        device: torch.device,
    ) -> None:
        """Move the networks to the device; the UNet loses its cross-attention."""
        processors: dict[str, Any] = {
            name: processor if name.endswith("attn1.processor") else SkippedAttention()
            for name, processor in unet.attn_processors.items()
        }
        unet.set_attn_processor(processors)
        self.unet: Any = nn.Module.to(unet, device)
        """The denoiser, which predicts noise."""
        self.vae = vae.to(device)
        """The autoencoder."""
        self.scheduler = scheduler
        """The sampler."""
        self.isnet = isnet.to(device)
        """The network that finds the garment in the result."""
        self.masks = masks
        """Source of the garment masks."""
        self.settings = settings
        """Steps, guidance and seed; every photo gets the same noise."""
        self.device = device
        """Device of the networks."""
        self._of_photo = VaeImageProcessor(vae_scale_factor=_LATENT_SCALE)
        self._of_mask = VaeImageProcessor(
            vae_scale_factor=_LATENT_SCALE, do_normalize=False, do_binarize=True, do_convert_grayscale=True
        )

    def load(self, item: Item) -> Photo:
        """The photo and its mask, stretched to SIZE; raises IGRError for a photo without a mask."""
        width, height = SIZE
        photo = item.photo.convert("RGB").resize(SIZE)
        mask = self.masks.of(item, photo)
        return Photo(
            self._of_photo.preprocess(photo, height, width)[0], self._of_mask.preprocess(mask, height, width)[0]
        )

    @torch.no_grad()
    def generate(self, items: Sequence[Item], photos: Sequence[Photo]) -> list[Image.Image]:
        """Garments of size SIZE on white; raises IGRError for NaN."""
        latents = self.sample(torch.stack([one.image for one in photos]), torch.stack([one.mask for one in photos]))
        return [self._finished(one) for one in latents]

    @torch.no_grad()
    def sample(self, images: Tensor, masks: Tensor) -> Tensor:
        """Latents (B, 4, h, w) of garments, from photos (B, 3, 8h, 8w) and their masks (B, 1, 8h, 8w)."""
        dtype = self.unet.dtype
        images, masks = images.to(self.device, dtype), masks.to(self.device, dtype)
        # the authors' code draws this noise from torch's global generator, without a seed
        encoding = [torch.Generator().manual_seed(self.settings.seed + 1) for _ in images]
        masked, whole = (self._encode(one, encoding) for one in (images * (masks < 0.5), images))
        small = F.interpolate(masks, whole.shape[-2:], mode="nearest")
        seen = torch.cat([masked, whole], -2)  # (B, 4, 2h, w)
        places = torch.cat([small, torch.zeros_like(small)], -2)
        noise = [torch.Generator().manual_seed(self.settings.seed) for _ in images]
        latents = torch.cat([torch.randn((1, *seen.shape[1:]), generator=one) for one in noise]).to(self.device, dtype)
        guidance = self.settings.guidance
        if guided := guidance > 1:
            seen = torch.cat([torch.cat([masked, torch.zeros_like(whole)], -2), seen])
            places = torch.cat([places] * 2)
        self.scheduler.set_timesteps(self.settings.steps, device=self.device)
        for time in self.scheduler.timesteps:
            given = self.scheduler.scale_model_input(torch.cat([latents] * 2) if guided else latents, time)
            predicted = self.unet(torch.cat([given, places, seen], 1), time, encoder_hidden_states=None).sample
            if guided:
                without, with_photo = predicted.chunk(2)
                predicted = without + guidance * (with_photo - without)
            # the noise of each photo is drawn on the CPU, so that it depends on neither batch nor device
            drawn = torch.cat([torch.randn((1, *latents.shape[1:]), generator=one) for one in noise])
            added = drawn.to(self.device, dtype)
            latents = self.scheduler.step(predicted, time, latents, eta=_ETA, variance_noise=added).prev_sample
        return latents.chunk(2, -2)[0]

    def _encode(self, images: Tensor, generators: list[torch.Generator]) -> Tensor:
        """Sampled latents of images, one generator for each."""
        encoded = self.vae.encode(images).latent_dist
        noise = torch.cat([torch.randn((1, *encoded.mean.shape[1:]), generator=one) for one in generators])
        return (encoded.mean + encoded.std * noise.to(encoded.mean)) * self.vae.config.scaling_factor

    def _finished(self, latents: Tensor) -> Image.Image:
        """The image of a garment's latents (4, h, w), on white."""
        decoded = self.vae.decode(latents[None] / self.vae.config.scaling_factor).sample[0].float()
        if not bool(torch.isfinite(decoded).all()):
            raise IGRError(
                "The network returned NaN or infinite values, so its weights are damaged: download them again."
            )
        pixels = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
        image = Image.fromarray(pixels.cpu().contiguous().numpy())
        return on_white(image, foreground(self.isnet, image))


def load(found: Mapping[Published, Path], masks: Masks, settings: Settings, device: torch.device) -> TryOffAnyone:
    """Load the published weights; as in the authors' code, in bfloat16 on CUDA, otherwise in float32.

    Raises IGRError naming a file that is damaged or of another model.
    """
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    tensors, shape = read_unet(found[UNET])
    if shape.in_channels != _INPUTS:
        raise IGRError(f"{found[UNET]} has {shape.in_channels} input channels: use SD1.5's inpainting UNet.")
    with torch.device("meta"):
        unet = build_unet(shape)
    tuned = fine_tuned(read_weights(found[CHECKPOINT]), unet, found[CHECKPOINT])
    return TryOffAnyone(
        filled(unet, tensors | tuned, found[UNET], dtype),
        load_vae(found[VAE], dtype),
        load_scheduler(DDIMScheduler, found[SCHEDULE]),
        read_isnet(found[background.FILE]),
        masks,
        settings,
        device,
    )


def fine_tuned(tensors: Tensors, unet: UNet2DConditionModel, path: Path) -> Tensors:
    """The tensors of a checkpoint under the names that they have in the UNet.

    The checkpoint numbers the UNet's blocks with transformers in the order down, middle, up. Raises IGRError for a
    checkpoint that lacks any of their tensors, or has others.
    """
    wanted = [name for name in unet.state_dict() if ".attentions." in name]
    blocks = list(dict.fromkeys(name.partition(".attentions.")[0] for name in wanted))
    order = [block for part in ("down", "mid", "up") for block in blocks if block.startswith(part)]
    names = {}
    for name in wanted:
        block, _, rest = name.partition(".attentions.")
        names[f"{order.index(block)}.{rest}"] = name
    if wrong := names.keys() ^ tensors.keys():
        word = "lacks" if min(wrong) in names else "has"
        raise IGRError(f"{path} {word} {min(wrong)}, so it is not TryOffAnyone's checkpoint: {AGAIN}.")
    return {names[key]: value for key, value in tensors.items()}
