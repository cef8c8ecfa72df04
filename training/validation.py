"""What a run shows of itself: losses with conditions substituted, and held-out pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler
from PIL import Image
from torch import Tensor

from igr_core.files import atomic_file
from igr_core.model import IGR
from igr_core.networks import build_scheduler
from igr_core.restore import decode_latent
from igr_core.sampling import Conditions, draw_noise, sample_ddim

from .config import DropConfig, TrainConfig
from .data.latents import PreparedPairs
from .objective import draw_rows, substituted_losses
from .parts import load_vae
from .run import step_generator

NO_DROP = DropConfig(everything=0.0, image_prompt=0.0, reference=0.0)


class Validator:
    """Held-out pairs with fixed noise, so that steps and runs compare."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        self.config = config
        self.folder = folder
        self.pairs = PreparedPairs([config.data.validation])
        self.vae, _ = load_vae(config.data.vae)

    @torch.no_grad()
    def losses(self, model: IGR, scheduler: DDIMScheduler) -> dict[str, float]:
        """Loss over all timesteps, and at the last one alone, with each condition substituted."""
        batch = self.pairs.batch(range(min(self.config.validation_pairs, len(self.pairs))))
        values: dict[str, float] = {}
        last = scheduler.config.num_train_timesteps - 1  # type: ignore[attr-defined]
        for name, timestep in (("validation", None), ("first_step", last)):
            rows = draw_rows(batch, scheduler, NO_DROP, step_generator(1906, 0), only_timestep=timestep)
            values |= {f"{name}/{case}": loss for case, loss in substituted_losses(model, rows, batch).items()}
        return values

    def grid(self, model: IGR, step: int) -> Path:
        """Restore some held-out pairs: person, guided restoration, truth as the VAE gives it; one row each."""
        batch = self.pairs.batch(range(min(self.config.grid_pairs, len(self.pairs))))
        features = None
        with torch.no_grad():
            if model.garmnet is not None:
                features = model.encode_reference(batch.person_latent, batch.mask, batch.categories)
        image_features = batch.image_features if model.image_prompt is not None else None
        latent = sample_ddim(
            model,
            build_scheduler(model.config.noise),
            draw_noise(batch.garment_latent.shape, 0),
            Conditions(batch.categories, features, image_features),
            steps=self.config.grid_steps,
            guidance=self.config.guidance,
        )
        with torch.no_grad():
            columns = [decode_latent(self.vae, x) for x in (batch.person_latent, latent, batch.garment_latent)]
        path = self.folder / f"grid-{step:07d}.png"
        with atomic_file(path) as temporary:
            picture_grid(columns).save(temporary, format="PNG")
        return path


def picture_grid(columns: list[Tensor]) -> Image.Image:
    """Pictures (B, 3, H, W) in 0..1 side by side: one row of the grid per picture, two grid rows per line."""
    rows = torch.cat(columns, dim=3)  # (B, 3, H, columns * W)
    if rows.shape[0] % 2 == 0:
        rows = torch.cat(rows.chunk(2), dim=3)
    tall = torch.cat(list(rows), dim=1).permute(1, 2, 0)
    return Image.fromarray((tall * 255).round().byte().numpy().astype(np.uint8))
