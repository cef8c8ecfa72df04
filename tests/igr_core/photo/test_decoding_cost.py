"""Small files that would take minutes to open are rejected immediately, and unusual but valid files are read."""

from __future__ import annotations

import io
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from igr_core.photo.decoding.cost import LONGEST_HEADER, LONGEST_TEXT, MOST_BLOCKS, MOST_SCANS
from igr_core.photo.image_files import decode_image, image_size

SIZE = (64, 96)


def saved(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(SIZE[0] * SIZE[1], dtype=np.uint32).astype(np.uint8).reshape(SIZE[::-1])).save(
        out, kind, **options
    )
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def scans(count: int, tail: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = saved("JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9" + tail


def with_chunks(count: int) -> bytes:
    data = saved("PNG")
    return data[:33] + chunk(b"zzZz", b"") * count + data[33:]


def with_segments(count: int) -> bytes:
    data = saved("JPEG")
    return data[:2] + b"\xff\xe9\x00\x02" * count + data[2:]


def with_blocks(count: int) -> bytes:
    data = saved("GIF")
    first = data.find(b"\x2c", 13 + 3 * 256)  # after the palette
    return data[:first] + b"\x21\xfe" + b"\x01a" * count + b"\0" + data[first:]


def ppm(comment: int = 0, numbers: int = 0) -> bytes:
    return b"P2 #" + b"a" * comment + b"\n64 96 255 " + b"7 " * (64 * 96) + b" " * numbers


def tiff(strips: int, big: bool = False) -> bytes:
    """A TIFF whose header says that it has this many strips."""
    data, width = bytearray(saved("TIFF", big_tiff=big)), 8 if big else 4
    place = data.find((273).to_bytes(2, "little"), 16)
    data[place + 4 : place + 4 + width] = strips.to_bytes(width, "little")
    return bytes(data)


def bmp(side: int, compression: int) -> bytes:
    """The header of a BMP."""
    data = bytearray(saved("BMP"))
    for at, value in ((18, side), (22, side), (30, compression)):
        data[at : at + 4] = value.to_bytes(4, "little")
    return bytes(data)


COSTLY = {
    "run-length encoding": (bmp(2001, 2), "more than 4 megapixels in run-length encoding"),
    "strips": (tiff(MOST_BLOCKS + 1), "more than 100,000 strips"),
    "strips of a BigTIFF": (tiff(MOST_BLOCKS + 1, big=True), "more than 100,000 strips"),
    "scans": (scans(MOST_SCANS), "more than 64 scans"),
    "chunks": (with_chunks(MOST_BLOCKS), "more than 100,000 chunks"),
    "segments": (with_segments(MOST_BLOCKS), "more than 100,000 segments"),
    "blocks": (with_blocks(MOST_BLOCKS), "more than 100,000 blocks before its first frame"),
    "comment": (ppm(comment=LONGEST_HEADER), "a header of more than 4,096 bytes"),
    "text": (ppm(numbers=LONGEST_TEXT), "more than 4 MB of numbers as text"),
}


@pytest.mark.parametrize("kind", COSTLY)
@pytest.mark.parametrize("read", [decode_image, image_size])
def test_files_that_take_minutes_to_open_are_rejected(kind: str, read, tmp_path: Path) -> None:
    data, words = COSTLY[kind]
    path = tmp_path / "bomb.png"
    path.write_bytes(data)
    start = time.process_time()
    for source in (path, data):
        with pytest.raises(IGRError, match=f"^bomb.png has {words}: save the image again in an image editor"):
            read(source, "bomb.png")
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "data",
    [
        scans(10),
        scans(0, tail=b"\xff\xda" * 1000),  # a video after the photo, as some phones append it
        saved("JPEG", exif=b"Exif\0\0" + b"\xff\xda" * 500),
        with_chunks(1000),
        with_segments(1000),
        with_blocks(1000),
        ppm(comment=2000),
        tiff(1),
        saved("BMP"),
        saved("BMP")[:20],
        tiff(1, big=True),
        saved("TIFF")[:12],
        saved("JPEG", progressive=True)[:400],
        saved("GIF")[:12],
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"P5",
    ],
)
def test_sound_and_truncated_files_reach_the_decoder(data: bytes) -> None:
    try:
        assert decode_image(data, "a").size == SIZE
    except IGRError as error:
        assert len(data) < 500 and any(word in str(error) for word in ("truncated", "damaged", "not a supported"))
