"""Restore one garment or a folder of photos: plan the jobs, run them and report the results."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, cast

from torch import Tensor

from ..errors import IGRError, UsageError, is_out_of_memory
from ..files import make_folder
from ..model.config import ViewConfig
from ..outputs import CannotWrite
from ..photo.images import check_image_name, load_mask, load_photo, save_image
from ..photo.view import GarmentView, make_view
from .background_removal import cutout_warnings, to_rgba
from .detailed import Detailing, grid, restore_detailed
from .pairing import CategoryOf, Pair, one_category, pair_by_name, read_categories
from .restorer import GarmentRestorer

StepProgress = Callable[[int, int], None]
"""Called with the number of steps done and the total."""

SET_ASIDE = "set-aside"
"""Folder, beside the other images, for garments of which too little was visible."""
_NUMBERED = re.compile(r"(.+)__([2-9]|[1-9]\d)")
"""Name of a further photo of a garment, without its extension: the first photo's name and a number."""

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
    also: tuple[tuple[Path, Path], ...] = ()
    """More photos of the same garment, with their masks."""
    evidence: Path | None = None
    """The evidence map to write."""

    @property
    def photos(self) -> tuple[tuple[Path, Path], ...]:
        """All photos of the garment, with their masks."""
        return ((self.person, self.mask), *self.also)


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
    detailing: Detailing | None = None
    """Details and candidates; None for a plain restoration."""
    min_evidence: float = 0.0
    """Garments of which a smaller fraction was visible are set aside."""

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
    set_aside: dict[str, float] = field(default_factory=dict)
    """Visible fraction of each garment that was set aside, by file name."""
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


def plan_jobs(
    person: Path,
    mask: Path,
    category: str,
    out: Path,
    mode: Literal["RGB", "RGBA"],
    also: Sequence[tuple[Path, Path]] = (),
    evidence: Path | None = None,
) -> Plan:
    """Match photos, masks, categories and outputs; `category` is a category or a CSV file with name,category.

    `also` lists more photos of the garment of one photo, with their masks. In a folder, anna__2.jpg and anna__3.jpg
    show the garment of anna.jpg. `evidence` is the map to write, or the folder for the maps of a folder.
    Raises UsageError if the paths do not match or a file or folder does not exist.
    """
    more = [(label, path) for pair in also for label, path in zip(("photo", "mask"), pair, strict=True)]
    for label, path in (("photo or folder", person), ("mask or mask folder", mask), *more):
        if not os.path.exists(path):  # Path.exists raises an error for a name that is too long
            raise UsageError(f"The {label} {path} does not exist: check the path.")
    if person.is_dir() != mask.is_dir():
        kind = "folder" if person.is_dir() else "file"
        raise UsageError(f"{person} is a {kind}, so --mask must be a {kind} too, but {mask} is not.")
    if person.samefile(mask):
        raise UsageError(f"--mask is the photo {person} itself: specify a mask that is white on the garment.")
    category_of = _categories(category)
    if person.is_dir():
        if also:
            raise UsageError(f"--also adds a photo to one photo, but {person} is a folder: name NAME__2.jpg in it.")
        return _plan_folder(person, mask, category_of, out, evidence)
    if os.path.isdir(out):
        raise UsageError(f"{out} is a folder: specify the file to write, such as {out / person.stem}.png.")
    if os.path.exists(out) and (out.samefile(person) or out.samefile(mask)):
        raise UsageError(f"--out {out} would overwrite an input: choose another name.")
    try:
        check_image_name(out, mode)
        if evidence is not None:
            check_image_name(evidence, "L")
        return Plan((Job(person, mask, category_of(person), out, tuple(also), evidence),), {})
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
            views = [_load_view(person, mask, job.category, settings) for person, mask in job.photos]
            notes = list(dict.fromkeys(warning for view in views for warning in view.warnings))
            if notes:
                report.notes[name] = tuple(notes)
            image, out = _restored(job, views, settings, restorer(), on_step, report, notes)
            if settings.transparent:
                cut = to_rgba(image)
                notes += cutout_warnings(image, cut[:, 3:], views[0].mask)
                image = cut
            if notes:
                report.notes[name] = tuple(notes)
            save_image(out, image, settings.mode)
            report.done.append(out)
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


def _restored(
    job: Job,
    views: list[GarmentView],
    settings: Settings,
    restorer: Restorer,
    on_step: StepProgress | None,
    report: Report,
    notes: list[str],
) -> tuple[Tensor, Path]:
    """The garment of a job (1, 3, h, w), and where to write it; adds sentences to `notes`."""
    steps, guidance, seed = settings.steps, settings.guidance, settings.seed
    plain = settings.detailing is None and job.evidence is None and not job.also and settings.min_evidence == 0
    if plain:
        image = restorer.restore(views[0], job.category, steps=steps, guidance=guidance, seed=seed, progress=on_step)
        return image, job.out
    found = restore_detailed(
        cast(GarmentRestorer, restorer),
        views,
        job.category,
        settings.detailing or Detailing(),
        steps=steps,
        guidance=guidance,
        seed=seed,
        progress=on_step,
    )
    notes.append(found.note)
    if job.evidence is not None:
        make_folder(job.evidence.parent)
        save_image(job.evidence, found.visible, "L")
    if len(found.candidates) > 1:
        first = found.candidates[0]
        notes.append(f"Seed {first.seed} agrees best with the photo, of {len(found.candidates)} candidates.")
        images = [one.image for one in found.candidates]
        save_image(job.out.with_name(f"{job.out.stem}-candidates.png"), grid(images, min(4, len(images))))
    if found.seen >= settings.min_evidence:
        return found.image, job.out
    report.set_aside[job.person.name] = found.seen
    make_folder(set_aside(job.out).parent)
    return found.image, set_aside(job.out)


def set_aside(out: Path) -> Path:
    """Where an image goes if too little of its garment was visible."""
    return out.parent / SET_ASIDE / out.name


def without_existing(jobs: Iterable[Job], report: Report) -> list[Job]:
    """The jobs whose image does not exist yet; the others are recorded as skipped."""
    left = []
    for job in jobs:
        if job.out.exists() or set_aside(job.out).exists():
            report.skipped.append(job.out)
        else:
            left.append(job)
    return left


def _load_view(person: Path, mask: Path, category: str, settings: Settings) -> GarmentView:
    photo, cover = load_photo(person), load_mask(mask)
    try:
        return make_view(photo, cover, settings.size, settings.view, settings.crop_size, category)
    except IGRError as error:
        raise IGRError(f"{person} with mask {mask}: {error}") from error


def _plan_folder(persons: Path, masks: Path, category_of: CategoryOf, out: Path, evidence: Path | None) -> Plan:
    for option, folder in (("--out", out), ("--evidence", evidence)):
        if folder is None:
            continue
        if os.path.isfile(folder):
            raise UsageError(f"{persons} is a folder, so {option} must be a folder too, but {folder} is a file.")
        if os.path.exists(folder) and (folder.samefile(persons) or folder.samefile(masks)):
            raise UsageError(f"{option} {folder} is an input folder: choose another folder.")
    try:
        found = pair_by_name(persons, masks, category_of)
    except IGRError as error:
        raise UsageError(str(error)) from error
    first, more = _grouped(found.pairs)
    jobs = (
        Job(
            pair.photo,
            pair.mask,
            pair.category,
            out / f"{pair.photo.stem}.png",
            tuple((other.photo, other.mask) for other in more.get(pair.photo.stem, ())),
            None if evidence is None else evidence / f"{pair.photo.stem}.png",
        )
        for pair in first
    )
    return Plan(tuple(jobs), found.failed, found.ignored)


def _grouped(pairs: Sequence[Pair]) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """The first photo of each garment, and its further photos NAME__2, NAME__3, ... by name, in order."""
    names = {pair.photo.stem for pair in pairs}
    first: list[Pair] = []
    more: dict[str, list[tuple[int, Pair]]] = {}
    for pair in pairs:
        numbered = _NUMBERED.fullmatch(pair.photo.stem)
        if numbered is not None and numbered[1] in names:
            more.setdefault(numbered[1], []).append((int(numbered[2]), pair))
        else:
            first.append(pair)
    return first, {name: [pair for _, pair in sorted(found, key=lambda one: one[0])] for name, found in more.items()}


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
