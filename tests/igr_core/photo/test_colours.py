"""The colours that a file defines by its profile, gamma or EXIF data are converted to sRGB, equally in 8 and 16
bits."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, PngImagePlugin

from igr_core.photo.images import load_photo, load_photo_and_mask

WIDTH, HEIGHT = 24, 32
LEVELS = np.linspace(0, 255, WIDTH * HEIGHT).round().astype(np.uint8).reshape(HEIGHT, WIDTH)
"""Grey levels from black to white."""


def grey(bits: int) -> Image.Image:
    """The levels in 8 or in 16 bits."""
    return Image.fromarray(LEVELS if bits == 8 else LEVELS.astype(np.uint16) * 257)


def with_gamma(path: Path, gamma: float) -> None:
    """Add a gAMA chunk to a PNG."""
    plain, out = path.read_bytes(), io.BytesIO()
    PngImagePlugin.putchunk(out, b"gAMA", round(gamma * 100_000).to_bytes(4, "big"))
    path.write_bytes(plain[:33] + out.getvalue() + plain[33:])


def grey_profile(gamma: float) -> bytes:
    """A minimal ICC profile of grey with a gamma."""
    curve = b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    white = b"XYZ \0\0\0\0" + b"".join(round(v * 65536).to_bytes(4, "big") for v in (0.9642, 1.0, 0.8249))
    text = b"desc\0\0\0\0" + (5).to_bytes(4, "big") + b"grey\0" + bytes(4 + 4 + 2 + 1 + 67) + b"\0\0"
    tags = {b"desc": text, b"wtpt": white, b"kTRC": curve}
    head, body, place = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        head += name + (place + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        body += data
    size = place + len(body)
    start = size.to_bytes(4, "big") + b"lcms" + bytes.fromhex("02400000") + b"mntrGRAYXYZ " + bytes(12) + b"acsp"
    start = (start + bytes(28)).ljust(68, b"\0") + white[8:20]
    return start.ljust(128, b"\0") + len(tags).to_bytes(4, "big") + head + body


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8])
def test_the_gamma_of_a_png_counts_in_sixteen_bits_too(tmp_path: Path, gamma: float) -> None:
    photos = []
    for bits in (8, 16):
        grey(bits).save(tmp_path / f"{bits}.png")
        with_gamma(tmp_path / f"{bits}.png", gamma)
        photos.append(load_photo(tmp_path / f"{bits}.png"))
    assert photos[0][0, 0, HEIGHT // 2, 0] > LEVELS[HEIGHT // 2, 0] / 255 + 0.04  # brighter than stored
    assert torch.allclose(photos[0], photos[1], atol=0.003)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_grey_profile_counts_in_sixteen_bits_too(tmp_path: Path, suffix: str) -> None:
    photos = []
    for bits in (8, 16):
        path = tmp_path / f"{bits}{suffix}"
        grey(bits).save(path, icc_profile=grey_profile(1.0))
        photos.append(load_photo(path))
    middle = float(photos[0][0, 0, HEIGHT // 2, 0])
    assert middle == pytest.approx(0.735, abs=0.02)  # half of the light
    assert torch.allclose(photos[0], photos[1], atol=0.005)


def test_the_transparent_level_of_a_sixteen_bit_photo_is_white(tmp_path: Path) -> None:
    deep = LEVELS.astype(np.uint16) * 257
    deep[:8] = 300
    path, mask = tmp_path / "a.png", tmp_path / "m.png"
    Image.fromarray(deep).save(path, transparency=300)
    Image.fromarray(np.where(np.arange(HEIGHT)[:, None] >= 16, 255, np.zeros_like(LEVELS))).save(mask)
    photo, _ = load_photo_and_mask(path, mask)
    assert (photo[0, :, :8] == 1).all()
    assert torch.allclose(photo[0, 0, 8:], torch.from_numpy(LEVELS[8:] / 255).float(), atol=1e-4)
    like_host = load_photo(path, like_load_image=True)
    assert float(like_host[0, 0, 0, 0]) == pytest.approx(300 / 65535, abs=1e-4)


def camera_jpeg(path: Path, interoperability: str, colour_space: int) -> Path:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = colour_space
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: interoperability}
    Image.new("RGB", (WIDTH, HEIGHT), (100, 200, 100)).save(path, exif=exif, quality=100)
    return path


def test_a_cameras_adobe_rgb_is_converted(tmp_path: Path) -> None:
    photo = load_photo(camera_jpeg(tmp_path / "a.jpg", "R03", 0xFFFF))
    # (0.392, 0.784, 0.392) in Adobe RGB: more red is taken away than a saturated green of sRGB has
    expected = torch.tensor([0.0, 0.789, 0.369])
    assert torch.allclose(photo[0, :, 5, 5], expected, atol=0.02)
    for interoperability, colour_space in (("R98", 1), ("R98", 0xFFFF), ("R03", 1)):
        plain = load_photo(camera_jpeg(tmp_path / "b.jpg", interoperability, colour_space))
        assert torch.allclose(plain[0, :, 5, 5] * 255, torch.tensor([100.0, 200, 100]), atol=2)
