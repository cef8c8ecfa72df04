"""Reject small image files that would take minutes to open: their blocks and scans are counted first."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ...errors import IGRError

MOST_BLOCKS = 100_000
"""Maximum number of blocks of a PNG, JPEG, GIF or TIFF, which Pillow reads one by one; a PNG of 64 megapixels has
25,000."""
MOST_SCANS = 64
"""Maximum number of scans of a progressive JPEG, each of which decodes the whole image again; encoders write about
10."""
LONGEST_HEADER = 4096
"""Maximum length in bytes of the header of a PPM, including comments, which Pillow reads byte by byte."""
LONGEST_TEXT = 4_000_000
"""Maximum size in bytes of a PPM that stores its numbers as text, which Pillow parses in Python."""

MOST_PAGES = 64
"""Maximum number of pages of a TIFF that are read, to count their blocks or to find one that is not a thumbnail."""
MOST_RUN_LENGTH_PIXELS = 4_000_000
"""Maximum number of pixels of a BMP in run-length encoding, which Pillow decodes in Python."""
_RUN_LENGTHS = (1, 2)
_OFFSETS = (273, 324)
"""TIFF tags that contain the offsets of an image's strips or tiles."""

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
            file.seek(1, io.SEEK_CUR)  # the type of the extension
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


def _tiff(file: BinaryIO) -> str:
    """Count the strips and tiles of the first pages, in the 32-bit layout or the 64-bit one (BigTIFF)."""
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = int.from_bytes(head[2:4], "little" if order == "<" else "big") == 43
    number, count, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    size, width = struct.calcsize(order + count), struct.calcsize(order + entry)
    try:
        (place,) = struct.unpack_from(order + number, head, 8 if big else 4)
        for _ in range(MOST_PAGES):
            if place == 0:
                break
            file.seek(place)
            (entries,) = struct.unpack(order + count, file.read(size))
            if entries > MOST_BLOCKS:
                return f"more than {MOST_BLOCKS:,} tags"
            table = file.read(entries * width)
            for tag, _, blocks, _ in struct.iter_unpack(order + entry, table):
                if tag in _OFFSETS and blocks > MOST_BLOCKS:
                    return f"more than {MOST_BLOCKS:,} strips"
            (place,) = struct.unpack(order + number, file.read(struct.calcsize(order + number)))
    except (struct.error, OSError, OverflowError):  # a damaged file, which the decoder reports
        return ""
    return ""


def _bmp(file: BinaryIO) -> str:
    """Limit the size of run-length encoded images."""
    head = file.read(34)
    width, height = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22))
    if int.from_bytes(head[30:34], "little") in _RUN_LENGTHS and abs(width * height) > MOST_RUN_LENGTH_PIXELS:
        return f"more than {MOST_RUN_LENGTH_PIXELS // 1_000_000} megapixels in run-length encoding"
    return ""


_CHECKS: dict[bytes, Callable[[BinaryIO], str]] = {
    _PNG: _png,
    b"\xff\xd8\xff": _jpeg,
    b"GIF8": _gif,
    b"BM": _bmp,
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    **{b"P%d" % number: _ppm for number in range(1, 7)},
}
"""A check for each type of file, by the file's first bytes; it returns the problem, or an empty string."""
