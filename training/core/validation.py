"""Validation: losses with substituted conditions, and restored held-out images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from igr_core.model.igr import IGR
from igr_core.model.pruning import prune
from igr_core.model.pruning_config import NEAR
from igr_core.photo.images import save_image
from igr_core.restore.restorer import decode_latent
from igr_core.sampling.loop import Conditions, sample_latents
from igr_core.sampling.presets import Sampling
from igr_core.sampling.schedule import draw_noise

from ..base.parts import load_vae
from ..base.run.randomness import step_generator
from ..base.statistics import spread
from ..base.train_config import DropConfig, TrainConfig
from ..prepared.fits import check_fits
from ..prepared.latents import Batch, PreparedPairs
from .loss.correspondence import CorrespondenceLoss, places_logged
from .loss.objective import draw_rows, in_chunks, predict, predict_watched, row_loss, substituted

NO_DROP = DropConfig(everything=0.0, image_prompt=0.0, reference=0.0)

Autocast = Callable[[], AbstractContextManager[None]]


class Validator:
    """Held-out pairs from across the set, with fixed noise, so that steps and runs are comparable."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        """Open the held-out pairs; raises IGRError if they do not match the config."""
        self.config = config
        self.folder = folder
        self.sets = {name: PreparedPairs([folder]) for name, folder in config.data.held_out.items()}
        for pairs in self.sets.values():
            check_fits(config, pairs, "validation")
        self.vae, _ = load_vae(config.data.vae)

    def losses(
        self,
        model: IGR,
        scheduler: DDIMScheduler,
        autocast: Autocast = nullcontext,
        correspondence: CorrespondenceLoss | None = None,
    ) -> dict[str, float]:
        """Measure the loss over all timesteps and at the last timestep, with all conditions and with each of them
        substituted.

        With `correspondence`, also measures its heads on pairs with a known correspondence. Values of named sets
        contain the name: `validation/NAME/full`.
        """
        values: dict[str, float] = {}
        for name, pairs in self.sets.items():
            found = self._losses_of(pairs, model, scheduler, autocast, correspondence)
            inserted = f"/{name}/" if name else "/"
            values |= {key.replace("/", inserted, 1): value for key, value in found.items()}
        return values

    @torch.no_grad()
    def _losses_of(
        self,
        pairs: PreparedPairs,
        model: IGR,
        scheduler: DDIMScheduler,
        autocast: Autocast,
        correspondence: CorrespondenceLoss | None,
    ) -> dict[str, float]:
        device = _device(model)
        batch = pairs.batch(spread(len(pairs), self.config.validation_pairs))
        values: dict[str, float] = {}
        last = scheduler.config.num_train_timesteps - 1  # type: ignore[attr-defined]
        for name, timestep in (("validation", None), ("first_step", last)):
            rows = draw_rows(batch, scheduler, NO_DROP, step_generator(1906, 0), only_timestep=timestep)
            for case, whole in substituted(rows, batch).items():
                watching = correspondence if case == "full" else None
                visible = None
                if watching is not None:
                    visible = watching.visible(whole[0].reference_rows, whole[1], 1).to(device)
                pieces, places = [], torch.zeros(3, device=device)
                for some in in_chunks(*whole, self.config.data.pairs_per_batch):
                    one_rows, one_batch = (item.to(device) for item in some)
                    with autocast():
                        if watching is None:
                            predicted = predict(model, one_rows, one_batch)
                        else:
                            predicted, notes = predict_watched(model, one_rows, one_batch, watching.blocks)
                            found = watching(notes, one_batch, 1, visible)
                            places += torch.stack([found.loss, found.hits, found.cells])
                    pieces.append(row_loss(predicted, one_rows).cpu())
                values[f"{name}/{case}"] = float(torch.cat(pieces).mean())
                values |= places_logged([places.tolist()], f"{name}/correspondence")
        return values

    def grid(self, model: IGR, step: int) -> Path:
        """Restore some held-out pairs with guidance, and save a grid of photos, restorations and ground truth.

        Several sets are shown side by side. Returns the path of the image.
        """
        self.vae.to(_device(model))  # type: ignore[arg-type]
        try:
            rows = {name: self._rows(model, pairs) for name, pairs in self.sets.items()}
        finally:
            self.vae.to("cpu")  # type: ignore[arg-type]
        path = self.folder / f"grid-{step:07d}.png"
        save_image(path, titled_grid(rows))
        return path

    def _rows(self, model: IGR, pairs: PreparedPairs) -> Tensor:
        """Grid rows (B, 3, H, 3 * W) of one set, in 0..1."""
        rows, size, pieces = spread(len(pairs), self.config.grid_pairs), self.config.data.pairs_per_batch, []
        for start in range(0, len(rows), size):
            batch = pairs.batch(rows[start : start + size]).to(_device(model))
            latent = self.restored_latent(model, batch, first=start)
            with torch.no_grad():
                columns = (batch.person_latent, latent, batch.garment_latent)
                pieces.append(torch.cat([decode_latent(self.vae, x).cpu() for x in columns], dim=3))
        return torch.cat(pieces)

    def restored_latent(self, model: IGR, batch: Batch, first: int = 0) -> Tensor:
        """Guided latents (P, 4, h, w) of prepared pairs on the model's device; pair i uses noise seed `first` + i.

        Runs in the model's own precision, without autocast, so that the images match those of the exported bundle.
        """
        features, kept = None, {}
        with torch.no_grad():
            if model.garmnet is not None:
                features = model.encode_reference(batch.person_latent, batch.mask, batch.categories)
                features, kept = prune(features, batch.mask, NEAR)
        image_features = batch.image_features if model.image_prompt is not None else None
        return sample_latents(
            model,
            draw_noise(batch.garment_latent.shape, first).to(_device(model)),
            Conditions(batch.categories, features, image_features, kept=kept),
            Sampling(self.config.grid_steps, self.config.guidance),
        )


def image_grid(rows: Tensor) -> Tensor:
    """Grid rows (B, 3, H, W) stacked into one image (3, B * H, W); two per line if B is even."""
    if rows.shape[0] % 2 == 0:
        rows = torch.cat(rows.chunk(2), dim=3)
    return torch.cat(list(rows), dim=1)


COLUMNS = ("photo", "restored", "truth")
_MARGIN = 14
"""Height in pixels of the header with the names of sets and columns."""


def titled_grid(sets: Mapping[str, Tensor]) -> Tensor:
    """One image from the grid rows (B, 3, H, 3 * W) of each set, with sets side by side and titles above columns."""
    images, titles = [], []
    for name, rows in sets.items():
        images.append(image_grid(rows))
        width = rows.shape[3] // len(COLUMNS)
        words = [COLUMNS[number % len(COLUMNS)] for number in range(images[-1].shape[2] // width)]
        titles.append(_title([f"{name} {words[0]}".strip(), *words[1:]], width))
    height = max(image.shape[1] for image in images)
    images = [functional.pad(image, (0, 0, 0, height - image.shape[1]), value=1.0) for image in images]
    return torch.cat([torch.cat(titles, dim=2), torch.cat(images, dim=2)], dim=1)


def _title(words: Sequence[str], width: int) -> Tensor:
    """A line of titles (3, 14, len(words) * width) in black on white, each above its column."""
    line = Image.new("RGB", (len(words) * width, _MARGIN), "white")
    draw = ImageDraw.Draw(line)
    for number, word in enumerate(words):
        draw.text((number * width + 2, 1), word, fill="black")
    return torch.from_numpy(np.array(line)).permute(2, 0, 1).float() / 255


def _device(model: IGR) -> torch.device:
    return next(model.parameters()).device
