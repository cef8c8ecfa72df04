"""Group the rows of a table into garments, with one or several photos each."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import IGRError
from ...model.config import CATEGORIES
from ...photo.image_files import name_key
from ...photo.view import MOST_PHOTOS
from ...ranges import shown
from ...segmentation.labels import AUTO
from ...segmentation.sam2_prompt import Box, check_drawn_box
from ...storage import is_url
from ...text import is_decoded
from .rows import Row, stem

LONGEST_NAME = 120
"""Maximum length of a garment's name in bytes, which leaves room for folders on every system."""
_RESERVED = re.compile(r"row \d+|(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that the report gives to invalid rows, and names that Windows does not allow."""
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_AROUND_NUMBERS = re.compile(r"[\s,;()\[\]]*")
"""Characters allowed between the numbers of a box; names such as w and h, and percent signs, are not."""


@dataclass(frozen=True)
class Photo:
    """A photo of a garment."""

    path: str
    """Path or URL of the photo."""
    mask: str = ""
    """Path or URL of its mask; empty if the mask must be found."""
    box: Box | None = None
    """Box (x0, y0, x1, y1) around the garment, in pixels of the upright photo."""
    error: str = field(default="", repr=False)  # not part of Item.inputs
    """Error message if the photo cannot be used; its garment is then restored from its other photos."""


@dataclass(frozen=True)
class Item:
    """A garment to restore."""

    name: str
    """Name of the garment's files, without an extension."""
    category: str
    """upper, lower, full or auto."""
    photos: tuple[Photo, ...]
    """The photos that show it."""
    folder: str = ""
    """Folder of the table or of the photos, which may be moved between runs; empty if it may not."""

    @property
    def inputs(self) -> str:
        """Start of the SHA-256 of the garment's category, and of each photo's path, mask path and box.

        Paths inside `folder` count relative to it, so that a project can be moved.
        """
        inside = (
            dataclasses.replace(photo, path=self._inside(photo.path), mask=self._inside(photo.mask))
            for photo in self.photos
        )
        return _hash(self.category, tuple(inside))

    @property
    def inputs_with_full_paths(self) -> str:
        """`inputs` with all paths as they are, as reports written before `folder` existed have it."""
        return _hash(self.category, self.photos)

    def _inside(self, path: str) -> str:
        start = f"{self.folder.rstrip(os.sep)}{os.sep}"
        return path.removeprefix(start).replace(os.sep, "/") if self.folder and path.startswith(start) else path


def _hash(category: str, photos: tuple[Photo, ...]) -> str:
    return hashlib.sha256(repr((category, photos)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Items(NamedTuple):
    """The garments of a table."""

    items: tuple[Item, ...]
    """Garments to restore, in the order of their first rows."""
    failed: dict[str, tuple[str, str]]
    """Photo and error message for each row or garment that is not valid, by name."""


class _Remedies(NamedTuple):
    """What to do about invalid rows."""

    rename: str
    """For a name that is too long."""
    clash: str
    """For two garments with the same name."""
    fewer: str
    """For a garment with too many photos."""
    category: str
    """For a mask or a box without a category."""


_OF_TABLE = _Remedies(
    "use a shorter one in the name column",
    "give one of the rows another name",
    "remove some rows",
    "set its category column to upper, lower or full, or use --category for all rows",
)
_OF_FOLDER = _Remedies(
    "rename the photo", "rename one of the photos", "remove some of them", "use --category upper, lower or full"
)


def items_of(rows: Sequence[Row], category: str = AUTO, *, in_folder: bool = False, folder: str = "") -> Items:
    """Group rows by garment; `category` is the category of rows without one, `folder` is Item.folder.

    A row without a name takes the name of its garment or, without a garment, of its photo; the category is added to the
    photo's name if several rows have this photo. With `in_folder`, the rows are the photos of a folder, and error
    messages do not mention columns.
    """
    remedies = _OF_FOLDER if in_folder else _OF_TABLE
    several = _repeated([name_key(stem(row.photo)) for row in rows if not (row.name or row.garment)])
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"garment {row.garment}" if row.garment else f"row {row.number}", []).append(row)
    items: list[Item] = []
    failed: dict[str, tuple[str, str]] = {}
    taken: dict[str, int] = {}
    for group in groups.values():
        first = group[0]
        try:
            item = dataclasses.replace(_item(group, category, several, remedies), folder=folder)
            other = taken.setdefault(name_key(item.name), first.number)
            if other != first.number:
                raise IGRError(
                    f"This row's files would overwrite the files for row {other}, {item.name}: {remedies.clash}."
                )
            items.append(item)
        except IGRError as error:
            failed[f"row {first.number}"] = first.photo, str(error)
    return Items(tuple(items), failed)


def _item(group: Sequence[Row], default: str, several: set[str], remedies: _Remedies) -> Item:
    categories = {row.category.casefold() for row in group if row.category}
    names = {row.name for row in group if row.name}
    for what, found in (("categories", categories), ("names", names)):
        if len(found) > 1:
            raise IGRError(
                f"The rows of the garment have the {what} {', '.join(sorted(found))}: use the same one in all of them."
            )
    if len(group) > MOST_PHOTOS:
        raise IGRError(f"The garment has {len(group)} photos, but can have at most {MOST_PHOTOS}: {remedies.fewer}.")
    category = next(iter(categories), default)
    if category not in (*CATEGORIES, AUTO):
        raise IGRError(f"The category is {shown(category)}: use upper, lower, full or auto.")
    if group[0].error:
        raise IGRError(group[0].error)
    photos = tuple(_photo(row, category, remedies) for row in group)
    return Item(_name(group[0], next(iter(names), ""), category, several, remedies), category, photos)


def _photo(row: Row, category: str, remedies: _Remedies) -> Photo:
    if not row.photo:
        raise IGRError("The row has no photo: add its path.")
    if not (is_decoded(row.photo) and is_decoded(row.mask)):
        raise IGRError("The path of the photo or its mask is not valid UTF-8: rename the file or its folder.")
    for path in (row.photo, row.mask):
        if os.sep == "/" and "\\" in path and not is_url(path) and not os.path.exists(path):
            raise IGRError(f"The path {path} has backslashes: use / between its folders.")
    if row.mask and row.box:
        raise IGRError("The row has a mask and a box: keep one of them.")
    if (row.mask or row.box) and category == AUTO:
        what = "the category auto" if row.category else "no category"
        raise IGRError(f"The row has a {'mask' if row.mask else 'box'}, but {what}: {remedies.category}.")
    return Photo(row.photo, row.mask, _box(row.box) if row.box else None, row.error)


def _box(text: str) -> Box:
    numbers = [float(one) for one in _NUMBER.findall(text)]
    if len(numbers) != 4 or not _AROUND_NUMBERS.fullmatch(_NUMBER.sub(" ", text)):
        raise IGRError(
            f"The box {shown(text)} is not valid: use four numbers in pixels, such as 120 80 420 640 (x0 y0 x1 y1)."
        )
    left, top, right, bottom = numbers
    return check_drawn_box((left, top, right, bottom))


def _name(row: Row, given: str, category: str, several: set[str], remedies: _Remedies) -> str:
    name = given or row.garment
    if not name:
        name = stem(row.photo)
        if name_key(name) in several:
            name = f"{name}-{category}"
    if _UNSAFE.search(name) or name != name.strip(" .") or not name or _RESERVED.fullmatch(name):
        raise IGRError(f"{shown(name)} cannot be used as a file name: use letters, digits, hyphens and underscores.")
    if (size := len(os.fsencode(name))) > LONGEST_NAME:
        raise IGRError(f"The name {shown(name)} is {size} bytes, but can be at most {LONGEST_NAME}: {remedies.rename}.")
    return name


def _repeated(names: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}
