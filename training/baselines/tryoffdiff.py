"""TryOffDiff (rizavelioglu/tryoffdiff, modeling/predict.py; arXiv 2411.18350): upper garments, trained on VITON-HD.

A fine-tuned SD1.4 UNet attends to 77 tokens, made from SigLIP's 1,024 by a transformer layer and a projection. The
images are squares; `evaluate cutout adapt` or the run itself crops them to the garment's canvas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from torch import Tensor

from .method import Item, Settings
from .square_diffusion import SquareDiffusion, read_network, read_siglip
from .weights import SD_1_4, SIGLIP, TRYOFFDIFF, Published, load_scheduler, load_vae, model_folder

TRAINED_ON = ("upper",)
"""Categories that the model was trained on."""
CHECKPOINT = Published("tryoffdiff.pth", TRYOFFDIFF)
SCHEDULE = Published("scheduler/scheduler_config.json", TRYOFFDIFF)
ENCODER_CONFIG = Published(f"{model_folder(SIGLIP)}/config.json", SIGLIP)
ENCODER = Published(f"{model_folder(SIGLIP)}/model.safetensors", SIGLIP)
_VAE = model_folder(SD_1_4, "vae")
VAE = Published(f"{_VAE}/diffusion_pytorch_model.safetensors", SD_1_4, (f"{_VAE}/diffusion_pytorch_model.bin",))
FILES = (CHECKPOINT, SCHEDULE, ENCODER_CONFIG, ENCODER, VAE)
"""Files that it needs."""


class TryOffDiff(SquareDiffusion):
    """TryOffDiff, sampled with PNDM."""

    def context(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Both contexts; the unconditional one is the adapter's output for SigLIP tokens of zero."""
        tokens = self.tokens(photos)
        empty = self.adapter(torch.zeros_like(tokens[:1]))
        return self.adapter(tokens), empty.expand(len(photos), -1, -1)

    def labels(self, items: Sequence[Item]) -> None:
        """None, because the model does not distinguish categories."""
        return None


def load(found: Mapping[Published, Path], settings: Settings, device: torch.device) -> TryOffDiff:
    """Load the published weights in float32; raises IGRError naming a file that is damaged or of another model."""
    return TryOffDiff(
        read_network(found[CHECKPOINT], transformer=True, classes=False),
        read_siglip(found[ENCODER]),
        load_vae(found[VAE]),
        load_scheduler(PNDMScheduler, found[SCHEDULE]),
        settings,
        device,
    )
