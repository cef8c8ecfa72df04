"""Run planned jobs one after another, and report the results."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, cast

import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError, is_out_of_memory
from ..files import make_folder
from ..model.config import ViewConfig
from ..model.pruning_config import NEAR, Pruning
from ..outputs import CannotWrite
from ..photo.images import load_photo_and_mask, save_image
from ..photo.view import GarmentView, make_view
from ..sampling.presets import PAPER, Sampling
from ..text import one_line
from .background_removal import cutout_warnings, to_rgba
from .detailed import Detailing, grid, restore_detailed
from .planning import Job
from .restorer import GarmentRestorer

Start = Literal["noise", "flat"]
"""What a restoration starts from."""
StepProgress = Callable[[int, int], None]
"""Called with the number of steps done and the total."""

logger = logging.getLogger(__name__)


class BundleProblem(IGRError):
    """The model cannot be used, so no photo of the run can be restored."""


class Restorer(Protocol):
    """The interface of GarmentRestorer that a run uses."""

    def restore(
        self,
        view: GarmentView,
        category: str,
        sampling: Sampling,
        *,
        seed: int,
        progress: StepProgress | None,
    ) -> Tensor:
        """Restore the garments of a view: (B, 3, H, W) in 0..1."""
        ...


@dataclass(frozen=True)
class Settings:
    """Settings shared by all photos of a run."""

    size: tuple[int, int]
    """Working width and height in pixels."""
    view: ViewConfig
    """View of the photo."""
    crop_size: int = 224
    """Side in pixels of the crop for the image encoder."""
    sampling: Sampling = PAPER
    """Steps, guidance and sampler."""
    seed: int = 0
    """Seed of the noise, the same for every photo."""
    transparent: bool = False
    """Write RGBA images with a transparent background."""
    detailing: Detailing | None = None
    """Details and candidates; None for a plain restoration."""
    min_evidence: float = 0.0
    """Garments with a visible fraction below this are set aside."""
    start: Start = "noise"
    """What the model starts from: noise, as in the paper, or the photo's own pixels, laid out flat."""
    pruning: Pruning = NEAR
    """Which reference tokens the model that runs the jobs keeps."""

    @property
    def mode(self) -> Literal["RGB", "RGBA"]:
        """Mode of the images to write."""
        return "RGBA" if self.transparent else "RGB"


@dataclass
class Report:
    """Results of a run."""

    done: list[Path] = field(default_factory=list)
    """Images written."""
    skipped: list[Path] = field(default_factory=list)
    """Images that existed before the run."""
    visible: dict[str, float] = field(default_factory=dict)
    """Visible fraction of each garment whose evidence was read, by file name."""
    set_aside: set[str] = field(default_factory=set)
    """File names of the photos whose garments were set aside."""
    failed: dict[str, str] = field(default_factory=dict)
    """Error message for each photo that could not be restored, by file name."""
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Warnings by file name."""


def run_jobs(
    jobs: Sequence[Job],
    report: Report,
    settings: Settings,
    restorer: Callable[[], Restorer],
    on_step: StepProgress | None = None,
    on_photo: Callable[[Job], None] | None = None,
) -> None:
    """Run the jobs one after another and record the results in `report`.

    `restorer` is not called before the first valid photo, so that invalid input is reported without loading a model.
    Raises CannotWrite at the first image that cannot be written.
    """
    for job in jobs:
        if on_photo is not None:
            on_photo(job)
        name = job.person.name
        try:
            views, notes = _load_views(job, settings)
            if notes:
                report.notes[name] = tuple(notes)
            image, out, opacity = _restored(job, views, settings, restorer(), on_step, report, notes)
            if settings.transparent:
                cut = to_rgba(image, opacity)
                notes += cutout_warnings(image, cut[:, 3:], views[0].mask)
                image = cut
            if notes:
                report.notes[name] = tuple(notes)
            save_image(out, image, settings.mode)
            if settings.min_evidence > 0 or job.lenient:  # set-aside beside a single image may be the user's
                _remove_earlier(job.set_aside if out == job.out else job.out)
            report.done.append(out)
        except (BundleProblem, CannotWrite):
            raise
        except IGRError as error:
            report.failed[name] = str(error)
        except Exception as error:
            if is_out_of_memory(error):
                report.failed[name] = "Out of memory: choose a smaller --size."
            else:  # a bug: log it in full, but continue with the other photos
                logger.exception("Unexpected error for %s", one_line(str(job.person)))
                report.failed[name] = f"Unexpected error ({error}): please report this."


def _restored(
    job: Job,
    views: list[GarmentView],
    settings: Settings,
    restorer: Restorer,
    on_step: StepProgress | None,
    report: Report,
    notes: list[str],
) -> tuple[Tensor, Path, Tensor | None]:
    """The garment of a job, (1, 3, h, w), the path to write it to, and its exact opacity (1, 1, h, w), if it is known.

    Adds sentences to `notes`.
    """
    plain = (
        settings.start == "noise"
        and settings.detailing is None
        and job.evidence is None
        and not job.also
        and settings.min_evidence == 0
    )
    if plain:
        image = restorer.restore(views[0], job.category, settings.sampling, seed=settings.seed, progress=on_step)
        return image, job.out, None
    found = restore_detailed(
        cast(GarmentRestorer, restorer),
        views,
        job.category,
        settings.detailing or Detailing(),
        settings.sampling,
        seed=settings.seed,
        progress=on_step,
    )
    notes.append(found.note)
    report.visible[job.person.name] = found.seen
    if job.evidence is not None:
        make_folder(job.evidence.parent)
        save_image(job.evidence, _resized(found.visible, found.image), "L")
    if len(found.candidates) > 1:
        first = found.candidates[0]
        notes.append(f"Of {len(found.candidates)} candidates, seed {first.seed} agrees best with the photo.")
        images = [one.image for one in found.candidates]
        make_folder(job.grid.parent)
        save_image(job.grid, grid(images, min(4, len(images))))
    if found.seen >= settings.min_evidence:
        return found.image, job.out, found.opacity
    report.set_aside.add(job.person.name)
    make_folder(job.set_aside.parent)
    return found.image, job.set_aside, found.opacity


def _resized(visible: Tensor, image: Tensor) -> Tensor:
    """An evidence map (1, 1, H, W) at the size of an image (1, 3, h, w)."""
    if visible.shape[-2:] == image.shape[-2:]:
        return visible
    return F.interpolate(visible, image.shape[-2:], mode="bilinear", align_corners=False)


def _remove_earlier(image: Path) -> None:
    """Remove the image that an earlier run wrote to the other of the two folders, if there is one."""
    if os.path.isfile(image):
        image.unlink()


def without_existing(jobs: Iterable[Job], report: Report) -> list[Job]:
    """The jobs whose image or evidence map does not exist yet, or whose garment has new photos; the others are recorded
    as skipped."""
    left = []
    for job in jobs:
        if (
            job.existing is not None
            and not job.has_new_photos
            and (job.evidence is None or os.path.isfile(job.evidence))
        ):
            report.skipped.append(job.out)
        else:
            left.append(job)
    return left


def _load_views(job: Job, settings: Settings) -> tuple[list[GarmentView], list[str]]:
    """The views of a job's photos, and their warnings; lenient jobs note and leave out a further photo that fails."""
    views = [_load_view(job.person, job.mask, job.category, settings)]
    notes = list(views[0].warnings)
    for person, mask in job.also:
        try:
            views.append(_load_view(person, mask, job.category, settings))
            notes += [f"{person.name}: {warning}" for warning in views[-1].warnings]
        except IGRError as error:
            if not job.lenient:
                raise
            notes.append(f"Restored without {person.name}: {error}")
    return views, list(dict.fromkeys(notes))


def _load_view(person: Path, mask: Path, category: str, settings: Settings) -> GarmentView:
    photo, cover = load_photo_and_mask(person, mask)
    try:
        return make_view(photo, cover, settings.size, settings.view, settings.crop_size, category)
    except IGRError as error:
        raise IGRError(f"{person} with mask {mask}: {error}") from error
