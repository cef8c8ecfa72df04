"""Restoring one photo or a folder of them: what belongs together, what is left to do, what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from ..errors import IGRError, UsageMistake
from ..model.config import ViewConfig
from ..photo.images import check_picture_name, load_mask, load_photo, save_image
from ..photo.view import GarmentView, make_view
from .background_removal import to_rgba
from .pairing import CategoryOf, one_category, pair_by_name, read_categories

StepProgress = Callable[[int, int], None]
"""Called with the steps done and the steps in all."""

logger = logging.getLogger(__name__)


class BundleProblem(IGRError):
    """The model itself cannot be used, so that no photo of the run can be restored."""


class Restorer(Protocol):
    """The part of GarmentRestorer that a run needs."""

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
    """The picture to write."""


@dataclass(frozen=True)
class Settings:
    """What every photo of a run has in common."""

    size: tuple[int, int]
    """Working width and height in pixels."""
    view: ViewConfig
    """Layout of the photo."""
    crop_size: int = 224
    """Side of the garment crop that the image encoder reads."""
    steps: int = 25
    """Denoising steps."""
    guidance: float = 1.5
    """Classifier-free guidance scale."""
    seed: int = 0
    """Seed of the noise, the same for every photo."""
    transparent: bool = False
    """Write RGBA with the background cut away."""

    @property
    def mode(self) -> Literal["RGB", "RGBA"]:
        """Mode of the pictures to write."""
        return "RGBA" if self.transparent else "RGB"


@dataclass
class Report:
    """How a run went."""

    done: list[Path] = field(default_factory=list)
    """Pictures written."""
    skipped: list[Path] = field(default_factory=list)
    """Pictures that were there before."""
    failed: dict[str, str] = field(default_factory=dict)
    """The sentence for each photo that could not be restored, by its name."""
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Warnings by photo name."""


@dataclass(frozen=True)
class Plan:
    """The photos of a run, and those that cannot be restored as things lie."""

    jobs: tuple[Job, ...]
    """Photos to restore, by name."""
    failed: dict[str, str]
    """The sentence for each photo that has no mask or no valid category."""


def plan_jobs(person: Path, mask: Path, category: str, out: Path, mode: Literal["RGB", "RGBA"]) -> Plan:
    """Pair photos, masks, categories and outputs; `category` is a word or a CSV file of name,category.

    Raises UsageMistake when the paths do not go together or a file or folder is missing.
    """
    for label, path in (("photo or folder", person), ("mask or mask folder", mask)):
        if not path.exists():
            raise UsageMistake(f"The {label} {path} is not there: check the name.")
    if person.is_dir() != mask.is_dir():
        kind = "folder" if person.is_dir() else "file"
        raise UsageMistake(f"{person} is a {kind}, so --mask must be a {kind} too, but {mask} is not.")
    if person.samefile(mask):
        raise UsageMistake(f"--mask is {person} itself: name the mask, white where the garment is.")
    category_of = _categories(category)
    if person.is_dir():
        return _plan_folder(person, mask, category_of, out)
    if out.is_dir():
        raise UsageMistake(f"{out} is a folder: name the picture to write, such as {out / person.stem}.png.")
    if out.exists() and (out.samefile(person) or out.samefile(mask)):
        raise UsageMistake(f"--out {out} would overwrite its own input: choose another name.")
    try:
        check_picture_name(out, mode)
        return Plan((Job(person, mask, category_of(person), out),), {})
    except IGRError as error:
        raise UsageMistake(str(error)) from error


def run_jobs(
    jobs: Sequence[Job],
    report: Report,
    settings: Settings,
    restorer: Callable[[], Restorer],
    on_step: StepProgress | None = None,
    on_photo: Callable[[Job], None] | None = None,
) -> None:
    """Restore the jobs one after the other and note in `report` how each went.

    `restorer` is called for the first photo that proves usable, so bad input never waits for a model to load.
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
            save_image(job.out, to_rgba(image) if settings.transparent else image, settings.mode)
            report.done.append(job.out)
        except BundleProblem:
            raise
        except IGRError as error:
            report.failed[name] = str(error)
        except Exception as error:
            if is_out_of_memory(error):
                report.failed[name] = "There was not enough memory: choose a smaller --size."
            else:  # a defect of ours: show it in full, but let the other photos go on
                logger.exception("Unexpected failure on %s", job.person)
                report.failed[name] = f"It failed unexpectedly ({error}): please report this."


def without_existing(jobs: Iterable[Job], report: Report) -> list[Job]:
    """The jobs whose picture is not there yet; the others are noted as skipped."""
    left = []
    for job in jobs:
        if job.out.exists():
            report.skipped.append(job.out)
        else:
            left.append(job)
    return left


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python, the GPU or torch's CPU allocator (a plain RuntimeError) ran out of memory."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error)  # Linux: "DefaultCPUAllocator: can't allocate memory"; Windows: "... not enough memory"
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "not enough memory" in text)


def _load_view(job: Job, settings: Settings) -> GarmentView:
    person, mask = load_photo(job.person), load_mask(job.mask)
    try:
        return make_view(person, mask, settings.size, settings.view, settings.crop_size, job.category)
    except IGRError as error:
        raise IGRError(f"{job.person} with mask {job.mask}: {error}") from error


def _plan_folder(persons: Path, masks: Path, category_of: CategoryOf, out: Path) -> Plan:
    if out.is_file():
        raise UsageMistake(f"{persons} is a folder, so --out must be a folder too, but {out} is a file.")
    if out.exists() and (out.samefile(persons) or out.samefile(masks)):
        raise UsageMistake(f"--out {out} would mix with its own input: choose another folder.")
    try:
        found = pair_by_name(persons, masks, category_of)
    except IGRError as error:
        raise UsageMistake(str(error)) from error
    jobs = (Job(pair.photo, pair.mask, pair.category, out / f"{pair.photo.stem}.png") for pair in found.pairs)
    return Plan(tuple(jobs), found.failed)


def _categories(given: str) -> CategoryOf:
    """One category for all photos, or those of a CSV file that has a line for each."""
    if given.lower().endswith(".csv"):
        try:
            return read_categories(Path(given))
        except IGRError as error:
            raise UsageMistake(str(error)) from error
    try:
        return one_category(given)
    except IGRError as error:
        raise UsageMistake(f"{error} A .csv file with the columns name,category works too.") from error
