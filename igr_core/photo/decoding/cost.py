"""Reject small image files that would take minutes to open: their blocks and scans are counted first."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ...errors import IGRError

MOST_BLOCKS = 100_000
"""Maximum number of blocks of a PNG, JPEG or GIF, which Pillow reads one by one; a PNG of 64 megapixels has 25,000."""
MOST_SCANS = 64
"""Maximum number of scans of a progressive JPEG, each of which decodes the whole image again; encoders write about
10."""
LONGEST_HEADER = 4096
"""Maximum length in bytes of the header of a PPM, including comments, which Pillow reads byte by byte."""
LONGEST_TEXT = 4_000_000
"""Maximum size in bytes of a PPM that contains its numbers as text, which Pillow parses in Python."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_LONE = (0x01, *range(0xD0, 0xD9))
"""JPEG markers without a segment."""
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""The next marker in the data of a JPEG scan."""
_COMMENT = re.compile(rb"#[^\r\n]*[\r\n]")


def check_cost(source: Path | bytes, name: str) -> None:
    """Raise IGRError with `name` if the image would take too long to open. Damaged files are left to the decoder.

    Raises OSError if the file cannot be read.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        start = file.read(8)
        for magic, check in _CHECKS.items():
            if start.startswith(magic):
                file.seek(0)
                problem = check(file)
                if problem:
                    raise IGRError(f"{name} has {problem}: save the image again in an image editor.")


def _png(file: BinaryIO) -> str:
    file.seek(len(_PNG))
    for _ in range(MOST_BLOCKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return ""
        file.seek(int.from_bytes(head[:4], "big") + 4, io.SEEK_CUR)
    return f"more than {MOST_BLOCKS:,} chunks"


def _jpeg(file: BinaryIO) -> str:
    data, place, scans, progressive = file.read(), 2, 0, False
    for _ in range(MOST_BLOCKS):
        while data[place : place + 2] == b"\xff\xff":
            place += 1
        if place + 4 > len(data) or data[place] != 0xFF:
            return ""
        marker = data[place + 1]
        if marker == 0xD9:
            return ""
        progressive = progressive or marker in _PROGRESSIVE
        place += 2 if marker in _LONE else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker != 0xDA:
            continue
        scans += 1
        found = _MARKER.search(data, place) if progressive else None
        if found is None:
            return ""
        if scans > MOST_SCANS:
            return f"more than {MOST_SCANS} scans"
        place = found.start(1) - 1
    return f"more than {MOST_BLOCKS:,} segments"


def _gif(file: BinaryIO) -> str:
    """Count the blocks of data before the first frame."""
    head = file.read(13)
    if len(head) == 13 and head[10] & 0x80:
        file.seek(3 * 2 ** ((head[10] & 7) + 1), io.SEEK_CUR)
    inside = False
    for _ in range(MOST_BLOCKS):
        size = file.read(1)
        if not inside:
            if size != b"!":
                return ""
            file.seek(1, io.SEEK_CUR)  # the kind of extension
            inside = True
        elif not size:
            return ""
        else:
            inside = size != b"\0"
            file.seek(size[0], io.SEEK_CUR)
    return f"more than {MOST_BLOCKS:,} blocks before its first frame"


def _ppm(file: BinaryIO) -> str:
    head = file.read(LONGEST_HEADER)
    numbers = _COMMENT.sub(b" ", head).split()
    if len(head) == LONGEST_HEADER and len(numbers) <= (3 if head[1:2] in b"14" else 4):
        return f"a header of more than {LONGEST_HEADER:,} bytes"
    if head[1:2] in b"123" and file.seek(0, io.SEEK_END) > LONGEST_TEXT:
        return f"more than {LONGEST_TEXT // 1_000_000} MB of numbers as text"
    return ""


_CHECKS: dict[bytes, Callable[[BinaryIO], str]] = {
    _PNG: _png,
    b"\xff\xd8\xff": _jpeg,
    b"GIF8": _gif,
    **{b"P%d" % number: _ppm for number in range(1, 7)},
}
"""A check for each type of file, by its first bytes; it returns what is wrong, or an empty string."""
