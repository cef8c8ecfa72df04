"""IGR (paper, Fig. 3): GarmNet, image prompt and denoiser as one module, for training and headless inference."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn

from .bundle import Bundle
from .config import PROMPT_NAMES, ModelConfig
from .diffusers_adapter import install_capture, install_fusion, unused_parameters
from .garmfus import Attend, Fusion, Noted, Position, RowPlan
from .image_prompt import ImagePrompt, PerceiverAttention
from .networks import build_unet
from .pruning import Kept


class IGR(nn.Module):
    """The trainable networks; the frozen VAE and image encoder are kept separate."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.every_branch = False
        """Run every branch of GarmFus in every training step, even without conditions; needed for sharding."""
        self.denoiser = build_unet(config.denoiser)
        install_fusion(self.denoiser)
        self.garmnet = build_unet(config.garmnet) if config.garmnet else None
        if self.garmnet is not None:
            install_capture(self.garmnet)
            unused = set(unused_parameters(self.garmnet))
            for name, parameter in self.garmnet.named_parameters():
                parameter.requires_grad_(name not in unused)
        self.image_prompt = ImagePrompt(config.image_prompt, config.denoiser) if config.image_prompt else None
        shape = (config.prompt_tokens, config.denoiser.cross_attention_dim)
        self.prompts = nn.ParameterDict({name: nn.Parameter(torch.zeros(shape), False) for name in PROMPT_NAMES})

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> IGR:
        """Build the networks in the file's precision; raises IGRError naming the file and part that do not match."""
        bundle.check_sizes()
        with init_empty_weights():  # saves the time and memory for random weights that would be replaced at once
            model = cls(bundle.info.model)
        bundle.fill(model.parts())
        return model

    def parts(self) -> dict[str, nn.Module]:
        """The networks, by the names of a bundle's parts."""
        parts = {
            "denoiser": self.denoiser,
            "garmnet": self.garmnet,
            "image_prompt": self.image_prompt,
            "prompts": self.prompts,
        }
        return {name: module for name, module in parts.items() if module is not None}

    def use_attention(self, attend: Attend) -> None:
        """Use `attend` for all attention; the outputs differ only by rounding."""
        install_fusion(self.denoiser, attend)
        if self.garmnet is not None:
            install_capture(self.garmnet, attend)
        for module in self.modules():
            if isinstance(module, PerceiverAttention):
                module.attend = attend

    def text(self, names: Sequence[str]) -> Tensor:
        """Text embeddings of the named prompts: (B, prompt_tokens, cross_attention_dim)."""
        return torch.stack([self.prompts[name] for name in names])

    def position(self, latent: Tensor) -> Position | None:
        """The position embedding for latents (B, 4, h, w), or None if the model has none."""
        if self.config.reference_position == "none":
            return None
        return Position((latent.shape[2], latent.shape[3]), self.config.reference_position_amplitude)

    def encode_reference(self, person_latent: Tensor, mask: Tensor, categories: Sequence[str]) -> dict[str, Tensor]:
        """Run GarmNet once at t = 0 (paper, F_hl): (B, 4, h, w), (B, 1, h, w) -> features (B, N, C) by block name.

        Several photos of one garment are encoded separately; `fusion` then concatenates their tokens.
        """
        if self.garmnet is None:
            raise ValueError("This model has no GarmNet.")
        features: dict[str, Tensor] = {}
        sample = torch.cat([person_latent, mask.to(person_latent.dtype)], dim=1)  # (B, 5, h, w)
        self.garmnet(
            sample,
            torch.zeros(sample.shape[0], dtype=torch.long, device=sample.device),
            encoder_hidden_states=self.text(categories).to(sample.dtype),
            cross_attention_kwargs={"capture": features, "position": self.position(sample)},
        )
        return features

    def fusion(
        self,
        latent: Tensor,
        reference_rows: Sequence[int | tuple[int, ...]],
        features: dict[str, Tensor] | None,
        image_rows: Sequence[int],
        image_features: Tensor | None,
        *,
        reference_strength: float = 1.0,
        image_prompt_strength: float = 1.0,
        keep: bool = False,
        kept: Kept | None = None,
    ) -> Fusion:
        """Conditions for one denoiser call (or, with `keep`, for a whole sampling run).

        `reference_rows[row]` and `image_rows[row]` are the indices of the row's conditions, or -1 for none. If a row
        uses several photos of its garment, `reference_rows[row]` is a tuple of indices. `features` and `kept` are the
        values returned by pruning.prune; without `kept`, the features contain all tokens.
        """
        keys_values = None
        if self.image_prompt is not None and image_features is not None:
            keys_values = self.image_prompt.keys_values(self.image_prompt(image_features))
        return Fusion(
            RowPlan(tuple(reference_rows), self.every_branch),
            features,
            RowPlan(tuple(image_rows), self.every_branch),
            keys_values,
            self.position(latent),
            reference_strength,
            image_prompt_strength,
            {} if keep else None,
            kept=kept or {},
        )

    def denoise(self, latent: Tensor, timestep: Tensor, text: Tensor, fusion: Fusion | None) -> Tensor:
        """The denoiser's prediction (B, 4, h, w) for noisy latents at the given timesteps."""
        return self.denoiser(
            latent,
            timestep,
            encoder_hidden_states=text.to(latent.dtype),
            cross_attention_kwargs={"fusion": fusion},
        ).sample

    def forward(
        self,
        noisy: Tensor,
        timestep: Tensor,
        prompts: Sequence[str],
        person_latent: Tensor,
        mask: Tensor,
        categories: Sequence[str],
        image_features: Tensor | None,
        reference_rows: Sequence[int | tuple[int, ...]],
        image_rows: Sequence[int],
        watched: Sequence[str] = (),
    ) -> Tensor | tuple[Tensor, dict[str, list[Noted]]]:
        """Prediction in a training step for B rows (B, 4, h, w) with R conditions; rows may share a condition.

        With `watched` blocks, also returns the queries and keys of their reference self-attentions, by block name.
        """
        features = None
        if self.garmnet is not None:
            features = self.encode_reference(person_latent, mask, categories)
        fusion = self.fusion(noisy, reference_rows, features, image_rows, image_features)
        if not watched:
            return self.denoise(noisy, timestep, self.text(prompts), fusion)
        fusion.notes = {name: [] for name in watched}
        return self.denoise(noisy, timestep, self.text(prompts), fusion), fusion.notes
