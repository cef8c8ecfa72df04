"""Load photos and masks from files in every mode that cameras, editors and mask tools write, and save images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import IGRError
from ..files import atomic_file
from .colours import deep_to_srgb, to_srgb
from .image_files import MAX_PIXELS, decode_image
from .inputs import MASK_THRESHOLD
from .mask_files import DEEP_MODES, deep_values, mask_of_image

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
"""Pillow's format for each extension with which images can be saved."""
_WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp")
MOSTLY = 0.8
"""A photo is rejected if more than this fraction of its garment is transparent; below 1, because a mask may extend
beyond the transparent hole."""


def load_photo(path: str | Path, *, like_load_image: bool = False, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Load a photo as (1, 3, H, W) float32 in 0..1: upright, in sRGB, and composited over white.

    With `like_load_image`, the colour profile and transparency are ignored, as in ComfyUI's Load Image. Raises IGRError
    naming the file if it is missing, not an image, damaged, too small or larger than `max_pixels`.
    """
    path = Path(path)
    image = decode_image(path, str(path), max_pixels)
    if like_load_image:
        return (
            _unit_grey(deep_values(image, str(path))) if image.mode in DEEP_MODES else unit_image(image.convert("RGB"))
        )
    return _unit_photo(image, str(path))


def load_photo_and_mask(photo: str | Path, mask: str | Path) -> tuple[Tensor, Tensor]:
    """Load a photo (1, 3, H, W) and its mask (1, 1, h, w) as load_photo and load_mask do.

    Also raises IGRError for a photo that is transparent where its mask is white, as ComfyUI's MaskEditor saves it,
    because compositing over white would erase the garment.
    """
    image, cover = (decode_image(Path(path), str(path)) for path in (photo, mask))
    return photo_and_mask_of_images(image, cover, str(photo), str(mask))


def photo_and_mask_of_images(image: Image.Image, mask: Image.Image, name: str, mask_name: str) -> tuple[Tensor, Tensor]:
    """A decoded photo (1, 3, H, W) and its decoded mask (1, 1, h, w), as load_photo_and_mask returns them.

    Raises the same errors, with the given names.
    """
    cover = mask_of_image(mask, mask_name)
    alpha = _opacity(image)
    if alpha is not None and alpha.shape == cover.shape[-2:]:
        inside = cover[0, 0].numpy() >= MASK_THRESHOLD
        if inside.any() and (alpha[inside] < MASK_THRESHOLD).mean() > MOSTLY:
            raise IGRError(
                f"{name} is transparent where its mask is white, as MaskEditor saves it: use the original photo."
            )
    return _unit_photo(image, name), cover


def load_mask(path: str | Path) -> Tensor:
    """Load a mask as (1, 1, H, W) float32 in 0..1, 1 on the garment; docs/data.md lists the supported files.

    Raises IGRError as load_photo does, and for files that are not masks: label maps, photos, and photos with a
    transparent hole.
    """
    path = Path(path)
    return mask_of_image(decode_image(path, str(path)), str(path))


def unit_image(image: Image.Image) -> Tensor:
    """An 8-bit RGB image as (1, 3, H, W) float32 in 0..1."""
    pixels = torch.from_numpy(np.array(image))  # (H, W, 3)
    return pixels.permute(2, 0, 1)[None].contiguous().float().div_(255)  # (1, 3, H, W)


def photo_of_image(image: Image.Image, name: str) -> Image.Image:
    """A decoded image as load_photo reads it, in 8-bit RGB; raises IGRError with `name` for values out of range."""
    if image.mode in DEEP_MODES:
        return Image.fromarray((_deep_photo(image, name) * 255).round().astype(np.uint8)).convert("RGB")
    return over_white(to_srgb(image))


def over_white(image: Image.Image) -> Image.Image:
    """The image in RGB, composited over white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")


def save_image(path: str | Path, image: Tensor, mode: Literal["L", "RGB", "RGBA"] = "RGB") -> None:
    """Write one image (C, H, W) or (1, C, H, W) in 0..1 atomically.

    Raises IGRError for a wrong shape, NaN, a file type that cannot hold the image, or a failed write.
    """
    data = encode_image(image, Path(path), mode)
    with atomic_file(Path(path)) as temporary:
        temporary.write_bytes(data)


def encode_image(image: Tensor, path: Path, mode: Literal["L", "RGB", "RGBA"] = "RGB") -> bytes:
    """One image (C, H, W) or (1, C, H, W) in 0..1 as the content of a file with the name of `path`.

    Raises IGRError for a wrong shape, NaN, or a file type that cannot hold the image.
    """
    check_image_name(path, mode)
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != len(mode):
        raise IGRError(f"An image saved as {mode} must have shape ({len(mode)}, H, W), not {tuple(image.shape)}.")
    if not bool(torch.isfinite(image).all()):
        raise IGRError(f"{path} was not written: the image contains NaN or infinite values.")
    pixels = image.detach().float().cpu().clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0)  # (H, W, C)
    content = io.BytesIO()
    encoded = Image.fromarray(pixels.squeeze(2).contiguous().numpy())  # Pillow expects (H, W) for grey images
    encoded.save(content, format=_FORMATS[path.suffix.lower()], quality=95)
    return content.getvalue()


def check_image_name(path: Path, mode: Literal["L", "RGB", "RGBA"]) -> None:
    """Raise IGRError if a file of this name cannot hold an image of this mode."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise IGRError(f"{path} does not name a supported image type: use the extension .png, .jpg or .webp.")
    if mode == "RGBA" and suffix in _WITHOUT_ALPHA:
        raise IGRError(f"{path} does not support transparency: use the extension .png or .webp.")


def _unit_photo(image: Image.Image, name: str) -> Tensor:
    if image.mode in DEEP_MODES:
        return _unit_grey(_deep_photo(image, name))
    return unit_image(over_white(to_srgb(image)))


def _unit_grey(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).expand(1, 3, -1, -1).contiguous()


def _deep_photo(image: Image.Image, name: str) -> np.ndarray:
    """A grey photo with more than 8 bits as (H, W) float32 in 0..1, in sRGB and over white."""
    values, alpha = deep_to_srgb(deep_values(image, name), image), _opacity(image)
    return values if alpha is None else np.where(alpha > 0, values, np.float32(1))


def _opacity(image: Image.Image) -> np.ndarray | None:
    """Opacity (H, W) in 0..1 of an image; None if it has no transparency."""
    if not image.has_transparency_data:
        return None
    if image.mode in DEEP_MODES:  # one grey level is transparent
        return (np.asarray(image) != image.info["transparency"]).astype(np.float32)
    return np.asarray(image.convert("RGBA").getchannel("A"), dtype=np.float32) / 255
