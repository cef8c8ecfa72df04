"""Restore garments from the photo's own pixels, laid out flat: the diffusion model only invents what is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..detail.candidates import agreement
from ..detail.warping import SourcePhoto, source_photos
from ..errors import IGRError
from ..flatten.flat import Flat, FlatGarment, check_flattens, complete, flat_garments, kept_cells
from ..flatten.network import Flattener
from ..model.config import NoiseConfig
from ..photo.view import GarmentView
from ..sampling.loop import Conditions, Progress, StartImages
from ..sampling.presets import PAPER, Sampling
from ..sampling.schedule import Seeds
from .restorer import GarmentRestorer

DENOISE = 0.5
"""Fraction of the noise levels that the diffusion model runs; more would change the garment's outline."""


@dataclass(frozen=True)
class FlatRestored:
    """One garment that was restored from its photos' pixels."""

    restored: Tensor
    """(3, H, W) in 0..1: the diffusion model's image, at the view's size."""
    garment: FlatGarment
    """The maps to its photos."""

    @property
    def score(self) -> float:
        """Agreement with the photos, 0..1."""
        views = torch.stack([one.view[:3] for one in self.garment.photos])
        return agreement(self.finished(), views, self.garment.evidence)

    @cached_property
    def flat(self) -> Flat:
        """The photos' pixels, laid out at the view's size."""
        return self.garment.laid_out((self.restored.shape[-1], self.restored.shape[-2]))

    def finished(self) -> Tensor:
        """The finished garment (3, H, W) in 0..1 at the view's size."""
        return complete(self.flat, self.restored)

    def at(self, size: tuple[int, int]) -> Tensor:
        """The finished garment (3, h, w) in 0..1 at `size` (width, height); raises IGRError as lay_out does."""
        return self.garment.completed(self.restored, size)


def restore_flat(
    restorer: GarmentRestorer,
    network: Flattener,
    view: GarmentView,
    category: str | Sequence[str],
    sampling: Sampling = PAPER,
    *,
    seed: Seeds = 0,
    photos: Sequence[tuple[int, ...]] | None = None,
    conditions: Conditions | None = None,
    progress: Progress | None = None,
    sources: Sequence[SourcePhoto] | None = None,
) -> list[FlatRestored]:
    """Lay out the garments in a view's photos flat, and restore what the photos do not show.

    The arguments are those of GarmentRestorer.restore; `sources` are the view's photos, if it does not contain them.
    Raises IGRError as it does, for a view without its photos, for more than half of the model's steps, and for a view
    whose aspect ratio differs from the network's.
    """
    height, width = view.person.shape[-2:]
    check_flattens(network, (width, height))
    numbers = [(number,) for number in range(len(view.person))] if photos is None else list(photos)
    categories = [category] * len(numbers) if isinstance(category, str) else list(category)
    restorer.check(categories, len(numbers), sampling.steps, view)
    check_steps(restorer.info.model.noise, sampling.steps)
    garments = flat_garments(network, source_photos(view) if sources is None else sources, categories, numbers)
    flats = [garment.laid_out((width, height)) for garment in garments]
    latent = restorer.encode(torch.stack([flat.image for flat in flats]))
    start = StartImages(latent, kept_cells(flats, restorer.info.model.vae.downscale).to(latent), DENOISE)
    images = restorer.restore(
        view, categories, sampling, seed=seed, progress=progress, photos=photos, conditions=conditions, start=start
    )
    return [FlatRestored(image, garment) for image, garment in zip(images, garments, strict=True)]


def check_steps(config: NoiseConfig, steps: int) -> None:
    """Raise IGRError for more steps from a flat garment than a model supports."""
    if not 1 <= steps <= (most := most_steps(config)):
        raise IGRError(f"{steps} steps from the flat garment are not possible: choose 1 to {most} for this model.")


def most_steps(config: NoiseConfig) -> int:
    """Maximum number of steps from a flat garment."""
    return int(config.train_steps // 2 * DENOISE)
