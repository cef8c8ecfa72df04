"""Make text from files and file names safe to display, and read the tables of spreadsheets."""

from __future__ import annotations

import csv
import io
import re
import sys
import unicodedata
from collections.abc import Set
from typing import NamedTuple

from .errors import IGRError

_MARKUP = str.maketrans("<>", "‹›")
_KEPT = ("\n", "\t")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of text that a spreadsheet evaluates as a formula."""
_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n"])"?(\r\n|\r|\n)', re.IGNORECASE)
"""First line of a table that specifies its separator for Excel."""
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
"""Extensions of workbooks, in lower case."""
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""First bytes of workbooks: a zip archive, or the container of .xls."""
_UNDECODED = range(0xDC80, 0xDD00)
"""Code points with which Python represents the bytes of file names that are not valid UTF-8."""


def plain(text: str) -> str:
    """The text with escape sequences, other control characters, bidirectional marks and undecoded bytes escaped.

    Line breaks and tabs are kept.
    """
    return "".join(one if one in _KEPT or one.isprintable() or _is_space(one) else _spelled(one) for one in text)


def one_line(text: str) -> str:
    """The text as `plain` shows it, but with line breaks and tabs also escaped, as an HTTP header requires."""
    return "".join(_spelled(one) if one in _KEPT else one for one in plain(text))


def is_decoded(text: str) -> bool:
    """Whether a file name was valid in the system's encoding, so that it can be encoded again in text files."""
    return not any("\ud800" <= one <= "\udfff" for one in text)


def without_markup(text: str) -> str:
    """The text as `plain` shows it, with ‹ and › for < and >, for places that may show it as HTML."""
    return plain(text).translate(_MARKUP)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, such as `1 photo` or `2,000 photos`; `plural` is the plural of an irregular noun."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def as_cell(text: str) -> str:
    """Text for a CSV file, prefixed with an apostrophe if a spreadsheet would evaluate it as a formula."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def from_cell(text: str) -> str:
    """The original text of a cell from as_cell."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def show_what_cannot_be_encoded() -> None:
    """Make stdout and stderr escape characters that their encoding lacks instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Delimited(NamedTuple):
    """A decoded table."""

    text: str
    """The table from its header on."""
    separator: str
    """Character between its cells."""
    skipped: int
    """Number of lines before the header."""


def check_no_workbook(data: bytes, name: str) -> None:
    """Raise IGRError naming a file that should be CSV, but is a workbook, whatever its extension."""
    if data.startswith(_WORKBOOKS):
        raise IGRError(f"{name} is an Excel or OpenDocument workbook, not a CSV file: save the table as CSV in UTF-8.")


def decode_text(data: bytes) -> str:
    """Decode text in UTF-8, or in UTF-16 with a byte order mark; raises UnicodeDecodeError for other encodings."""
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def decode_table(data: bytes, wanted: Set[str]) -> Delimited:
    """Decode a table in UTF-8 or UTF-16 whose header should have the columns `wanted`, in lower case.

    The separator is the one specified by a first line such as Excel's `sep=;`. Without such a line, it is the one that
    splits the header into the columns `wanted` or, if none does, the most frequent one. Raises UnicodeDecodeError for
    other encodings.
    """
    text = decode_text(data)
    named = _SEPARATOR_LINE.match(text)
    if named is not None:
        return Delimited(text[named.end() :], named[1], 1)
    first = text.partition("\n")[0]
    return Delimited(text, max(_SEPARATORS, key=lambda one: (wanted <= _header(text, one), first.count(one))), 0)


def _is_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs"


def _spelled(character: str) -> str:
    if ord(character) in _UNDECODED:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _header(text: str, separator: str) -> set[str]:
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error:
        return set()
    return {cell.strip().casefold() for cell in cells}
