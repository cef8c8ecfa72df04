"""Folders of photos: which mask and which category belong to a photo, by their names."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import IGRError
from ..photo.images import PICTURE_SUFFIXES
from ..photo.inputs import check_category

CategoryOf = Callable[[Path], str]
"""Gives the category of a photo; raises IGRError when it has none, or an unknown one."""


@dataclass(frozen=True)
class Pair:
    """A photo and what belongs to it."""

    photo: Path
    """The photo."""
    mask: Path
    """Its garment mask, a file of the same name but for the ending."""
    category: str
    """upper, lower or full."""


@dataclass(frozen=True)
class Pairing:
    """The photos of a folder, and those that cannot be used as things lie."""

    pairs: tuple[Pair, ...]
    """Photos with mask and category, sorted by name; no two have the same name but for the ending."""
    failed: dict[str, str]
    """The sentence for each other photo, by its file name."""


def pair_by_name(
    photos: Path,
    masks: Path,
    category_of: CategoryOf,
    clash: str = "It would be written over {name}'s result: rename one of them.",
) -> Pairing:
    """Find mask and category of every photo in a folder: photos/anna.jpg belongs to masks/anna.png.

    `clash` is the sentence for a photo that has the name of an earlier one, `name`. Raises IGRError for a folder
    without pictures.
    """
    pictures = list_pictures(photos)
    if not pictures:
        raise IGRError(f"{photos} has no pictures ({', '.join(PICTURE_SUFFIXES)}): choose another folder.")
    masks_by_stem: dict[str, list[Path]] = {}
    for path in list_pictures(masks):
        masks_by_stem.setdefault(path.stem, []).append(path)
    pairs: dict[str, Pair] = {}
    failed: dict[str, str] = {}
    for photo in pictures:
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


def list_pictures(folder: Path) -> list[Path]:
    """The pictures that lie in a folder itself, sorted by name; hidden files are none."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith("."))


def one_category(word: str) -> CategoryOf:
    """The same category for every photo; raises IGRError for an unknown one."""
    category = check_category(word)
    return lambda _: category


def read_categories(path: Path) -> CategoryOf:
    """The categories of a CSV file with the columns name,category, where a name is a photo's with or without ending.

    Raises IGRError when the file cannot be read or has other columns.
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
                raise IGRError(f"{path} must begin with the line name,category.")
            return {(row["name"] or "").strip(): (row["category"] or "").strip() for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise IGRError(f"{path} cannot be read as a CSV file ({error}): check it.") from error
