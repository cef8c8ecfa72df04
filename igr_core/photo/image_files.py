"""The only module that opens image files; whether a file is opened depends on its content, never on its name."""

from __future__ import annotations

import io
import os
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from PIL import ExifTags, Image, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError

from ..errors import IGRError
from .decoding.cost import MOST_PAGES, check_cost
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
"""Extensions of unsupported images; a run over a folder reports such files as failed instead of skipping them."""

_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF", "PPM")
"""Pillow's names of the formats that are opened. EPS is not among them, because Pillow runs Ghostscript to read it."""
_STRAIGHT = {"La": "LA", "RGBa": "RGBA"}
"""Modes of TIFF files with premultiplied alpha, which few conversions support, and the corresponding modes with
straight alpha."""
_SUBFILE_TYPE = 254
"""TIFF's tag whose lowest bit marks a page as a smaller copy of another."""
_TURNED = (5, 6, 7, 8)
_MIRRORED = (2, 4, 5, 7)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def decode_image(
    source: Path | bytes, name: str, max_pixels: int = MAX_PIXELS, min_side: int = MIN_SIDE
) -> Image.Image:
    """Decode the first frame of a file, given as a path or as bytes, and turn it upright according to its EXIF tag.

    The mode is kept, except that premultiplied alpha is converted to straight alpha (La and RGBa become LA and RGBA).
    Grey TIFFs of up to 16 bits that are stored inverted, as signed numbers or in 12 bits become unsigned 16-bit images.
    Raises IGRError with `name` if the file is missing, not an image, damaged, or too small or too large.
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
        if image.format == "BMP" and upright.mode == "RGBA" and not upright.getchannel("A").getbbox():
            upright = upright.convert("RGB")  # the fourth byte is unused
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


def has_alpha(path: Path) -> bool:
    """Whether an image has an opacity channel; raises IGRError as decode_image does."""
    with _opened(path, str(path), MAX_PIXELS) as image:
        return image.has_transparency_data


def is_image_name(name: str) -> bool:
    """Whether a file of this name counts as an image in a folder."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def name_key(name: str) -> str:
    """A key that is the same for names that differ only in case or Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()


@contextmanager
def _strict() -> Iterator[None]:
    """Let Pillow report truncated files even if another package has turned that off, and silence its warnings.

    Pillow warns about every unusual tag, and about sizes below `max_pixels`.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


@contextmanager
def _opened(source: Path | bytes, name: str, max_pixels: int) -> Iterator[Image.Image]:
    """An opened image, of which only the header has been read; a TIFF is at its first page that is not a thumbnail."""
    if isinstance(source, Path) and not os.path.isfile(source):
        raise IGRError(f"{name} {'is not a file' if os.path.exists(source) else 'does not exist'}: check the path.")
    with _strict(), _open(source, name, max_pixels) as image:
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _skip_thumbnails(image)
        if image.width * image.height > max_pixels:
            raise IGRError(_too_large(name, max_pixels))
        yield image


def _open(source: Path | bytes, name: str, max_pixels: int) -> Image.Image:
    try:
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


def _skip_thumbnails(image: TiffImagePlugin.TiffImageFile) -> None:
    """Go to the first page of a TIFF that is not marked as a smaller copy of another; to the first if all are."""
    try:
        for page in range(MOST_PAGES):
            image.seek(page)
            if not int(image.tag_v2.get(_SUBFILE_TYPE, 0)) & 1:
                return
    except Exception:  # no further page, or a damaged one
        pass
    image.seek(0)


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
