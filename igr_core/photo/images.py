"""Pictures on disk to tensors and back: every mode a camera, an editor or a mask tool writes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..errors import IGRError
from ..files import atomic_file

MIN_SIDE = 16
"""Pictures with a shorter side than this many pixels are refused."""
MAX_PIXELS = 128_000_000
"""Pictures with more pixels than this are refused before they are decoded."""
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""File names that a folder run takes for pictures."""

_FORMATS: dict[str, str] = dict(
    zip(PICTURE_SUFFIXES, ("PNG", "JPEG", "JPEG", "WEBP", "BMP", "TIFF", "TIFF"), strict=True)
)
_WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp")
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def load_photo(path: str | Path, *, flatten: bool = True, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Load a photo as (1, 3, H, W) float32 in 0..1, turned upright, transparency flattened on white.

    Without `flatten` transparency is ignored, and the colours below it show. Raises IGRError naming the file when it is
    missing, no picture, truncated, too small or larger than `max_pixels`.
    """
    image = _open(Path(path), max_pixels)
    if image.mode in _DEEP_MODES:
        return _deep_to_unit(image, Path(path)).expand(1, 3, -1, -1).contiguous()
    return _to_unit(over_white(image) if flatten else image.convert("RGB"))


def load_mask(path: str | Path) -> Tensor:
    """Load a mask as (1, 1, H, W) float32 in 0..1: its luminance, or its alpha when only that tells anything.

    Alpha is taken when it varies and the colours are one flat colour or a colourful cut-out; where both a grey
    picture and its alpha vary, transparent counts as 0. Raises IGRError as load_photo does.
    """
    image = _open(Path(path))
    if image.mode in _DEEP_MODES:
        return _deep_to_unit(image, Path(path))
    if not image.has_transparency_data:
        return _to_unit(image.convert("L"))
    rgba = _to_unit(image.convert("RGBA"))
    colour, alpha = rgba[:, :3], rgba[:, 3:]
    luminance = _to_unit(image.convert("RGBA").convert("L"))
    if _varies(alpha) and (not _varies(luminance) or bool((colour.amax(1) - colour.amin(1)).max() > 0.1)):
        return alpha
    return luminance * alpha


def over_white(image: Image.Image) -> Image.Image:
    """A picture in colour, transparency over white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")


def save_image(path: str | Path, image: Tensor, mode: Literal["L", "RGB", "RGBA"] = "RGB") -> None:
    """Write one picture, (C, H, W) or (1, C, H, W) in 0..1, so that the file is there whole or not at all.

    Raises IGRError for another shape, NaN, a file type that cannot hold it, or a disk that refuses the write.
    """
    path = Path(path)
    check_picture_name(path, mode)
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != len(mode):
        raise IGRError(f"A picture to save as {mode} must have shape ({len(mode)}, H, W), not {tuple(image.shape)}.")
    if not bool(torch.isfinite(image).all()):
        raise IGRError(f"{path} was not written: the picture has NaN or infinite values.")
    pixels = image.detach().float().cpu().clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0)  # (H, W, C)
    picture = Image.fromarray(pixels.squeeze(2).contiguous().numpy())  # grey ones have no third axis there
    with atomic_file(path) as temporary:
        picture.save(temporary, format=_FORMATS[path.suffix.lower()], quality=95)


def check_picture_name(path: Path, mode: Literal["L", "RGB", "RGBA"]) -> None:
    """Raise IGRError when a file of this name cannot hold a picture of this mode."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise IGRError(f"{path} has no picture type that can be written: end the name in .png, .jpg or .webp.")
    if mode == "RGBA" and suffix in _WITHOUT_ALPHA:
        raise IGRError(f"{path} cannot hold transparency: end the name in .png or .webp.")


def _open(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a file fully, turned upright, or say in one sentence why not."""
    if not path.is_file():
        raise IGRError(f"{path} is not there: check the name.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except UnidentifiedImageError as error:
        raise IGRError(f"{path} is not a picture that can be read: give a PNG, JPEG, WebP or TIFF file.") from error
    except Image.DecompressionBombError as error:
        raise IGRError(_too_large(path, max_pixels)) from error
    except OSError as error:
        raise IGRError(f"{path} cannot be read ({error.strerror or error}): check the file.") from error
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise IGRError(_too_large(path, max_pixels))
        if min(width, height) < MIN_SIDE:
            raise IGRError(f"{path} is {width}×{height} pixels: give a picture of at least {MIN_SIDE}×{MIN_SIDE}.")
        try:
            image.load()
            return ImageOps.exif_transpose(image)
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise IGRError(f"{path} is truncated or damaged ({error}): copy or save it again.") from error


def _too_large(path: Path, max_pixels: int) -> str:
    return f"{path} has more than {max_pixels // 1_000_000} megapixels: scale it down first."


def _to_unit(image: Image.Image) -> Tensor:
    array = torch.from_numpy(np.array(image))
    if array.ndim == 2:
        array = array[..., None]
    return array.permute(2, 0, 1)[None].float().div(255)  # (1, C, H, W)


def _deep_to_unit(image: Image.Image, path: Path) -> Tensor:
    """Grey pictures of 16 or more bits, or floats, to (1, 1, H, W) in 0..1."""
    values = torch.from_numpy(np.array(image).astype(np.float32))[None, None]
    if image.mode != "F":
        values = values / 65535
    if not bool(torch.isfinite(values).all()) or values.min() < 0 or values.max() > 1:
        raise IGRError(f"{path} has pixel values outside its range: save it as an 8-bit PNG.")
    return values


def _varies(channel: Tensor) -> bool:
    return bool(channel.max() - channel.min() > 0.02)
