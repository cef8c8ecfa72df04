"""The headless pipeline from a view to the flat garment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from ..detail.evidence import UNFITTED, Evidence, cell_opacity, find_evidence
from ..detail.heads import chosen_readout
from ..errors import IGRError
from ..flatten.network import Flattener
from ..model.bundle import Bundle, BundleInfo
from ..model.config import ModelConfig
from ..model.detail_config import EvidenceConfig, ReadoutConfig
from ..model.diffusers_adapter import compile_layers, missing_for_compiling, self_attention_order
from ..model.igr import IGR
from ..model.image_encoder import preprocess
from ..model.networks import build_image_encoder, build_vae
from ..model.pruning import Kept, prune
from ..model.pruning_config import NEAR, Pruning
from ..photo.inputs import check_category
from ..photo.view import GarmentView, latent_mask
from ..sampling.loop import Conditions, Progress, StartImages, categories_of_photos, sample_latents
from ..sampling.presets import PAPER, Sampling
from ..sampling.schedule import Seeds, as_integers, ddim_timesteps, draw_noise
from .background_removal import garment_alpha
from .reading import read_attention


def encode_image(vae: AutoencoderKL, image: Tensor) -> Tensor:
    """Images (B, 3, H, W) in 0..1 -> scaled latents (B, 4, H / f, W / f), the modes of the VAE's distributions."""
    return vae.encode(image * 2 - 1).latent_dist.mode() * vae.config.scaling_factor  # type: ignore[union-attr]


def decode_latent(vae: AutoencoderKL, latent: Tensor) -> Tensor:
    """Scaled latents (B, 4, h, w) -> images (B, 3, h * f, w * f) in 0..1."""
    return (vae.decode(latent / vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)  # type: ignore[union-attr]


def encode_crop(encoder: CLIPVisionModelWithProjection, crop: Tensor, layout: str) -> Tensor:
    """Crops p_g (B, 3, S, S) in 0..1 -> the image-encoder output that a projection with this `layout` expects."""
    pixels = preprocess(crop)
    if layout == "linear":
        return encoder(pixels).image_embeds  # (B, projection_dim)
    return encoder(pixels, output_hidden_states=True).hidden_states[-2]  # (B, tokens, hidden_size)


class GarmentRestorer:
    """A bundle's networks, ready to restore garments."""

    def __init__(
        self,
        info: BundleInfo,
        model: IGR,
        vae: AutoencoderKL,
        image_encoder: CLIPVisionModelWithProjection | None,
        pruning: Pruning = NEAR,
    ) -> None:
        self.info = info
        self.model = model.eval()
        self.vae = vae.eval()
        self.image_encoder = image_encoder.eval() if image_encoder is not None else None
        self.pruning = pruning
        """Which reference tokens to keep."""
        self.flattener: Flattener | None = None
        """Network that lays garments out flat, for restorations that start from the photo's pixels; None to start from
        noise."""

    @classmethod
    def from_bundle(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        pruning: Pruning = NEAR,
    ) -> GarmentRestorer:
        """Load a bundle that includes its own VAE and image encoder.

        Raises IGRError naming the file if it is not a bundle or lacks a required part.
        """
        bundle = Bundle.open(path)
        config = bundle.info.model
        _require_parts(bundle, config)
        bundle.check_sizes()
        with init_empty_weights():
            model = IGR(config)
            vae = build_vae(config.vae)
            encoder = build_image_encoder(config.image_encoder) if config.image_prompt is not None else None
        beside: dict[str, nn.Module] = {"vae": vae} if encoder is None else {"vae": vae, "image_encoder": encoder}
        bundle.fill(model.parts() | beside)
        for module in (model, *beside.values()):
            nn.Module.to(module, device=device, dtype=dtype)  # diffusers' own `to` logs a spurious warning
        return cls(bundle.info, model, vae, encoder, pruning)

    def compile(self) -> None:
        """Compile parts of the networks when the first image of each size is restored; only rounding and speed change.

        Raises IGRError if torch.compile needs a compiler that is not installed.
        """
        on_gpu = self.device.type == "cuda"
        if missing := missing_for_compiling(on_gpu):
            raise IGRError(f"Compiling needs {missing}, which was not found: install it, or omit --compile.")
        compile_layers(self.model, on_gpu)

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the networks."""
        return next(self.model.parameters()).dtype

    @torch.no_grad()
    def conditions(
        self, view: GarmentView, categories: Sequence[str], photos: Sequence[tuple[int, ...]] | None = None
    ) -> Conditions:
        """Run both extractors once (paper section 3.2) on a view of B photos.

        With `photos`, garment i appears in the photos `photos[i]` of the view. Their reference tokens are concatenated,
        but the image prompt comes from the first photo alone, because it was trained on one photo.
        """
        person, mask, crop = (x.to(self.device, self.dtype) for x in (view.person, view.mask, view.crop))
        features = image_features = None
        kept: Kept = {}
        if self.model.garmnet is not None:
            latent = encode_image(self.vae, person)
            of_photos = categories if photos is None else categories_of_photos(categories, photos)
            small = latent_mask(mask, self.info.model.vae.downscale)
            features, kept = prune(self.model.encode_reference(latent, small, of_photos), small, self.pruning)
        if self.image_encoder is not None and self.info.model.image_prompt is not None:
            first = crop if photos is None else crop[[one[0] for one in photos]]
            image_features = encode_crop(self.image_encoder, first, self.info.model.image_prompt.layout)
        return Conditions(categories, features, image_features, photos, kept)

    def restore(
        self,
        view: GarmentView,
        category: str | Sequence[str],
        sampling: Sampling = PAPER,
        *,
        seed: Seeds = 0,
        reference_strength: float = 1.0,
        image_prompt_strength: float = 1.0,
        progress: Progress | None = None,
        photos: Sequence[tuple[int, ...]] | None = None,
        conditions: Conditions | None = None,
        start: StartImages | None = None,
    ) -> Tensor:
        """Restore the garments in B photos: (B, 3, H, W) in 0..1 at the view's size.

        `photos` lists the indices of each garment's photos if a garment appears in several; None means one garment per
        photo. Garment i uses `seed + i` or, if `seed` is a sequence, `seed[i]`. `conditions`, the result of the method
        `conditions` for the same view, can be reused for several seeds. Raises IGRError for an unknown category, a
        step count out of range, an unsupported size, a wrong number of seeds, or if `photos` does not list every photo
        of the view exactly once.
        """
        strengths = reference_strength, image_prompt_strength
        latent, _ = self._sample(view, category, sampling, seed, strengths, progress, photos, conditions, start)
        return self._decode(latent)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, C, H / f, W / f) in float32 of images (B, 3, H, W) in 0..1."""
        return encode_image(self.vae, images.to(self.device, self.dtype)).float()

    def restore_with_evidence(
        self,
        view: GarmentView,
        category: str | Sequence[str],
        sampling: Sampling = PAPER,
        *,
        seed: Seeds = 0,
        reference_strength: float = 1.0,
        image_prompt_strength: float = 1.0,
        progress: Progress | None = None,
        photos: Sequence[tuple[int, ...]] | None = None,
        conditions: Conditions | None = None,
    ) -> tuple[Tensor, list[Evidence]]:
        """Like restore, but also returns the evidence for each garment; the images are the same.

        `conditions`, the result of the method `conditions` for the same view, can be reused for several seeds. Raises
        IGRError as restore does, for a model without GarmNet, and for a reference strength of 0.
        """
        if reference_strength == 0:
            raise IGRError("A reference strength of 0 leaves no attention to read: set the reference strength above 0.")
        _, _, height, width = view.person.shape
        f = self.info.model.vae.downscale
        readout = self.readout_config((height // f, width // f))
        garments = [(number,) for number in range(len(view.person))] if photos is None else photos
        strengths = reference_strength, image_prompt_strength
        latent, used = self._sample(view, category, sampling, seed, strengths, progress, photos, conditions)
        read = read_attention(
            self.model,
            latent,
            used,
            readout,
            reference_strength=reference_strength,
            image_prompt_strength=image_prompt_strength,
        )
        images = self._decode(latent)
        found = read.correspondences([view.mask[list(numbers)] for numbers in garments])
        opacity = garment_alpha(images)
        return images, [
            find_evidence(one, cell_opacity(alpha, one), width / height, self.evidence_config)
            for one, alpha in zip(found, opacity, strict=True)
        ]

    def readout_config(self, latent_shape: tuple[int, int]) -> ReadoutConfig:
        """The heads to read for a latent of shape (height, width), as chosen by detail.heads.chosen_readout.

        Raises IGRError if the model has no GarmNet or lacks one of the heads, or if the size is too large.
        """
        return chosen_readout(self.info, self_attention_order(self.model.denoiser), latent_shape)

    @property
    def evidence_config(self) -> EvidenceConfig:
        """The coefficients that were fitted to the bundle, or the default ones."""
        return UNFITTED if self.info.detail is None else self.info.detail.evidence

    @torch.no_grad()
    def _sample(
        self,
        view: GarmentView,
        category: str | Sequence[str],
        sampling: Sampling,
        seed: Seeds,
        strengths: tuple[float, float],
        progress: Progress | None,
        photos: Sequence[tuple[int, ...]] | None,
        conditions: Conditions | None,
        start: StartImages | None = None,
    ) -> tuple[Tensor, Conditions]:
        """The restored latents (B, C, h, w) in float32, and the conditions used to sample them."""
        shown, _, height, width = view.person.shape
        if photos is not None and sorted(number for one in photos for number in one) != list(range(shown)):
            raise IGRError(f"photos must list every number below {shown} exactly once, with at least one per garment.")
        count = shown if photos is None else len(photos)
        seed = as_integers(seed)
        if not isinstance(seed, int) and len(seed) != count:
            raise IGRError(
                f"The number of seeds ({len(seed)}) differs from that of garments ({count}): use one per garment."
            )
        categories = [category] * count if isinstance(category, str) else list(category)
        self.check(categories, count, sampling.steps, view)
        conditions = self.conditions(view, categories, photos) if conditions is None else conditions
        f = self.info.model.vae.downscale
        noise = draw_noise((count, self.info.model.vae.latent_channels, height // f, width // f), seed)
        latent = sample_latents(
            self.model,
            noise.to(self.device),
            conditions,
            sampling,
            seed=seed,
            reference_strength=strengths[0],
            image_prompt_strength=strengths[1],
            progress=progress,
            start=start,
        )
        return latent, conditions

    @torch.no_grad()
    def _decode(self, latent: Tensor) -> Tensor:
        return decode_latent(self.vae, latent.to(self.dtype)).float().cpu()

    def check(self, categories: Sequence[str], count: int, steps: int, view: GarmentView) -> None:
        """Raise IGRError as restore does for an invalid category, number of categories, step count or size."""
        height, width = view.person.shape[-2:]
        for category in categories:
            check_category(category)
        if len(categories) != count:
            raise IGRError(
                f"The number of categories ({len(categories)}) differs from that of garments ({count}): use one per "
                "garment, or one for all."
            )
        ddim_timesteps(self.info.model.noise, steps)
        step = self.info.model.size_step
        if width % step or height % step:
            raise IGRError(
                f"The view is {width}×{height}, but this model needs multiples of {step} pixels: choose another size."
            )


def _require_parts(bundle: Bundle, config: ModelConfig) -> None:
    for part, needed, expected in (
        ("vae", True, bundle.info.expected_vae),
        ("image_encoder", config.image_prompt is not None, bundle.info.expected_image_encoder),
    ):
        if needed and not bundle.has(part):
            raise IGRError(
                f"{bundle.path} has no {part} (it expects {expected or 'a separate one'}), which is required outside "
                f"ComfyUI: export the bundle with the {part} included."
            )
