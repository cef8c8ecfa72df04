"""Plan a run by matching photos, masks, categories and outputs before anything slow happens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..errors import IGRError, UsageError
from ..outputs import check_folder, place, same_place
from ..photo.image_files import name_key
from ..photo.images import check_image_name
from ..photo.view import MOST_PHOTOS
from ..text import WORKBOOKS
from .pairing import (
    CategoryOf,
    Pair,
    first_photo,
    list_images,
    one_category,
    pair_by_name,
    photo_order,
    read_categories,
)

_SET_ASIDE, _CANDIDATES = "set-aside", "candidates"
"""Folders beside the other images, for garments with too little evidence and for images of all candidates."""


@dataclass(frozen=True)
class Job:
    """One photo to restore."""

    person: Path
    """The photo."""
    mask: Path
    """The photo's garment mask."""
    category: str
    """upper, lower or full."""
    out: Path
    """The image to write."""
    also: tuple[tuple[Path, Path], ...] = ()
    """More photos of the same garment, with their masks."""
    evidence: Path | None = None
    """The evidence map to write."""
    lenient: bool = False
    """Whether to leave out a further photo that cannot be used, as in folders, instead of failing."""

    @property
    def photos(self) -> tuple[tuple[Path, Path], ...]:
        """All photos of the garment, with their masks."""
        return ((self.person, self.mask), *self.also)

    @property
    def set_aside(self) -> Path:
        """Path of the image if too little of the garment was visible."""
        return self.out.parent / _SET_ASIDE / self.out.name

    @property
    def existing(self) -> Path | None:
        """The image that an earlier run wrote, if there is one."""
        return next((path for path in (self.out, self.set_aside) if os.path.isfile(path)), None)

    @property
    def has_new_photos(self) -> bool:
        """Whether another photo of the garment, or its mask, was added or changed after the image was written."""
        image = self.existing
        if image is None:
            return False
        return any(_changed(path) > os.path.getmtime(image) for pair in self.also for path in pair)

    @property
    def grid(self) -> Path:
        """Path of the image that shows all candidates, if there are several."""
        return self.out.parent / _CANDIDATES / f"{self.out.stem}.png"


def _changed(path: Path) -> float:
    """Time at which a file was written or moved to its path; 0 if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return 0.0
    return max(status.st_mtime, status.st_ctime)


@dataclass(frozen=True)
class Plan:
    """The photos of a run, and those that cannot be restored."""

    jobs: tuple[Job, ...]
    """Photos to restore, sorted by name."""
    failed: dict[str, str]
    """Error message for each photo without a mask or a valid category, by file name."""
    ignored: tuple[str, ...] = ()
    """Names of the files in the photo folder that are not images."""


def plan_jobs(
    person: Path,
    mask: Path,
    category: str,
    out: Path,
    mode: Literal["RGB", "RGBA"],
    also: Sequence[tuple[Path, Path]] = (),
    evidence: Path | None = None,
    report: Path | None = None,
) -> Plan:
    """Match photos, masks, categories and outputs; `category` is a category or a CSV file with name,category.

    For a single photo, `also` lists more photos of the same garment, with their masks. In a folder, anna__2.jpg and
    anna__3.jpg show the garment in anna.jpg. `evidence` is the map to write, or the folder for all maps, and `report`
    is the report to write. Raises UsageError if the paths do not match, if a file or folder does not exist, or if an
    output would replace an input or another output.
    """
    more = [(label, path) for pair in also for label, path in zip(("photo", "mask"), pair, strict=True)]
    for label, path in (("photo or folder", person), ("mask or mask folder", mask), *more):
        if not os.path.exists(path):  # Path.exists raises an error for a name that is too long
            raise UsageError(f"The {label} {path} does not exist: check the path.")
    if person.is_dir() != mask.is_dir():
        kind = "folder" if person.is_dir() else "file"
        raise UsageError(f"{person} is a {kind}, so --mask must be a {kind} too, but {mask} is not.")
    if person.samefile(mask) and person.is_dir():
        raise UsageError(f"--mask is the photo folder {person} itself: put the masks into a separate folder.")
    if person.samefile(mask):
        raise UsageError(f"--mask is the photo {person} itself: specify a mask that is white on the garment.")
    category_of = _categories(category)
    if person.is_dir():
        if also:
            raise UsageError(
                f"--also only works with a single photo, but {person} is a folder: put the other photo into it as "
                "NAME__2.jpg."
            )
        return _plan_folder(person, mask, category_of, out, evidence, report)
    if os.path.isdir(out):
        raise UsageError(f"{out} is a folder: specify the file to write, such as {out / person.stem}.png.")
    if len(also) >= MOST_PHOTOS:
        raise UsageError(f"--also is given {len(also)} times: a garment can have at most {MOST_PHOTOS} photos.")
    try:
        check_image_name(out, mode)
        if evidence is not None:
            check_image_name(evidence, "L")
        job = Job(person, mask, category_of(person), out, tuple(also), evidence)
        _check_outputs([job], report)
        return Plan((job,), {})
    except IGRError as error:
        raise UsageError(str(error)) from error


def check_writable(plan: Plan, *, candidates: bool, set_aside: bool) -> Plan:
    """Check that every output of a plan can be written; photos whose output is an existing folder are marked as failed.

    `candidates` and `set_aside` select whether images of all candidates and of garments set aside are among the
    outputs. Raises CannotWrite for a folder that cannot be written to.
    """
    outputs = {job: tuple(_outputs(job, candidates, set_aside)) for job in plan.jobs}
    for folder in sorted({path.parent for paths in outputs.values() for path in paths}):
        check_folder(folder, "The folder")
    blocked = {job: path for job, paths in outputs.items() for path in paths if os.path.isdir(path)}
    failed = {job.person.name: f"{path} is a folder: rename or remove it." for job, path in blocked.items()}
    return replace(plan, jobs=tuple(job for job in plan.jobs if job not in blocked), failed={**plan.failed, **failed})


def _plan_folder(
    persons: Path, masks: Path, category_of: CategoryOf, out: Path, evidence: Path | None, report: Path | None
) -> Plan:
    for option, folder in (("--out", out), ("--evidence", evidence)):
        if folder is None:
            continue
        if os.path.isfile(folder):
            raise UsageError(f"{persons} is a folder, so {option} must be a folder too, but {folder} is a file.")
        if same_place(folder, persons) or same_place(folder, masks):
            raise UsageError(f"{option} {folder} is an input folder: choose another folder.")
    names = {name_key(path.stem): path.stem for path in list_images(persons)}
    names |= {path.stem: path.stem for path in list_images(persons)}  # two photos may differ in case only

    def category_of_garment(photo: Path) -> str:
        first = first_photo(photo.stem, names)
        return category_of(photo if first is None else photo.with_name(f"{first}{photo.suffix}"))

    try:
        found = pair_by_name(persons, masks, category_of_garment)
    except IGRError as error:
        raise UsageError(str(error)) from error
    first, more, failed = _grouped(found.pairs, names)
    jobs = [
        Job(
            pair.photo,
            pair.mask,
            pair.category,
            out / f"{pair.photo.stem}.png",
            tuple((other.photo, other.mask) for other in more.get(pair.photo.stem, ())),
            None if evidence is None else evidence / f"{pair.photo.stem}.png",
            lenient=True,
        )
        for pair in first
    ]
    _check_outputs(jobs, report)
    return Plan(tuple(jobs), {**found.failed, **failed}, found.ignored)


def _grouped(pairs: Sequence[Pair], names: dict[str, str]) -> tuple[list[Pair], dict[str, list[Pair]], dict[str, str]]:
    """Group pairs into first photos and further photos, by the name of the first; also returns error messages."""
    known = {pair.photo.stem: pair for pair in pairs}
    first: list[Pair] = []
    more: dict[str, list[Pair]] = {}
    failed: dict[str, str] = {}
    for pair in sorted(pairs, key=lambda one: photo_order(one.photo.stem)):
        base = first_photo(pair.photo.stem, names)
        if base is None:
            first.append(pair)
        elif base not in known:
            failed[pair.photo.name] = f"The garment's first photo, {base}, cannot be used: fix that photo first."
        elif len(more.setdefault(base, [])) + 1 >= MOST_PHOTOS:
            failed[pair.photo.name] = f"A garment can have at most {MOST_PHOTOS} photos: remove some of {base}'s."
        else:
            more[base].append(pair)
    return first, more, failed


def _check_outputs(jobs: Sequence[Job], report: Path | None) -> None:
    """Raise UsageError if an output of a run would overwrite an input or another output, or is a folder of another."""
    inputs = {place(path) for job in jobs for photo in job.photos for path in photo}
    outputs = [("--out or --evidence", path) for job in jobs for path in _outputs(job)]
    outputs += [] if report is None else [("--report", report)]
    folders = {parent: path for _, path in outputs for parent in map(str, Path(place(path)).parents)}
    taken: set[str] = set()
    for option, path in outputs:
        where = place(path)
        if where in inputs:
            raise UsageError(f"{path} would overwrite an input: choose another name for {option}.")
        if where in taken:
            raise UsageError(f"{path} would be written twice: choose another name for {option}.")
        if where in folders:
            raise UsageError(
                f"{path} would be a file, but also the folder that contains {folders[where]}: choose another name for "
                f"{option}."
            )
        taken.add(where)


def _outputs(job: Job, candidates: bool = True, set_aside: bool = True) -> Iterator[Path]:
    yield job.out
    if set_aside:
        yield job.set_aside
    if candidates:
        yield job.grid
    if job.evidence is not None:
        yield job.evidence


def _categories(given: str) -> CategoryOf:
    """One category for all photos, or one per photo from a CSV file."""
    if given.lower().endswith((".csv", *WORKBOOKS)):
        try:
            return read_categories(Path(given))
        except IGRError as error:
            raise UsageError(str(error)) from error
    try:
        return one_category(given)
    except IGRError as error:
        raise UsageError(f"{error} A .csv file with the columns name,category also works.") from error
