"""TryOffDiff v2 (rizavelioglu/tryoffdiff, modeling/predict.py; arXiv 2504.13078): all categories, from DressCode.

There is one model for all categories, with class embeddings, and one for each category. The adapter is only a
projection. As in the authors' code, the initial noise is not scaled to Euler's first sigma, nor the UNet's input by
sigma, because the model was trained on unscaled sums of latent and noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from torch import Tensor

from igr_core.model.config import CATEGORIES

from .method import Item, Settings
from .square_diffusion import SquareDiffusion, read_network, read_siglip
from .tryoffdiff import ENCODER, ENCODER_CONFIG
from .weights import SD_VAE, TRYOFFDIFF, Published, load_scheduler, load_vae, model_folder

Variant = Literal["multi", "upper", "lower", "dress"]
"""The model for all categories, or for one."""
TRAINED_ON: Mapping[Variant, tuple[str, ...]] = {
    "multi": CATEGORIES,
    "upper": ("upper",),
    "lower": ("lower",),
    "dress": ("full",),
}
"""Categories that each model was trained on."""
LABELS = {"upper": 0, "lower": 1, "full": 2}
"""Class of each category, as in DressCode's pair files."""
SCHEDULE = Published("scheduler/scheduler_config_v2.json", TRYOFFDIFF)
_VAE = model_folder(SD_VAE)
VAE = Published(f"{_VAE}/diffusion_pytorch_model.safetensors", SD_VAE, (f"{_VAE}/diffusion_pytorch_model.bin",))


def checkpoint(variant: Variant) -> Published:
    """The weights of a model."""
    return Published(f"tryoffdiffv2_{variant}.pth", TRYOFFDIFF)


def files(variant: Variant) -> tuple[Published, ...]:
    """Files that a model needs."""
    return (checkpoint(variant), SCHEDULE, ENCODER_CONFIG, ENCODER, VAE)


class TryOffDiffV2(SquareDiffusion):
    """TryOffDiff v2, sampled with Euler on Karras sigmas."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.scheduler.is_scale_input_called = True  # the input is deliberately not scaled

    def context(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Both contexts; the unconditional one is that of a grey image."""
        empty = self.adapter(self.tokens(torch.zeros_like(photos[:1])))
        return self.adapter(self.tokens(photos)), empty.expand(len(photos), -1, -1)

    def labels(self, items: Sequence[Item]) -> Tensor | None:
        """The category's class if this is the model for all categories; None otherwise."""
        if self.unet.config.num_class_embeds is None:
            return None
        return torch.tensor([LABELS[item.category] for item in items], device=self.device)


def load(
    found: Mapping[Published, Path], settings: Settings, device: torch.device, variant: Variant = "multi"
) -> TryOffDiffV2:
    """Load the published weights in float32; raises IGRError naming a file that is damaged or of another model."""
    return TryOffDiffV2(
        read_network(found[checkpoint(variant)], transformer=False, classes=variant == "multi"),
        read_siglip(found[ENCODER]),
        load_vae(found[VAE]),
        load_scheduler(EulerDiscreteScheduler, found[SCHEDULE], use_karras_sigmas=True),
        settings,
        device,
    )
