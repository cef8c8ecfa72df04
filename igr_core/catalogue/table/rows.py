"""Read the rows of a catalogue's table from a CSV or Parquet file or a folder of photos, all local or at a URL."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ...errors import IGRError
from ...photo.image_files import UNREAD_SUFFIXES, is_image_name, name_key
from ...restore.pairing import first_photo, photo_order
from ...storage import Folder, is_url, read_location

COLUMNS = ("photo", "mask", "box", "category", "name", "garment")
"""Columns that a table may have; photo is required."""
_TABLES = (".csv", ".parquet", ".pq")


@dataclass(frozen=True)
class Row:
    """A row of the table: a garment in a photo."""

    number: int
    """Number of the row, starting at 1; for a folder, of the photo in the order of names."""
    photo: str
    """Path or URL of the photo."""
    mask: str = ""
    """Path or URL of the garment mask; empty if the mask must be found."""
    box: str = ""
    """Box around the garment, `x0 y0 x1 y1` in pixels of the upright photo; empty if there is none."""
    category: str = ""
    """upper, lower, full or auto; empty for the default."""
    name: str = ""
    """Name of the garment's files, without an extension; empty for the default."""
    garment: str = ""
    """Identifier shared by all photos of one garment; empty for a garment with a single photo."""
    error: str = ""
    """Error message if the row cannot be used."""


class Table(NamedTuple):
    """The rows of a table."""

    rows: tuple[Row, ...]
    """The rows, in order."""
    unused: tuple[str, ...]
    """Names of the table's other columns."""


def read_table(source: str, masks: str | None = None) -> Table:
    """Read a .csv or .parquet file with COLUMNS, or list the photos of a folder; `source` is a path or an fsspec URL.

    Relative paths in a table are relative to its folder. Photos of a folder can have masks of the same name in the
    folder `masks`, and NAME__2.jpg is another photo of the garment in NAME.jpg. Raises IGRError if the source cannot be
    read, has no column photo, or has no rows.
    """
    if suffix(source) not in _TABLES or (not is_url(source) and os.path.isdir(source)):
        return Table(_photos_of_folder(source, masks), ())
    if masks is not None:
        raise IGRError("--masks only works with a folder of photos: add the column mask to the table.")
    data = read_location(source)
    read = _read_csv if source.lower().endswith(".csv") else _read_parquet
    names, lines = read(source, data)
    if "photo" not in names:
        found = f"has the columns {', '.join(names)}, but not photo" if names else "has no columns"
        raise IGRError(f"{source} {found}: give the name photo to the column that contains the paths of the photos.")
    folder = source.rpartition("/")[0] if is_url(source) else os.path.dirname(source)
    rows = tuple(_row(number, line, folder) for number, line in enumerate(lines, 1))
    if not rows:
        raise IGRError(f"{source} has no rows below its header: add one row per garment.")
    return Table(rows, tuple(name for name in names if name not in COLUMNS))


def stem(location: str) -> str:
    """Name of a file at a path or URL, without its extension."""
    path = urlsplit(location).path if location.startswith(("http://", "https://")) else location
    return PurePosixPath(path.replace(os.sep, "/")).stem


def suffix(location: str) -> str:
    """Extension of a file at a path or URL, in lower case."""
    return PurePosixPath(location).suffix.lower()


def _photos_of_folder(source: str, masks: str | None) -> tuple[Row, ...]:
    if not is_url(source) and not os.path.isdir(source):
        kind = "is not a .csv or .parquet table or a folder" if os.path.exists(source) else "does not exist"
        raise IGRError(f"{source} {kind}: specify a table or a folder of photos.")
    folder = Folder(source)
    names = folder.names()
    photos = [name for name in names if is_image_name(name)]
    if not photos:
        raise IGRError(f"{source} has no images: choose another folder, or a .csv or .parquet table.")
    mask_of = _masks_by_name(masks)
    stems = {name_key(stem(name)): stem(name) for name in photos} | {stem(name): stem(name) for name in photos}
    rows, taken = [], set[str]()
    for number, name in enumerate(sorted(photos, key=lambda name: photo_order(stem(name))), 1):
        own = stem(name)
        garment = "" if own in taken else first_photo(own, stems) or own  # a second anna is not a photo of the first
        mask, error = mask_of(name)
        rows.append(Row(number, folder.at(name), mask, name=garment or own, garment=garment, error=error))
        taken.add(own)
    for number, name in enumerate((name for name in names if suffix(name) in UNREAD_SUFFIXES), len(rows) + 1):
        error = f"Images of the type {suffix(name)} are not supported: save the photo as a PNG or JPEG."
        rows.append(Row(number, folder.at(name), error=error))
    return tuple(rows)


def _masks_by_name(masks: str | None) -> Callable[[str], tuple[str, str]]:
    """A function from a photo's name to its mask's path, or to an error message if it does not have exactly one.

    The name of a mask may differ from the photo's in case or Unicode form, as in restore.pairing.
    """
    if masks is None:
        return lambda name: ("", "")
    folder = Folder(masks)
    exact: dict[str, list[str]] = {}
    similar: dict[str, list[str]] = {}
    for name in folder.names():
        if is_image_name(name):
            exact.setdefault(stem(name), []).append(name)
            similar.setdefault(name_key(stem(name)), []).append(name)
    if not exact:
        raise IGRError(f"--masks {masks} has no images: choose the folder that contains the masks.")

    def mask_of(photo: str) -> tuple[str, str]:
        found = exact.get(stem(photo)) or similar.get(name_key(stem(photo)), [])
        if len(found) > 1:
            return "", f"The photo has the masks {' and '.join(found)}: keep one of them."
        return (
            (folder.at(found[0]), "") if found else ("", f"The photo has no mask: put {stem(photo)}.png into {masks}.")
        )

    return mask_of


def _row(number: int, line: Mapping[str, Any], folder: str) -> Row:
    found = {name: _text(line.get(name)) for name in COLUMNS}
    for name in ("photo", "mask"):
        found[name] = _place(found[name], folder)
    return Row(number, **found)


def _text(value: Any) -> str:
    """A cell as text; empty for a missing value. Lists, such as boxes in Parquet files, are written with spaces."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():  # a column of integers with gaps
        value = int(value)
    if isinstance(value, (list, tuple)):
        return " ".join(str(one) for one in value)
    return str(value).strip()


def _place(location: str, folder: str) -> str:
    """A path or URL in a table, relative to the table's folder."""
    if not location or not folder or "://" in location or os.path.isabs(location):
        return location
    return f"{folder}/{location}" if is_url(folder) else os.path.join(folder, location)


def _read_csv(source: str, data: bytes) -> tuple[list[str], Iterable[Mapping[str, Any]]]:
    try:
        text = data.decode("utf-8-sig")
        delimiter = max(",;\t", key=text.partition("\n")[0].count)  # spreadsheets use that of the country
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
        return [name.strip() for name in reader.fieldnames or ()], list(_stripped(reader))
    except (UnicodeDecodeError, csv.Error) as error:
        raise IGRError(f"{source} cannot be read as a CSV file in UTF-8 ({error}): save it again.") from error


def _stripped(lines: Iterable[Mapping[str | None, Any]]) -> Iterable[Mapping[str, Any]]:
    for line in lines:
        yield {name.strip(): value for name, value in line.items() if name is not None}


def _read_parquet(source: str, data: bytes) -> tuple[list[str], Iterable[Mapping[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        names = list(pyarrow.parquet.read_schema(io.BytesIO(data)).names)
        wanted = [name for name in names if name in COLUMNS]
        return names, pyarrow.parquet.read_table(io.BytesIO(data), columns=wanted).to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise IGRError(f"{source} cannot be read as a Parquet file ({error}): write it again.") from error
