"""A photo and a mask in every file type, and files that contain neither."""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

SIZE = (64, 96)
"""Width and height; multiples of igr-small's step."""


def photo() -> np.ndarray:
    """(H, W, 3) bytes: smooth, and different in every rotation and flip."""
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return np.stack([rows * 2 + 20, columns * 3 + 20, 200 - rows - columns], -1).astype(np.uint8)


def block(level: int = 255) -> np.ndarray:
    """(H, W) bytes: a garment of this level, off the centre."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[20:70, 12:40] = level
    return mask


PHOTO, BLOCK = photo(), block()
FULL = np.full_like(BLOCK, 255)
INSIDE = BLOCK > 0


def rgb(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([red, green, blue]))


def turned(picture: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    """The image as a camera stores it with this EXIF orientation."""
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90}
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture.transpose(undo[orientation]), exif


def wide_profile() -> bytes:
    """An ICC profile with the primaries of Adobe RGB (1998), made from that of sRGB."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
    }
    for number in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * number
        if (values := primaries.get(bytes(data[entry : entry + 4]))) is not None:
            start = int.from_bytes(data[entry + 4 : entry + 8], "big") + 8
            data[start : start + 12] = b"".join(round(one * 65536).to_bytes(4, "big", signed=True) for one in values)
    return bytes(data)


def in_wide_gamut() -> Image.Image:
    """The photo in the colours of `wide_profile`."""
    wide = ImageCms.ImageCmsProfile(io.BytesIO(wide_profile()))
    converted = ImageCms.profileToProfile(
        Image.fromarray(PHOTO), ImageCms.createProfile("sRGB"), wide, outputMode="RGB"
    )
    assert converted is not None and np.abs(np.asarray(converted).astype(int) - PHOTO).max() > 20
    return converted


def premultiplied(picture: Image.Image) -> bytes:
    """A TIFF of these LA or RGBA samples, whose colours are marked as premultiplied by their opacity (associated
    alpha)."""
    data, entry = saved(picture, "TIFF"), b"\x52\x01\x03\x00\x01\x00\x00\x00"  # ExtraSamples, one short
    assert data.count(entry + b"\x02") == 1
    return data.replace(entry + b"\x02", entry + b"\x01")


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def kinds_of_photos() -> dict[str, tuple[str, bytes]]:
    """Extension and bytes of the same photo in every file type."""
    plain = Image.fromarray(PHOTO)
    mirrored, turned_six = turned(plain, 5), turned(plain, 6)
    found = {
        "PNG": (".png", saved(plain)),
        "name of another format": (".JPG", saved(plain)),
        "JPEG": (".jfif", saved(plain, "JPEG", quality=100, subsampling=0)),
        "JPEG of two pictures": (".jpg", saved(plain, "MPO", save_all=True, append_images=[plain], quality=100)),
        "WebP": (".webp", saved(plain, "WEBP", lossless=True)),
        "TIFF": (".TIFF", saved(plain, "TIFF")),
        "BMP": (".bmp", saved(plain, "BMP")),
        "PPM": (".ppm", saved(plain, "PPM")),
        "turned by EXIF": (".jpg", saved(turned_six[0], "JPEG", exif=turned_six[1], quality=100, subsampling=0)),
        "mirrored by EXIF": (".png", saved(mirrored[0], exif=mirrored[1])),
        "Adobe RGB": (".png", saved(in_wide_gamut(), icc_profile=wide_profile())),
        "damaged profile": (".png", saved(plain, icc_profile=b"none at all")),
        "opaque TIFF with associated alpha": (".tif", premultiplied(Image.fromarray(np.dstack([PHOTO, FULL])))),
        "opaque RGBA": (".png", saved(Image.fromarray(np.dstack([PHOTO, FULL])))),
    }
    if ".avif" in Image.registered_extensions():
        found["AVIF"] = (".avif", saved(plain, "AVIF", quality=100, subsampling="4:4:4"))
    return found


def kinds_of_masks() -> dict[str, tuple[str, bytes]]:
    """Extension and bytes of the same mask, drawn and saved in every unambiguous way."""
    labels = Image.fromarray(block(1))
    palette = Image.fromarray(block(1)).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    nothing, grey = np.zeros_like(BLOCK), np.full_like(BLOCK, 90)
    shirt = np.dstack([np.where(INSIDE, PHOTO[..., 0], 0)] * 3)
    turned_six = turned(Image.fromarray(BLOCK), 6)
    return {
        "white": (".png", saved(Image.fromarray(BLOCK))),
        "white JPEG": (".jpeg", saved(Image.fromarray(BLOCK), "JPEG", quality=95)),
        "white GIF": (".gif", saved(Image.fromarray(BLOCK), "GIF")),
        "one bit": (".tif", saved(Image.fromarray(INSIDE), "TIFF")),
        "16 bits": (".png", saved(Image.fromarray(BLOCK.astype(np.uint16) * 257))),
        "16 bits with 8-bit values": (".png", saved(Image.fromarray(BLOCK.astype(np.uint16)))),
        "floats": (".tiff", saved(Image.fromarray(INSIDE.astype(np.float32)), "TIFF")),
        "half-opaque brush": (".png", saved(Image.fromarray(block(128)))),
        "half-opaque JPEG": (".jpg", saved(Image.fromarray(block(128)), "JPEG", quality=95)),
        "dark grey": (".png", saved(Image.fromarray(block(90)))),
        "labels 0 and 1": (".png", saved(labels)),
        "labels 0 and 1 in RGB": (".png", saved(labels.convert("RGB"))),
        "labels with a palette": (".png", saved(palette)),
        "red": (".png", saved(rgb(BLOCK, nothing, nothing))),
        "green": (".png", saved(rgb(nothing, BLOCK, nothing))),
        "blue": (".webp", saved(rgb(nothing, nothing, BLOCK), "WEBP", lossless=True)),
        "cut-out": (".png", saved(Image.fromarray(np.dstack([PHOTO, BLOCK])))),
        "cut-out of a grey shirt": (".png", saved(Image.fromarray(np.dstack([shirt, BLOCK])))),
        "cut-out with a half-opaque brush": (".png", saved(Image.fromarray(np.dstack([PHOTO, block(150)])))),
        "black on transparent": (".png", saved(Image.fromarray(np.dstack([nothing] * 3 + [BLOCK])))),
        "grey on transparent": (".png", saved(Image.fromarray(np.dstack([grey, BLOCK])))),
        "black and white on transparent": (".png", saved(Image.fromarray(np.dstack([BLOCK] * 3 + [FULL - block(5)])))),
        "grey TIFF with associated alpha": (".tif", premultiplied(Image.fromarray(np.dstack([BLOCK, BLOCK])))),
        "TIFF with associated alpha": (".tif", premultiplied(Image.fromarray(np.dstack([BLOCK] * 4)))),
        "turned by EXIF": (".png", saved(turned_six[0], exif=turned_six[1])),
    }


def unusable_masks() -> dict[str, tuple[bytes, str]]:
    """Bytes of files that are not masks, and part of the expected reason."""
    labels = np.zeros_like(BLOCK)
    labels[20:70, 12:40], labels[70:90, 12:40] = 5, 9
    coloured = np.zeros_like(PHOTO)
    coloured[20:70, 12:40], coloured[70:90, 12:40] = (255, 0, 0), (0, 128, 255)
    return {
        "label map": (saved(Image.fromarray(labels)), "almost black.*label map"),
        "coloured label map": (saved(Image.fromarray(coloured)), "several colours"),
        "photo": (saved(Image.fromarray(PHOTO)), "several colours"),
        "photo with a hole": (saved(Image.fromarray(np.dstack([PHOTO, FULL - BLOCK]))), "transparent hole"),
    }


def bomb(chunk: bytes, head: bytes) -> bytes:
    """A small PNG with a chunk that decompresses to 200 MB."""
    picture = saved(Image.fromarray(PHOTO))
    body = chunk + head + zlib.compress(b"a" * 200_000_000, 9)
    made = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return picture[:33] + made + picture[33:]  # after the signature and IHDR


def huge() -> bytes:
    out = io.BytesIO()
    for kind, data in ((b"IHDR", b"\0\0\x27\x10\0\0\x27\x10\x08\x02\0\0\0"), (b"IDAT", b""), (b"IEND", b"")):
        PngImagePlugin.putchunk(out, kind, data)
    return b"\x89PNG\r\n\x1a\n" + out.getvalue()


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 96\n(made) (w) file closefile\nshowpage\n"


def unusable_files() -> dict[str, tuple[bytes, str]]:
    """Bytes of files that cannot be read, and part of the expected reason."""
    whole = saved(Image.effect_noise(SIZE, 90))
    return {
        "PostScript": (POSTSCRIPT, "not a supported image"),
        "PDF": (b"%PDF-1.7\n" + bytes(200), "not a supported image"),
        "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a supported image"),
        "ICO": (saved(Image.fromarray(PHOTO), "ICO"), "not a supported image"),
        "empty": (b"", "not a supported image"),
        "truncated": (whole[: len(whole) // 2], "truncated or damaged"),
        "text bomb": (bomb(b"zTXt", b"Comment\0\0"), "damaged|too large"),
        "profile bomb": (bomb(b"iCCP", b"icc\0\0"), ""),
        "huge": (huge(), "more than 64 megapixels"),
    }
