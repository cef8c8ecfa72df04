"""Grey TIFFs of every depth are read with 0 for black and 1 for white, as photos and as masks."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from igr_core.photo.image_files import image_size
from igr_core.photo.images import load_mask, load_photo

WIDTH, HEIGHT = 24, 32
RAMP = np.linspace(0.1, 0.9, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
BLOCK = np.zeros((HEIGHT, WIDTH))
BLOCK[4:20, 3:10] = 1


def tiff(path: Path, data: bytes, bits: int, white_is_zero: bool = False, kind: int = 1) -> Path:
    """A TIFF of one strip; Pillow writes none of these types. `kind` is 1 for unsigned, 2 for signed, 3 for floats."""
    tags = [(256, WIDTH), (257, HEIGHT), (258, bits), (259, 1), (262, int(not white_is_zero)), (273, 0), (277, 1)]
    tags += [(278, HEIGHT), (279, len(data)), (339, kind)]
    start = 8 + 2 + 12 * len(tags) + 4
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    head += b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in tags)
    path.write_bytes(head + bytes(4) + data)
    return path


def packed(values: np.ndarray) -> bytes:
    """12-bit numbers, two in three bytes."""
    first, second = values.reshape(-1, 2).astype(int).T
    return np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype(np.uint8).tobytes()


def stored(kind: str, unit: np.ndarray, path: Path) -> Path:
    """An image in 0..1 as a TIFF of this kind."""
    if kind == "12 bits":
        return tiff(path, packed((unit * 4095).round()), 12)
    if kind == "floats, white is 0":
        return tiff(path, (1 - unit).astype("<f4").tobytes(), 32, True, 3)
    if kind == "8 bits in 32":
        return tiff(path, (unit * 255).round().astype("<i4").tobytes(), 32, kind=2)
    if kind == "signed 16 bits":
        return tiff(path, (unit * 32767).round().astype("<i2").tobytes(), 16, kind=2)
    white_is_zero = kind == "16 bits, white is 0"
    levels = (unit * 65535).round()
    return tiff(path, (65535 - levels if white_is_zero else levels).astype("<u2").tobytes(), 16, white_is_zero)


@pytest.mark.parametrize(
    "kind",
    ["16 bits", "16 bits, white is 0", "12 bits", "signed 16 bits", "8 bits in 32", "floats, white is 0"],
)
def test_every_depth_is_read_alike(kind: str, tmp_path: Path) -> None:
    photo = load_photo(stored(kind, RAMP, tmp_path / "a.tif"))
    assert torch.allclose(photo[0, 0].double(), torch.from_numpy(RAMP), atol=0.003)
    assert torch.equal(load_mask(stored(kind, BLOCK, tmp_path / "m.tif"))[0, 0].double(), torch.from_numpy(BLOCK))


@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_in_the_header_is_that_of_the_upright_image(suffix: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    Image.fromarray((RAMP * 255).astype(np.uint8)).convert("RGB").save(path, exif=exif)
    photo = load_photo(path)
    assert image_size(path, "a") == (photo.shape[-1], photo.shape[-2])
    assert photo.shape[-2:] == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))


def test_thumbnails_in_front_of_the_photo_are_skipped(tmp_path: Path) -> None:
    small, photo = Image.new("L", (WIDTH, HEIGHT), 200), Image.new("L", (2 * WIDTH, 2 * HEIGHT), 30)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    with TiffImagePlugin.AppendingTiffWriter(tmp_path / "a.tif", True) as file:
        small.save(file, "TIFF", tiffinfo=tags)
        file.newFrame()
        photo.save(file, "TIFF")
    assert image_size(tmp_path / "a.tif", "a.tif") == photo.size
    assert load_photo(tmp_path / "a.tif").unique().tolist() == pytest.approx([30 / 255])
    small.save(tmp_path / "b.tif", tiffinfo=tags)
    assert load_photo(tmp_path / "b.tif").unique().tolist() == pytest.approx([200 / 255])


def test_thousands_of_odd_tags_cause_no_warnings(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    odd = [(40_000 + number, 4, 2**31, 0) for number in range(2000)]
    data = bytearray(tiff(tmp_path / "a.tif", bytes(WIDTH * HEIGHT), 8).read_bytes())
    (count,) = struct.unpack_from("<H", data, 8)
    table = [struct.unpack_from("<HHII", data, 10 + 12 * number) for number in range(count)]
    start = 8 + 2 + 12 * (count + len(odd)) + 4
    table = [(tag, kind, number, start if tag == 273 else value) for tag, kind, number, value in table] + odd
    head = b"II*\0" + struct.pack("<IH", 8, len(table)) + b"".join(struct.pack("<HHII", *one) for one in table)
    (tmp_path / "a.tif").write_bytes(head + bytes(4) + bytes(WIDTH * HEIGHT))
    assert load_photo(tmp_path / "a.tif").shape == (1, 3, HEIGHT, WIDTH)
    assert not recwarn.list
