"""Match the photos of a folder with their masks and categories by file name."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import IGRError
from ..photo.image_files import IMAGE_SUFFIXES, UNREAD_SUFFIXES, is_image_name, name_key
from ..photo.inputs import check_category
from ..text import is_decoded

NOT_NAMED = ("thumbs.db", "desktop.ini")
"""Files that operating systems put into folders of images, in lower case."""
_NUMBERED = re.compile(r"(.+)__([2-9]|[1-9]\d)")
"""Name of a garment's further photo, without its extension: the first photo's name and a number."""
_TABLES = (".csv", ".json", ".txt")

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


def pair_by_name(
    photos: Path,
    masks: Path | None,
    category_of: CategoryOf,
    clash: str = "The result would overwrite that of {name}: rename one of the photos.",
) -> Pairing:
    """Find the mask and category of every photo in a folder: masks/anna.png belongs to photos/anna.jpg.

    If no mask has a photo's exact name, a mask whose name differs only in case or in the Unicode form of its accents is
    used, unless it belongs to another photo. Without a folder of masks, each photo is its own mask. `clash` is the
    error message for a photo whose name without extension is the same as that of an earlier photo, `name`. Raises
    IGRError for a folder without images.
    """
    images = list_images(photos)
    failed, ignored = _other_files(photos)
    if not images and not failed:
        raise IGRError(f"{photos} has no images ({', '.join(IMAGE_SUFFIXES)}): choose another folder.")
    masks_of = _mask_finder(images, list_images(masks)) if masks is not None else lambda photo: [photo]
    unread = {name_key(Path(name).stem): name for name in (_other_files(masks)[0] if masks is not None else ())}
    pairs: dict[str, Pair] = {}
    for photo in images:
        try:
            found = masks_of(photo)
            if not found and (other := unread.get(name_key(photo.stem))):
                raise IGRError(f"The mask {other} is of a type that is not supported: save it as {photo.stem}.png.")
            if not found:
                raise IGRError(f"The photo has no mask: put {photo.stem}.png into {masks}.")
            if len(found) > 1:
                raise IGRError(f"The photo has the masks {' and '.join(one.name for one in found)}: keep one of them.")
            if photo.stem in pairs:
                raise IGRError(clash.format(name=pairs[photo.stem].photo.name))
            pairs[photo.stem] = Pair(photo, found[0], category_of(photo))
        except IGRError as error:
            failed[photo.name] = str(error)
    return Pairing(tuple(pairs.values()), failed, ignored)


def list_images(folder: Path) -> list[Path]:
    """The images directly in a folder, sorted by name, without hidden files."""
    return sorted(path for path in folder.iterdir() if is_image_name(path.name))


def _mask_finder(photos: list[Path], masks: list[Path]) -> Callable[[Path], list[Path]]:
    """A function that returns the masks of a photo, usually a single one."""
    exact: dict[str, list[Path]] = {}
    similar: dict[str, list[Path]] = {}
    taken = {photo.stem for photo in photos}
    for path in masks:
        exact.setdefault(path.stem, []).append(path)
        if path.stem not in taken:
            similar.setdefault(name_key(path.stem), []).append(path)
    return lambda photo: exact.get(photo.stem) or similar.get(name_key(photo.stem), [])


def _other_files(folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Error messages for images of other types, by file name, and the names of the files that are not images."""
    unread: dict[str, str] = {}
    ignored: list[str] = []
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if suffix in UNREAD_SUFFIXES:
            unread[path.name] = f"Images of the type {suffix} are not supported: save the photo as a PNG or JPEG."
        elif not (path.is_dir() or path.name[0] == "." or is_image_name(path.name) or suffix in _TABLES):
            ignored.append(path.name)
    return unread, tuple(name for name in ignored if name.lower() not in NOT_NAMED)


def one_category(word: str) -> CategoryOf:
    """The same category for every photo; raises IGRError if it is unknown."""
    category = check_category(word)
    return lambda _: category


def read_categories(path: Path) -> CategoryOf:
    """The categories in a CSV file with the columns name,category; names are those of photos, the extension optional.

    If no line has a photo's exact name, a name that differs only in case or in the Unicode form of its accents is used.
    Raises IGRError if the file cannot be read, lacks these columns or lists a name twice.
    """
    by_name = _read_table(path)
    similar: dict[str, set[str]] = {}
    for name, category in by_name.items():
        similar.setdefault(name_key(name), set()).add(category)

    def category_of(photo: Path) -> str:
        category = by_name.get(photo.name, by_name.get(photo.stem))
        if category is None:
            found = similar.get(name_key(photo.name), similar.get(name_key(photo.stem), set()))
            if len(found) > 1:
                raise IGRError(f"{path} has several categories for names like {photo.name}: add its exact name.")
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
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except OSError as error:
        raise IGRError(f"{path} cannot be read ({error.strerror}): check the file and the disk.") from error
    except UnicodeDecodeError as error:
        raise IGRError(f"{path} is not a UTF-8 text file: save the table as CSV in UTF-8.") from error
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    table: dict[str, str] = {}
    try:
        head = [cell.strip().casefold() for cell in next(rows, [])]
        if not {"name", "category"} <= set(head):
            raise IGRError(f"The first line of {path} must be name,category: add this line.")
        for row in rows:
            values = dict(zip(head, row, strict=False))
            name = values.get("name", "").strip()
            if name in table:
                raise IGRError(f"{path}, line {rows.line_num} lists {name} a second time: remove one of the lines.")
            if name:
                table[name] = values.get("category", "").strip().lower()
    except csv.Error as error:
        raise IGRError(f"{path}, line {rows.line_num}, is not valid CSV ({error}): correct the line.") from error
    return table


def first_photo(name: str, names: dict[str, str]) -> str | None:
    """Name of a garment's first photo, for the `name` (NAME__2) of a further photo; None for a first photo.

    `names` has every photo's name by its name_key, because case and Unicode form may differ between a garment's photos.
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
