"""Read the rows of a catalogue's table from a CSV or Parquet file or a folder of photos, local or at a URL."""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ...errors import IGRError
from ...photo.image_files import name_key
from ...restore.pairing import CLASH, FileNames, first_photo, mask_finder, photo_order, sort_names
from ...storage import Folder, is_url, read_location
from ...text import WORKBOOKS, check_no_workbook, decode_table

if TYPE_CHECKING:
    import pyarrow

COLUMNS = ("photo", "mask", "box", "category", "name", "garment")
"""Columns that a table may have; photo is required."""
_PARQUET = (".parquet", ".pq")
_TABLES = (".csv", *_PARQUET)
_BEYOND = "\0"
"""Name under which the cells of a CSV line beyond its header are read; no column can have it."""
_TOO_LONG = "The row has more cells than the header: put cells that contain the separator in quotation marks."


@dataclass(frozen=True)
class Row:
    """A row of the table: a garment in a photo."""

    number: int
    """Number of the row, starting at 1; for a folder, number of the photo in order of names."""
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
    unused: tuple[str, ...] = ()
    """Names of the table's columns that are not used."""
    ignored: tuple[str, ...] = ()
    """Names of files in the photo folder that are not images."""
    in_folder: bool = False
    """Whether the rows are the photos of a folder."""
    folder: str = ""
    """Local folder of the table, or of the photos and their masks, which may be moved; empty for a URL."""


def read_table(source: str, masks: str | None = None) -> Table:
    """Read a .csv or .parquet file with COLUMNS, or list the photos of a folder; `source` is a path or an fsspec URL.

    Relative paths in a table are relative to its folder, and rows with only empty cells are left out. Photos of a
    folder can have masks of the same name in the `masks` folder, as in restore.pairing, and NAME__2.jpg is another
    photo of the garment in NAME.jpg. Raises IGRError if the source cannot be read, has no photo column, has several
    columns with the same name, or has no rows.
    """
    if suffix(source) in WORKBOOKS and (is_url(source) or os.path.isfile(source)):
        check_no_workbook(read_location(source), source)
    if suffix(source) not in _TABLES or (not is_url(source) and os.path.isdir(source)):
        return _photos_of_folder(source, masks)
    if masks is not None:
        raise IGRError("--masks only works with a folder of photos: add a mask column to the table.")
    data = _read_file(source)
    read = _read_csv if source.lower().endswith(".csv") else _read_parquet
    names, lines = read(source, data)
    columns = _columns(source, names)
    folder = source.rpartition("/")[0] if is_url(source) else os.path.dirname(source)
    given = ((number, line) for number, line in enumerate(lines, 1) if not _is_blank(line))
    rows = tuple(_row(number, line, columns, folder) for number, line in given)
    if not rows:
        raise IGRError(f"{source} has no rows below its header: add one row per garment.")
    unused = tuple(_named(name for name in names if name not in columns.values()))
    return Table(rows, unused, folder="" if is_url(source) else folder)


def _read_file(source: str) -> bytes:
    try:
        return read_location(source)
    except IGRError:
        if is_url(source) and suffix(source) in _PARQUET:
            _refuse_parquet_folder(source, Folder(source).names())
        raise


def _refuse_parquet_folder(source: str, names: Iterable[str]) -> None:
    """Raise IGRError if the names in a folder are those of Parquet files."""
    if any(suffix(name) in _PARQUET for name in names):
        raise IGRError(
            f"{source} is a folder of Parquet files, as Spark and Dask write them: choose one of its files, or write "
            "the table as a single file."
        )


def _columns(source: str, names: Sequence[str]) -> dict[str, str]:
    """Map each of COLUMNS that a table has to its name in the table, which may differ in case."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.strip().casefold(), []).append(name)
    if "photo" not in found:
        listed = ", ".join(_named(names))
        what = f"has the columns {listed}, but not photo" if listed else "has no columns"
        raise IGRError(f"{source} {what}: rename the column with the photo paths to photo.")
    for name in COLUMNS:
        if len(found.get(name, ())) > 1:
            raise IGRError(f"{source} has several columns named {name}: keep one of them.")
    return {name: found[name][0] for name in COLUMNS if name in found}


def _named(names: Iterable[str]) -> list[str]:
    """Names of columns, except empty ones, such as the one after a separator at the end of a header."""
    return [name.strip() for name in names if name.strip()]


def stem(location: str) -> str:
    """Name of a file at a path or URL, without its extension."""
    path = urlsplit(location).path if location.startswith(("http://", "https://")) else location
    return PurePosixPath(path.replace(os.sep, "/")).stem


def suffix(location: str) -> str:
    """Extension of a file at a path or URL, in lower case."""
    return PurePosixPath(location).suffix.lower()


def _photos_of_folder(source: str, masks: str | None) -> Table:
    if not is_url(source) and not os.path.isdir(source):
        kind = "is not a .csv or .parquet table or a folder" if os.path.exists(source) else "does not exist"
        raise IGRError(f"{source} {kind}: specify a table or a folder of photos.")
    folder = Folder(source)
    found = _sorted_in(folder)
    if not found.images and not found.unread:
        _refuse_parquet_folder(source, found.ignored)
        raise IGRError(f"{source} has no images: choose another folder, or a .csv or .parquet table.")
    mask_of = _mask_finder(found.images, source, masks)
    photos = sorted(found.images, key=lambda name: photo_order(stem(name)))
    stems = {name_key(stem(name)): stem(name) for name in photos} | {stem(name): stem(name) for name in photos}
    rows: list[Row] = []
    taken: dict[str, str] = {}
    for number, name in enumerate(photos, 1):
        own = stem(name)
        garment = "" if own in taken else first_photo(own, stems) or own  # anna.png is not a further photo of anna.jpg
        mask, error = mask_of(name)
        if own in taken:
            error = error or CLASH.format(name=taken[own])
        rows.append(Row(number, folder.at(name), mask, name=garment or own, garment=garment, error=error))
        taken.setdefault(own, name)
    for number, (name, error) in enumerate(found.unread.items(), len(rows) + 1):
        rows.append(Row(number, folder.at(name), error=error))
    return Table(tuple(rows), (), found.ignored, True, "" if is_url(source) else _project(folder.url, masks))


def _project(photos: str, masks: str | None) -> str:
    """The folder that contains both photos and masks, if these are beside each other; otherwise that of the photos."""
    parent = os.path.dirname(photos)
    return parent if masks is not None and os.path.dirname(Folder(masks).url) == parent else photos


def _mask_finder(photos: Iterable[str], source: str, masks: str | None) -> Callable[[str], tuple[str, str]]:
    """Return a function that maps a photo's name to the path of its mask and an error message.

    The error message is empty unless the photo does not have exactly one mask; without `masks`, both are empty.
    """
    if masks is None:
        return lambda name: ("", "")
    if not is_url(masks) and os.path.isdir(masks) and not is_url(source) and os.path.samefile(masks, source):
        raise IGRError(f"--masks is the photo folder {source} itself: put the masks into a separate folder.")
    folder = Folder(masks)
    found = _sorted_in(folder)
    if not found.images and not found.unread:
        raise IGRError(f"--masks {masks} has no images: choose the folder that contains the masks.")
    name_of = mask_finder(photos, found, masks)

    def mask_of(photo: str) -> tuple[str, str]:
        try:
            return folder.at(name_of(photo)), ""
        except IGRError as error:
            return "", str(error)

    return mask_of


def _sorted_in(folder: Folder) -> FileNames:
    entries = folder.entries()
    return sort_names(entries, [name for name, is_folder in entries.items() if is_folder])


def _is_blank(line: Mapping[str, Any]) -> bool:
    return not any(map(_text, line.values()))


def _row(number: int, line: Mapping[str, Any], columns: Mapping[str, str], folder: str) -> Row:
    found = {name: _text(line.get(own)) for name, own in columns.items()}
    for name in ("photo", "mask"):
        found[name] = _place(found.get(name, ""), folder)
    return Row(number, **found, error=_TOO_LONG if _text(line.get(_BEYOND)) else "")


def _text(value: Any) -> str:
    """A cell as text; empty for a missing value. Entries of lists, such as boxes in Parquet, are joined with spaces."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():  # a column of integers with gaps
        value = int(value)
    if isinstance(value, (list, tuple)):
        return " ".join(str(one) for one in value).strip()
    return str(value).strip()


def _place(location: str, folder: str) -> str:
    """A path or URL in a table, relative to the table's folder."""
    if not location or "://" in location:
        return location
    if is_url(folder) and not os.path.isabs(location):
        return f"{folder}/{location}"
    return _in_form_on_disk(folder, location)


def _in_form_on_disk(folder: str, location: str) -> str:
    """A local path in the Unicode form, NFC or NFD, in which it exists on disk; macOS uses both."""
    path = os.path.join(folder, location)
    if location.isascii() or os.path.lexists(path):
        return path
    found = folder
    for name in Path(location).parts:
        forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
        tried = [os.path.join(found, form) for form in forms]
        found = next(filter(os.path.lexists, tried), "")
        if not found:
            return path
    return found


def _read_csv(source: str, data: bytes) -> tuple[list[str], Iterable[Mapping[str, Any]]]:
    check_no_workbook(data, source)
    try:
        table = decode_table(data, {"photo"})
        reader = csv.DictReader(
            io.StringIO(table.text, newline=""), restkey=_BEYOND, strict=True, delimiter=table.separator
        )
        return list(reader.fieldnames or ()), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise IGRError(f"{source} cannot be read as a CSV file in UTF-8 ({error}): save it again.") from error


def _read_parquet(source: str, data: bytes) -> tuple[list[str], Iterable[Mapping[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(io.BytesIO(data))
        names = list(schema.names)
        found = _columns(source, names)
        for name in ("photo", "mask"):
            if name in found:
                _check_type(source, name, schema.field(found[name]).type)
        columns = list(found.values())
        lines = pyarrow.parquet.read_table(io.BytesIO(data), columns=columns).to_pylist()
        if any(map(_is_blank, lines)) and len(set(names)) == len(names):  # unless another column has a value
            lines = pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()
        return names, lines
    except IGRError:
        raise
    except (OSError, ValueError, OverflowError, pyarrow.ArrowException) as error:
        raise IGRError(f"{source} cannot be read as a Parquet file ({error}): write it again.") from error


def _check_type(source: str, name: str, found: pyarrow.DataType) -> None:
    """Raise IGRError if a column contains images or other data in place of paths."""
    import pyarrow

    kind = found.value_type if pyarrow.types.is_dictionary(found) else found
    if pyarrow.types.is_nested(kind) or "binary" in str(kind):
        raise IGRError(
            f"The column {name} of {source} has the type {found}, but must contain paths: write the images to files, "
            "and their paths to this column."
        )
