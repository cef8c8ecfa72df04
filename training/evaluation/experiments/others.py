"""Find other methods' images for each pair, check them, and link them into an experiment's folder."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.folders import resolved
from igr_core.text import counted

from ..images.folders import faults, folder_name, images_in
from ..images.subjects import Subjects
from .scoring import MIN_PAIRS


@dataclass(frozen=True)
class Others:
    """A folder's images for the pairs of an experiment."""

    folder: Path
    """The folder."""
    pictures: dict[str, Path]
    """Images, keyed by the pair's file name in the experiment."""
    missing: tuple[str, ...]
    """Pairs without an image."""
    extra: int
    """Images that belong to no pair."""

    def warnings(self) -> Iterator[str]:
        """Notes on the scores, for the reader."""
        name = folder_name(self.folder)
        if self.extra:
            verbs = ("does", "was") if self.extra == 1 else ("do", "were")
            images = counted(self.extra, "image")
            yield f"{images} of {name} {verbs[0]} not belong to any pair in the experiment and {verbs[1]} skipped."
        if self.missing:
            has = "has" if len(self.missing) == 1 else "have"
            yield f"{counted(len(self.missing), 'pair')} in the experiment {has} no image in {name}."


def find_others(folder: Path, subjects: Subjects) -> Others:
    """Find the image for each pair in a folder, named after the pair or its photo.

    If a photo has several garments, its name is only sufficient when sets are compared, where each image counts once.
    """
    files = images_in(folder)
    photos = Counter(subjects.photos)
    found: dict[str, Path] = {}
    used: set[str] = set()
    for name, photo in zip(subjects.names, subjects.photos, strict=True):
        by_photo = (photo,) if photos[photo] == 1 or not subjects.source.has_garments else ()
        for stem in (name, *by_photo):
            if stem in files and stem not in used:
                found[name] = files[stem]
                used.add(stem)
                break
    missing = tuple(name for name in subjects.names if name not in found)
    return Others(folder, found, missing, len(files) - len(used))


def problems(others: Others, subjects: Subjects, size: tuple[int, int]) -> list[str]:
    """Return a sentence, with the reason, for each pair without an image and each image that cannot be scored.

    `size` is that of the true garments. Without true garments, any shape is accepted, and MIN_PAIRS images are enough.
    """
    paired = subjects.source.has_garments
    photos = dict(zip(subjects.names, subjects.photos, strict=True))
    found = []
    if paired or len(others.pictures) < MIN_PAIRS:
        found = [
            f"{others.folder}: there is no image for {name} (nor one named {photos[name]})" for name in others.missing
        ]
    bad = faults(others.pictures, size if paired else None)
    return found + [f"{others.folder}: {sentence}" for sentence in bad.values()]


def take_in(others: Others, folder: Path) -> None:
    """Link the images (or copy them if links are not supported) into `folder` under the pairs' names."""
    make_folder(folder)
    wanted = {f"{name}{path.suffix.lower()}": path for name, path in others.pictures.items()}
    for old in folder.iterdir():
        if old.is_file() and old.name not in wanted:
            old.unlink()
    for name, path in wanted.items():
        _link(resolved(path), folder / name)


def check_apart(folder: Path, out: Path) -> None:
    """Raise IGRError if a row's images are in the experiment's own folder, where they would be overwritten."""
    if resolved(out / "rows") in (resolved(folder), *resolved(folder).parents):
        raise IGRError(f"{folder} is inside the experiment's own folder {out / 'rows'}: copy it elsewhere.")


def _link(path: Path, target: Path) -> None:
    if target.exists() and target.samefile(path):
        return
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:  # the target is on another disk, or links are not supported
        with atomic_file(target) as temporary:
            shutil.copyfile(path, temporary)
