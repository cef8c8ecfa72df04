"""Open image files, which no other module does. A file's content, never its name, decides whether it is opened."""

from __future__ import annotations

import io
import os
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from ..errors import IGRError
from .decoding.cost import check_cost
from .decoding.deep_tiff import deep_tiff

MIN_SIDE = 16
"""Images whose shorter side has fewer pixels than this are rejected."""
MAX_PIXELS = 64_000_000
"""Images with more pixels than this are rejected before they are decoded; this many pixels take about 1.2 GB."""
IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif",
    ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
"""Extensions of the files that count as images in a folder, in lower case."""
UNREAD_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".eps", ".exr", ".hdr", ".ico", ".j2k", ".jp2", ".jxl", ".nef", ".orf",
    ".pdf", ".ps", ".psd", ".raf", ".raw", ".rw2", ".svg", ".tga", ".xcf",
)  # fmt: skip
"""Extensions of images that are not read, so that a folder run can name the file instead of skipping it."""

_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF", "PPM")
"""Pillow's names of the formats that are opened. EPS is not among them, because Pillow runs Ghostscript to read it."""
_STRAIGHT = {"La": "LA", "RGBa": "RGBA"}
"""Modes of TIFF files whose colours are multiplied by their opacity, which few conversions support, and the
corresponding modes without this multiplication."""
_TURNED = (5, 6, 7, 8)
_MIRRORED = (2, 4, 5, 7)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def decode_image(
    source: Path | bytes, name: str, max_pixels: int = MAX_PIXELS, min_side: int = MIN_SIDE
) -> Image.Image:
    """Decode the first frame of a file, given as a path or as bytes, and turn it upright according to its EXIF tag.

    The mode is kept, except that colours multiplied by their opacity are divided by it (La and RGBa become LA and
    RGBA). Grey TIFFs of up to 16 bits that are stored inverted, signed or in 12 bits become unsigned 16-bit ones.
    Raises IGRError with `name` if the file is missing, not an image, damaged, or not of a valid size.
    """
    with _opened(source, name, max_pixels) as image:
        if min(image.size) < min_side:
            raise IGRError(
                f"{name} is {image.width}×{image.height} pixels: use an image of at least {min_side}×{min_side}."
            )
        try:
            image.load()
        except MemoryError as error:
            raise IGRError(f"{name} does not fit into memory: scale it down.") from error
        except Exception as error:  # Pillow's decoders raise almost any exception for damaged files
            raise IGRError(
                f"{name} is truncated or damaged ({_reason(error)}): copy or save the image again."
            ) from error
        try:
            upright = ImageOps.exif_transpose(image)
        except Exception:  # damaged EXIF data; the pixels are fine
            upright = image.copy()
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            upright = deep_tiff(upright, image.tag_v2)
    return upright.convert(_STRAIGHT[upright.mode]) if upright.mode in _STRAIGHT else upright


def image_size(source: Path | bytes, name: str, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of an upright image, from the header alone. Raises IGRError as decode_image does."""
    with _opened(source, name, max_pixels) as image:
        width, height = image.size
        if isinstance(image, TiffImagePlugin.TiffImageFile):  # newer versions of Pillow have already turned the size
            width, height = (image.tag_v2[tag] for tag in (ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength))
        return (height, width) if _orientation(image) in _TURNED else (width, height)


def is_mirrored(path: Path) -> bool:
    """Whether the image is stored mirrored according to its EXIF tag. Raises IGRError as decode_image does."""
    with _opened(path, str(path), MAX_PIXELS) as image:
        return _orientation(image) in _MIRRORED


def is_image_name(name: str) -> bool:
    """Whether a file of this name counts as an image in a folder."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def name_key(name: str) -> str:
    """A key that is the same for names that differ only in case or Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()


@contextmanager
def _opened(source: Path | bytes, name: str, max_pixels: int) -> Iterator[Image.Image]:
    """An opened image of which only the header has been read."""
    if isinstance(source, Path) and not os.path.isfile(source):
        raise IGRError(f"{name} {'is not a file' if os.path.exists(source) else 'does not exist'}: check the path.")
    with _open(source, name, max_pixels) as image:
        if image.width * image.height > max_pixels:
            raise IGRError(_too_large(name, max_pixels))
        yield image


def _open(source: Path | bytes, name: str, max_pixels: int) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `max_pixels` is lower
            check_cost(source, name)
            return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats())
    except IGRError:
        raise
    except UnidentifiedImageError as error:
        raise IGRError(f"{name} is not a supported image: {_remedy(source)}.") from error
    except Image.DecompressionBombError as error:
        raise IGRError(_too_large(name, max_pixels)) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise IGRError(f"{name} cannot be read ({_reason(error)}): check the file and the disk.") from error
        # for example, a text or profile in a PNG that decompresses to gigabytes
        raise IGRError(
            f"{name} has a damaged header ({_reason(error)}): save the image again in an image editor."
        ) from error


@cache
def _formats() -> tuple[str, ...]:
    """The formats that this installation reads."""
    try:
        from pillow_heif import register_heif_opener  # pyright: ignore[reportMissingImports]
    except ImportError:
        pass
    else:
        register_heif_opener()
    Image.init()
    return tuple(one for one in _FORMATS if one in Image.OPEN)


def _remedy(source: Path | bytes) -> str:
    start = source[:12] if isinstance(source, bytes) else _start_of(source)
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS and "HEIF" not in _formats():
        return "it is a HEIC photo; install pillow-heif to read HEIC files, or save the photo as a JPEG"
    if start[4:8] == b"ftyp" and start[8:12] in (b"avif", b"avis") and "AVIF" not in _formats():
        return "it is an AVIF image; install Pillow 11.3 or newer to read AVIF files, or save the image as a PNG"
    return "save it as a PNG, JPEG, WebP or TIFF file"


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            return handle.read(12)
    except OSError:
        return b""


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF data, as in decode_image
        return 1


def _too_large(name: str, max_pixels: int) -> str:
    return f"{name} has more than {max_pixels // 1_000_000} megapixels: scale it down first."


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
