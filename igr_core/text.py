"""Make text from files and file names safe to display."""

from __future__ import annotations

import io
import sys
import unicodedata

_MARKUP = str.maketrans("<>", "‹›")
_KEPT = ("\n", "\t")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of text that a spreadsheet computes instead of showing it."""
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
    """Whether a file name was valid in the system's encoding, so that it can be written to files and used by others."""
    return not any("\ud800" <= one <= "\udfff" for one in text)


def without_markup(text: str) -> str:
    """The text as `plain` shows it, with ‹ and › for < and >, for places that may show it as HTML."""
    return plain(text).translate(_MARKUP)


def as_cell(text: str) -> str:
    """Text for a CSV file, with an apostrophe before what a spreadsheet would compute."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def from_cell(text: str) -> str:
    """The text that as_cell was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def show_what_cannot_be_encoded() -> None:
    """Make stdout and stderr escape characters that their encoding lacks instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs"


def _spelled(character: str) -> str:
    if ord(character) in _UNDECODED:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
