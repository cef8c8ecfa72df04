"""Load and save images, in every mode that cameras, editors and mask tools write."""

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
"""Images whose shorter side has fewer pixels than this are rejected."""
MAX_PIXELS = 128_000_000
"""Images with more pixels than this are rejected before they are decoded."""
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""File extensions that count as images in a folder."""

_FORMATS: dict[str, str] = dict(
    zip(IMAGE_SUFFIXES, ("PNG", "JPEG", "JPEG", "WEBP", "BMP", "TIFF", "TIFF"), strict=True)
)
_WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp")
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def load_photo(path: str | Path, *, flatten: bool = True, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Load a photo as (1, 3, H, W) float32 in 0..1, turned upright by its EXIF tag, flattened over white.

    Without `flatten`, transparency is ignored and the colours under it are kept. Raises IGRError naming the file if it
    is missing, not an image, truncated, too small or larger than `max_pixels`.
    """
    image = _open(Path(path), max_pixels)
    if image.mode in _DEEP_MODES:
        return _deep_to_unit(image, Path(path)).expand(1, 3, -1, -1).contiguous()
    return _to_unit(over_white(image) if flatten else image.convert("RGB"))


def load_mask(path: str | Path) -> Tensor:
    """Load a mask as (1, 1, H, W) float32 in 0..1, from its luminance or its alpha channel.

    Alpha is used if it varies and the colours are either flat or a colourful cut-out. If a grey image and its
    alpha both vary, transparent pixels count as 0. Raises IGRError as load_photo does.
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
    """The image in RGB, composited over white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")


def save_image(path: str | Path, image: Tensor, mode: Literal["L", "RGB", "RGBA"] = "RGB") -> None:
    """Write one image (C, H, W) or (1, C, H, W) in 0..1 atomically.

    Raises IGRError for a wrong shape, NaN, a file type that cannot hold the image, or a failed write.
    """
    path = Path(path)
    check_image_name(path, mode)
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != len(mode):
        raise IGRError(f"An image saved as {mode} must have shape ({len(mode)}, H, W), not {tuple(image.shape)}.")
    if not bool(torch.isfinite(image).all()):
        raise IGRError(f"{path} was not written: the image has NaN or infinite values.")
    pixels = image.detach().float().cpu().clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0)  # (H, W, C)
    encoded = Image.fromarray(pixels.squeeze(2).contiguous().numpy())  # Pillow expects (H, W) for grey images
    with atomic_file(path) as temporary:
        encoded.save(temporary, format=_FORMATS[path.suffix.lower()], quality=95)


def check_image_name(path: Path, mode: Literal["L", "RGB", "RGBA"]) -> None:
    """Raise IGRError if a file of this name cannot hold an image of this mode."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise IGRError(f"{path} does not name a supported image type: use the extension .png, .jpg or .webp.")
    if mode == "RGBA" and suffix in _WITHOUT_ALPHA:
        raise IGRError(f"{path} cannot hold transparency: use the extension .png or .webp.")


def _open(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a file completely and turn it upright; raises IGRError if that fails."""
    if not path.is_file():
        raise IGRError(f"{path} does not exist: check the path.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except UnidentifiedImageError as error:
        raise IGRError(f"{path} is not a supported image: use a PNG, JPEG, WebP or TIFF file.") from error
    except Image.DecompressionBombError as error:
        raise IGRError(_too_large(path, max_pixels)) from error
    except OSError as error:
        raise IGRError(f"{path} cannot be read ({error.strerror or error}): check the file.") from error
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise IGRError(_too_large(path, max_pixels))
        if min(width, height) < MIN_SIDE:
            raise IGRError(f"{path} is {width}×{height} pixels: use an image of at least {MIN_SIDE}×{MIN_SIDE}.")
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
    """Grey images of 16 or more bits, or floats, as (1, 1, H, W) in 0..1."""
    values = torch.from_numpy(np.array(image).astype(np.float32))[None, None]
    if image.mode != "F":
        values = values / 65535
    if not bool(torch.isfinite(values).all()) or values.min() < 0 or values.max() > 1:
        raise IGRError(f"{path} has pixel values out of range: save it as an 8-bit PNG.")
    return values


def _varies(channel: Tensor) -> bool:
    return bool(channel.max() - channel.min() > 0.02)
