"""Match the photos of a folder with their masks and categories by file name."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import IGRError
from ..folders import entries_of
from ..photo.image_files import IMAGE_SUFFIXES, UNREAD_SUFFIXES, is_image_name, name_key
from ..photo.inputs import check_category
from ..text import check_no_workbook, decode_table, is_decoded

NOT_NAMED = ("thumbs.db", "desktop.ini")
"""Names, in lower case, of files that operating systems add to folders; they are never reported."""
_NUMBERED = re.compile(r"(.+)__([2-9]|[1-9]\d)")
"""Name of a garment's further photo, without its extension: the first photo's name and a number."""
_TABLES = (".csv", ".json", ".txt")

CLASH = "The result would overwrite the one for {name}: rename one of the photos."
"""Error message for a photo whose name without extension is the same as that of an earlier photo, `name`."""

CategoryOf = Callable[[Path], str]
"""Returns the category of a photo; raises IGRError if the category is missing or unknown."""


@dataclass(frozen=True)
class Pair:
    """A photo with its mask and category."""

    photo: Path
    """The photo."""
    mask: Path
    """The photo's garment mask, a file whose name is the same except for the extension."""
    category: str
    """upper, lower or full."""


@dataclass(frozen=True)
class Pairing:
    """The photos in a folder: those with a mask and a category, and those that cannot be used."""

    pairs: tuple[Pair, ...]
    """Photos with a mask and a category, sorted by name; names are unique without their extensions."""
    failed: dict[str, str]
    """Error message for each of the other photos, by file name."""
    ignored: tuple[str, ...] = ()
    """Names of the files in the photo folder that are not images."""


class FileNames(NamedTuple):
    """The names of the files in a folder of photos or masks, sorted; hidden files are left out."""

    images: tuple[str, ...]
    """Images of a supported file type."""
    unread: dict[str, str]
    """Error message for each image of an unsupported type."""
    ignored: tuple[str, ...]
    """Files that are not images."""


def pair_by_name(
    photos: Path,
    masks: Path | None,
    category_of: CategoryOf,
    clash: str = CLASH,
) -> Pairing:
    """Find the mask and category of every photo in a folder: masks/anna.png belongs to photos/anna.jpg.

    If no mask has a photo's exact name, a mask whose name differs only in case or in the Unicode form of its accents is
    used, and otherwise masks/anna.jpg.png, unless it belongs to another photo. Without a folder of masks, each photo is
    its own mask. `clash` is the error message for a photo whose name without extension is the same as that of an
    earlier photo, `name`. Raises IGRError for a folder without images.
    """
    found = _sorted_in(photos)
    if not found.images and not found.unread:
        raise IGRError(f"{photos} has no images ({', '.join(IMAGE_SUFFIXES)}): choose another folder.")
    mask_of = None if masks is None else mask_finder(found.images, _sorted_in(masks), str(masks))
    failed = dict(found.unread)
    pairs: dict[str, Pair] = {}
    for photo in (photos / name for name in found.images):
        try:
            mask = photo if mask_of is None or masks is None else masks / mask_of(photo.name)
            if photo.stem in pairs:
                raise IGRError(clash.format(name=pairs[photo.stem].photo.name))
            pairs[photo.stem] = Pair(photo, mask, category_of(photo))
        except IGRError as error:
            failed[photo.name] = str(error)
    return Pairing(tuple(pairs.values()), failed, found.ignored)


def list_images(folder: Path) -> list[Path]:
    """The images directly in a folder, sorted by name, without hidden files."""
    return sorted(path for path in folder.iterdir() if is_image_name(path.name))


def sort_names(names: Iterable[str], folders: Iterable[str] = ()) -> FileNames:
    """Sort the names in a folder into images, unsupported images and other files; `folders` names its subfolders."""
    images: list[str] = []
    unread: dict[str, str] = {}
    ignored: list[str] = []
    inner = set(folders)
    for name in sorted(name for name in names if not name.startswith(".")):
        suffix = Path(name).suffix.lower()
        if is_image_name(name):
            images.append(name)
        elif name in inner or suffix in _TABLES or name.lower() in NOT_NAMED:
            continue
        elif suffix in UNREAD_SUFFIXES:
            unread[name] = f"{suffix} images are not supported: save the photo as a PNG or JPEG."
        else:
            ignored.append(name)
    return FileNames(tuple(images), unread, tuple(ignored))


def mask_finder(photos: Iterable[str], masks: FileNames, folder: str) -> Callable[[str], str]:
    """Return a function that maps a photo's name to the name of its mask; `folder` is the mask folder in errors.

    If no mask has the photo's exact name, one whose name differs only in case or in the Unicode form of its accents is
    used, and otherwise one that also has the photo's extension, such as anna.jpg.png, unless it belongs to another
    photo. The function raises IGRError if a photo does not have exactly one mask.
    """
    exact: dict[str, list[str]] = {}
    similar: dict[str, list[str]] = {}
    taken = {Path(photo).stem for photo in photos}
    for name in masks.images:
        stem = Path(name).stem
        exact.setdefault(stem, []).append(name)
        if stem not in taken:
            similar.setdefault(name_key(stem), []).append(name)
    unread = {name_key(Path(name).stem): name for name in masks.unread}

    def mask_of(photo: str) -> str:
        stem = Path(photo).stem
        found = exact.get(stem) or similar.get(name_key(stem))
        if not found:  # Windows hides extensions, so that one may be added to another
            found = (exact.get(photo) if photo not in taken else None) or similar.get(name_key(photo), [])
        if not found and (other := unread.get(name_key(stem)) or unread.get(name_key(photo))):
            raise IGRError(f"The mask {other} has an unsupported file type: save it as {stem}.png.")
        if not found:
            raise IGRError(f"The photo has no mask: put {stem}.png into {folder}.")
        if len(found) > 1:
            raise IGRError(f"The photo has several masks ({' and '.join(found)}): keep one of them.")
        return found[0]

    return mask_of


def _sorted_in(folder: Path) -> FileNames:
    entries = entries_of(folder)
    return sort_names(entries, (name for name, is_folder in entries.items() if is_folder))


def one_category(word: str) -> CategoryOf:
    """Return a function that gives every photo the same category; raises IGRError if the category is unknown."""
    category = check_category(word)
    return lambda _: category


def read_categories(path: Path) -> CategoryOf:
    """Read categories from a CSV file with the columns name,category; a photo's name may omit its extension.

    If no line has a photo's exact name, a name that differs only in case or in the Unicode form of its accents is used.
    Raises IGRError if the file cannot be read, lacks these columns, lists a name twice, or has different categories for
    two photos of a garment.
    """
    by_name = _read_table(path)
    _check_garments(path, by_name)
    similar: dict[str, set[str]] = {}
    for name, category in by_name.items():
        similar.setdefault(name_key(name), set()).add(category)

    def category_of(photo: Path) -> str:
        own = {name: by_name[name] for name in (photo.name, photo.stem) if name in by_name}
        if len(set(own.values())) > 1:
            raise IGRError(
                f"{path} has two categories for {photo.name}, in the lines {photo.name} and {photo.stem}: "
                "remove one of the lines."
            )
        category = next(iter(own.values()), None)
        if category is None:
            found = similar.get(name_key(photo.name), set()) | similar.get(name_key(photo.stem), set())
            if len(found) > 1:
                raise IGRError(
                    f"{path} has several categories for names like {photo.name}: add the photo's exact name."
                )
            category = next(iter(found), None)
        if category is None and not is_decoded(photo.name):
            raise IGRError(f"The photo has no category, because {path} cannot contain its name: rename the photo.")
        if category is None:
            raise IGRError(f"The photo has no category: add the line {photo.name},upper (or lower, full) to {path}.")
        try:
            return check_category(category)
        except IGRError as error:
            raise IGRError(f"{path}, line {photo.name}: {error}") from error

    return category_of


def _read_table(path: Path) -> dict[str, str]:
    """Categories by name, from a table as spreadsheets save it: with commas, semicolons or tabs, in UTF-8 or UTF-16."""
    if not os.path.isfile(path):  # reading a pipe or a device would never end
        raise IGRError(f"{path} {'is not a file' if os.path.exists(path) else 'does not exist'}: specify a CSV file.")
    try:
        data = path.read_bytes()
        check_no_workbook(data, str(path))
        read = decode_table(data, {"name", "category"})
    except OSError as error:
        raise IGRError(f"{path} cannot be read ({error.strerror}): check the file and the disk.") from error
    except UnicodeDecodeError as error:
        raise IGRError(f"{path} is not a UTF-8 text file: save the table as CSV in UTF-8.") from error
    rows = csv.reader(io.StringIO(read.text, newline=""), delimiter=read.separator)
    table: dict[str, str] = {}
    try:
        head = [cell.strip().casefold() for cell in next(rows, [])]
        if twice := [name for name in ("name", "category") if head.count(name) > 1]:
            raise IGRError(f"{path} has several columns named {twice[0]}: keep one of them.")
        if not {"name", "category"} <= set(head):
            raise IGRError(f"The first line of {path} must be name,category: add this line.")
        for row in rows:
            values = dict(zip(head, row, strict=False))
            name = values.get("name", "").strip()
            if name in table:
                line = rows.line_num + read.skipped
                raise IGRError(f"{path}, line {line} lists {name} a second time: remove one of the lines.")
            if name:
                table[name] = values.get("category", "").strip().lower()
    except csv.Error as error:
        line = rows.line_num + read.skipped
        raise IGRError(f"{path}, line {line}, is not valid CSV ({error}): correct the line.") from error
    return table


def _check_garments(path: Path, by_name: dict[str, str]) -> None:
    """Raise IGRError if a table has different categories for two photos of a garment, as in anna and anna__2."""
    stems = {name: Path(name).stem if is_image_name(name) else name for name in by_name}
    listed = {name_key(stem): stem for stem in stems.values()}
    categories: dict[str, tuple[str, str]] = {}
    for name, stem in stems.items():
        first = first_photo(stem, listed) or stem
        other, category = categories.setdefault(first, (name, by_name[name]))
        if category != by_name[name] and stem != stems[other]:
            raise IGRError(
                f"{path} has the category {category} for {other}, but {by_name[name]} for {name}, another photo of its "
                "garment: use the same one in both lines."
            )


def first_photo(name: str, names: dict[str, str]) -> str | None:
    """Name of a garment's first photo, for the `name` (NAME__2) of a further photo; None for a first photo.

    `names` maps the name_key of every photo to its name, because the names of a garment's photos may differ in case and
    Unicode form.
    """
    numbered = _NUMBERED.fullmatch(name)
    first = None
    if numbered is not None:
        first = numbered[1] if numbered[1] in names.values() else names.get(name_key(numbered[1]))
    if first is None or first_photo(first, names) is not None:
        return None
    return first


def photo_order(name: str) -> tuple[str, int]:
    """Key that sorts the photos of a garment by their numbers, after the garment's first photo."""
    numbered = _NUMBERED.fullmatch(name)
    return (name, 0) if numbered is None else (numbered[1], int(numbered[2]))
