"""What a run shows of itself: losses with conditions substituted, and held-out pictures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from igr_core.model.igr import IGR
from igr_core.photo.images import save_image
from igr_core.restore.restorer import decode_latent
from igr_core.restore.sampling import Conditions, sample_ddim
from igr_core.restore.schedule import draw_noise

from ..base.parts import load_vae
from ..base.randomness import step_generator
from ..base.statistics import spread
from ..base.train_config import DropConfig, TrainConfig
from ..prepared.fits import check_fits
from ..prepared.latents import Batch, PreparedPairs
from .correspondence_loss import CorrespondenceLoss, places_logged
from .objective import draw_rows, in_chunks, predict, predict_watched, row_loss, substituted

NO_DROP = DropConfig(everything=0.0, image_prompt=0.0, reference=0.0)

Autocast = Callable[[], AbstractContextManager[None]]


class Validator:
    """Held-out pairs, taken evenly from all, with fixed noise, so that steps and runs compare; a batch at a time."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        """Open the held-out pairs; IGRError when they do not fit the config."""
        self.config = config
        self.folder = folder
        self.pairs = PreparedPairs([config.data.validation])
        check_fits(config, self.pairs, "validation")
        self.vae, _ = load_vae(config.data.vae)

    @torch.no_grad()
    def losses(
        self,
        model: IGR,
        scheduler: DDIMScheduler,
        autocast: Autocast = nullcontext,
        correspondence: CorrespondenceLoss | None = None,
    ) -> dict[str, float]:
        """Loss over all timesteps, and at the last one alone, with each condition substituted.

        With `correspondence`, also what its heads look at, where the pairs tell what is right.
        """
        device = _device(model)
        batch = self.pairs.batch(spread(len(self.pairs), self.config.validation_pairs))
        values: dict[str, float] = {}
        last = scheduler.config.num_train_timesteps - 1  # type: ignore[attr-defined]
        for name, timestep in (("validation", None), ("first_step", last)):
            rows = draw_rows(batch, scheduler, NO_DROP, step_generator(1906, 0), only_timestep=timestep)
            for case, whole in substituted(rows, batch).items():
                watching = correspondence if case == "full" else None
                pieces, places = [], []
                for some in in_chunks(*whole, self.config.data.pairs_per_batch):
                    one_rows, one_batch = (item.to(device) for item in some)
                    with autocast():
                        if watching is None:
                            predicted = predict(model, one_rows, one_batch)
                        else:
                            predicted, notes = predict_watched(model, one_rows, one_batch, watching.blocks)
                            found = watching(notes, one_batch, 1)
                            places.append([float(x) for x in (found.loss, found.hits, found.cells)])
                    pieces.append(row_loss(predicted, one_rows).cpu())
                values[f"{name}/{case}"] = float(torch.cat(pieces).mean())
                values |= places_logged(places, f"{name}/correspondence")
        return values

    def grid(self, model: IGR, step: int) -> Path:
        """Restore some held-out pairs: person, guided restoration, truth as the VAE gives it; one row each."""
        pieces = []
        self.vae.to(_device(model))  # type: ignore[arg-type]
        try:
            for batch in self._grid_batches():
                batch = batch.to(_device(model))
                latent = self.restored_latent(model, batch, first=sum(len(piece) for piece in pieces))
                with torch.no_grad():
                    columns = (batch.person_latent, latent, batch.garment_latent)
                    pieces.append(torch.cat([decode_latent(self.vae, x).cpu() for x in columns], dim=3))
        finally:
            self.vae.to("cpu")  # type: ignore[arg-type]
        path = self.folder / f"grid-{step:07d}.png"
        save_image(path, picture_grid(torch.cat(pieces)))
        return path

    def restored_latent(self, model: IGR, batch: Batch, first: int = 0) -> Tensor:
        """Guided latents (P, 4, h, w) of prepared pairs on the model's device; pair i starts from noise `first` + i.

        In the model's own precision, without autocast: the picture is the one that the exported bundle gives.
        """
        features = None
        with torch.no_grad():
            if model.garmnet is not None:
                features = model.encode_reference(batch.person_latent, batch.mask, batch.categories)
        image_features = batch.image_features if model.image_prompt is not None else None
        return sample_ddim(
            model,
            draw_noise(batch.garment_latent.shape, first).to(_device(model)),
            Conditions(batch.categories, features, image_features),
            steps=self.config.grid_steps,
            guidance=self.config.guidance,
        )

    def _grid_batches(self) -> list[Batch]:
        rows, size = spread(len(self.pairs), self.config.grid_pairs), self.config.data.pairs_per_batch
        return [self.pairs.batch(rows[start : start + size]) for start in range(0, len(rows), size)]


def picture_grid(rows: Tensor) -> Tensor:
    """Grid rows (B, 3, H, W) below each other as one picture (3, B * H, W); two on a line where B is even."""
    if rows.shape[0] % 2 == 0:
        rows = torch.cat(rows.chunk(2), dim=3)
    return torch.cat(list(rows), dim=1)


def _device(model: IGR) -> torch.device:
    return next(model.parameters()).device
