"""Match the photos of a folder with their masks and categories by file name."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import IGRError
from ..photo.image_files import IMAGE_SUFFIXES
from ..photo.inputs import check_category

CategoryOf = Callable[[Path], str]
"""Returns the category of a photo; raises IGRError if it has none or an unknown one."""


@dataclass(frozen=True)
class Pair:
    """A photo with its mask and category."""

    photo: Path
    """The photo."""
    mask: Path
    """Its garment mask, a file of the same name except for the extension."""
    category: str
    """upper, lower or full."""


@dataclass(frozen=True)
class Pairing:
    """The photos of a folder, and those that cannot be used."""

    pairs: tuple[Pair, ...]
    """Photos with mask and category, sorted by name; names are unique without their extensions."""
    failed: dict[str, str]
    """Error message for each other photo, by file name."""


def pair_by_name(
    photos: Path,
    masks: Path,
    category_of: CategoryOf,
    clash: str = "Its result would overwrite that of {name}: rename one of them.",
) -> Pairing:
    """Find the mask and category of every photo in a folder: masks/anna.png belongs to photos/anna.jpg.

    `clash` is the message for a photo with the same name as an earlier one, `name`. Raises IGRError for a folder
    without images.
    """
    images = list_images(photos)
    if not images:
        raise IGRError(f"{photos} has no images ({', '.join(IMAGE_SUFFIXES)}): choose another folder.")
    masks_by_stem: dict[str, list[Path]] = {}
    for path in list_images(masks):
        masks_by_stem.setdefault(path.stem, []).append(path)
    pairs: dict[str, Pair] = {}
    failed: dict[str, str] = {}
    for photo in images:
        try:
            found = masks_by_stem.get(photo.stem, [])
            if not found:
                raise IGRError(f"It has no mask: put {photo.stem}.png into {masks}.")
            if len(found) > 1:
                raise IGRError(f"It has the masks {' and '.join(one.name for one in found)}: keep one of them.")
            if photo.stem in pairs:
                raise IGRError(clash.format(name=pairs[photo.stem].photo.name))
            pairs[photo.stem] = Pair(photo, found[0], category_of(photo))
        except IGRError as error:
            failed[photo.name] = str(error)
    return Pairing(tuple(pairs.values()), failed)


def list_images(folder: Path) -> list[Path]:
    """The images directly in a folder, sorted by name, without hidden files."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))


def one_category(word: str) -> CategoryOf:
    """The same category for every photo; raises IGRError for an unknown one."""
    category = check_category(word)
    return lambda _: category


def read_categories(path: Path) -> CategoryOf:
    """The categories in a CSV file with the columns name,category; a name is a photo's, with or without extension.

    Raises IGRError if the file cannot be read or lacks these columns.
    """
    by_name = _read_table(path)

    def category_of(photo: Path) -> str:
        category = by_name.get(photo.name, by_name.get(photo.stem))
        if category is None:
            raise IGRError(f"It has no category: add the line {photo.name},upper (or lower, full) to {path}.")
        try:
            return check_category(category)
        except IGRError as error:
            raise IGRError(f"{path}, line {photo.name}: {error}") from error

    return category_of


def _read_table(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = csv.DictReader(handle)
            if not {"name", "category"} <= set(rows.fieldnames or ()):
                raise IGRError(f"The first line of {path} must be name,category: add it.")
            return {(row["name"] or "").strip(): (row["category"] or "").strip() for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise IGRError(f"{path} cannot be read as a CSV file ({error}): check the file.") from error
