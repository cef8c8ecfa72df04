"""Restore one photo or a folder of photos: plan the jobs, run them and report the results."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from torch import Tensor

from ..errors import IGRError, UsageError, is_out_of_memory
from ..model.config import ViewConfig
from ..outputs import CannotWrite
from ..photo.images import check_image_name, load_mask, load_photo, save_image
from ..photo.view import GarmentView, make_view
from .background_removal import cutout_warnings, to_rgba
from .pairing import CategoryOf, one_category, pair_by_name, read_categories

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
        *,
        steps: int,
        guidance: float,
        seed: int,
        progress: StepProgress | None,
    ) -> Tensor:
        """Restore the garments of a view: (B, 3, H, W) in 0..1."""
        ...


@dataclass(frozen=True)
class Job:
    """One photo to restore."""

    person: Path
    """The photo."""
    mask: Path
    """Its garment mask."""
    category: str
    """upper, lower or full."""
    out: Path
    """The image to write."""


@dataclass(frozen=True)
class Settings:
    """Settings shared by all photos of a run."""

    size: tuple[int, int]
    """Working width and height in pixels."""
    view: ViewConfig
    """View of the photo."""
    crop_size: int = 224
    """Side of the garment crop that the image encoder reads."""
    steps: int = 25
    """Denoising steps."""
    guidance: float = 1.5
    """Classifier-free guidance scale."""
    seed: int = 0
    """Seed of the noise, the same for every photo."""
    transparent: bool = False
    """Write RGBA images with a transparent background."""

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
    failed: dict[str, str] = field(default_factory=dict)
    """Error message for each photo that could not be restored, by file name."""
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Warnings by file name."""


@dataclass(frozen=True)
class Plan:
    """The photos of a run, and those that cannot be restored."""

    jobs: tuple[Job, ...]
    """Photos to restore, sorted by name."""
    failed: dict[str, str]
    """Error message for each photo without a mask or a valid category, by file name."""
    ignored: tuple[str, ...] = ()
    """Names of the files in the folder of photos that are not images."""


def plan_jobs(person: Path, mask: Path, category: str, out: Path, mode: Literal["RGB", "RGBA"]) -> Plan:
    """Match photos, masks, categories and outputs; `category` is a category or a CSV file with name,category.

    Raises UsageError if the paths do not match or a file or folder does not exist.
    """
    for label, path in (("photo or folder", person), ("mask or mask folder", mask)):
        if not os.path.exists(path):  # Path.exists raises an error for a name that is too long
            raise UsageError(f"The {label} {path} does not exist: check the path.")
    if person.is_dir() != mask.is_dir():
        kind = "folder" if person.is_dir() else "file"
        raise UsageError(f"{person} is a {kind}, so --mask must be a {kind} too, but {mask} is not.")
    if person.samefile(mask):
        raise UsageError(f"--mask is the photo {person} itself: specify a mask that is white on the garment.")
    category_of = _categories(category)
    if person.is_dir():
        return _plan_folder(person, mask, category_of, out)
    if os.path.isdir(out):
        raise UsageError(f"{out} is a folder: specify the file to write, such as {out / person.stem}.png.")
    if os.path.exists(out) and (out.samefile(person) or out.samefile(mask)):
        raise UsageError(f"--out {out} would overwrite an input: choose another name.")
    try:
        check_image_name(out, mode)
        return Plan((Job(person, mask, category_of(person), out),), {})
    except IGRError as error:
        raise UsageError(str(error)) from error


def run_jobs(
    jobs: Sequence[Job],
    report: Report,
    settings: Settings,
    restorer: Callable[[], Restorer],
    on_step: StepProgress | None = None,
    on_photo: Callable[[Job], None] | None = None,
) -> None:
    """Run the jobs one after another and record the results in `report`.

    `restorer` is first called for the first valid photo, so that bad input is reported without loading a model. Raises
    CannotWrite at the first image that cannot be written.
    """
    for job in jobs:
        if on_photo is not None:
            on_photo(job)
        name = job.person.name
        try:
            view = _load_view(job, settings)
            if view.warnings:
                report.notes[name] = view.warnings
            image = restorer().restore(
                view,
                job.category,
                steps=settings.steps,
                guidance=settings.guidance,
                seed=settings.seed,
                progress=on_step,
            )
            if settings.transparent:
                cut = to_rgba(image)
                if doubts := cutout_warnings(image, cut[:, 3:], view.mask):
                    report.notes[name] = (*view.warnings, *doubts)
                image = cut
            save_image(job.out, image, settings.mode)
            report.done.append(job.out)
        except (BundleProblem, CannotWrite):
            raise
        except IGRError as error:
            report.failed[name] = str(error)
        except Exception as error:
            if is_out_of_memory(error):
                report.failed[name] = "Out of memory: choose a smaller --size."
            else:  # a bug: log it in full, but continue with the other photos
                logger.exception("Unexpected error for %s", job.person)
                report.failed[name] = f"Unexpected error ({error}): please report this."


def without_existing(jobs: Iterable[Job], report: Report) -> list[Job]:
    """The jobs whose image does not exist yet; the others are recorded as skipped."""
    left = []
    for job in jobs:
        if job.out.exists():
            report.skipped.append(job.out)
        else:
            left.append(job)
    return left


def _load_view(job: Job, settings: Settings) -> GarmentView:
    person, mask = load_photo(job.person), load_mask(job.mask)
    try:
        return make_view(person, mask, settings.size, settings.view, settings.crop_size, job.category)
    except IGRError as error:
        raise IGRError(f"{job.person} with mask {job.mask}: {error}") from error


def _plan_folder(persons: Path, masks: Path, category_of: CategoryOf, out: Path) -> Plan:
    if os.path.isfile(out):
        raise UsageError(f"{persons} is a folder, so --out must be a folder too, but {out} is a file.")
    if os.path.exists(out) and (out.samefile(persons) or out.samefile(masks)):
        raise UsageError(f"--out {out} is an input folder: choose another folder.")
    try:
        found = pair_by_name(persons, masks, category_of)
    except IGRError as error:
        raise UsageError(str(error)) from error
    jobs = (Job(pair.photo, pair.mask, pair.category, out / f"{pair.photo.stem}.png") for pair in found.pairs)
    return Plan(tuple(jobs), found.failed, found.ignored)


def _categories(given: str) -> CategoryOf:
    """One category for all photos, or one per photo from a CSV file."""
    if given.lower().endswith(".csv"):
        try:
            return read_categories(Path(given))
        except IGRError as error:
            raise UsageError(str(error)) from error
    try:
        return one_category(given)
    except IGRError as error:
        raise UsageError(f"{error} A .csv file with the columns name,category also works.") from error
