"""Folders of images: match them by name, find problems with each file, and hash the scored files."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.photo.image_files import IMAGE_SUFFIXES, decode_image, image_size, is_image_name, name_key
from igr_core.photo.images import photo_of_image
from igr_core.photo.mask_files import mask_of_image

MIN_SIDE = 32
"""Minimum length of the shorter side in pixels, which every network supports."""
RATIO_SLACK = 0.02
"""Maximum relative difference in aspect ratio between images of the same shape."""


@dataclass(frozen=True)
class ImageList:
    """The images that a result was computed from."""

    folder: str
    """Name of the folder, without the path, which depends on the machine."""
    sha256: str
    """Hash of all names and contents, ordered by name."""
    count: int
    """Number of images."""
    formats: dict[str, int]
    """Number of images by file format, recorded because JPEG lowers every metric."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Number of images by size, such as `768x1024`, recorded because resizing also lowers metrics."""


def images_in(folder: Path) -> dict[str, Path]:
    """Images in a folder by stem, ordered by name.

    Raises IGRError for a folder that does not exist or has no images, or for two files with the same stem.
    """
    if not folder.is_dir():
        raise IGRError(f"{folder} is not a folder: specify a folder of images.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not is_image_name(path.name):
            continue
        if path.stem in found:
            raise IGRError(f"{path} and {found[path.stem].name} have the same name: remove one of them.")
        found[path.stem] = path
    if not found:
        raise IGRError(f"{folder} contains no images ({', '.join(IMAGE_SUFFIXES)}): check the path.")
    return found


def image_list(paths: Sequence[Path]) -> ImageList:
    """Hash, formats and sizes of images in one folder."""
    digest, sizes = hashlib.sha256(), Counter[str]()
    for path in paths:
        digest.update(os.fsencode(path.stem) + b"\0")
        digest.update(path.read_bytes())
        width, height = image_size(path, str(path))
        sizes[f"{width}x{height}"] += 1
    formats = Counter(path.suffix.lower().lstrip(".").replace("jpeg", "jpg") for path in paths)
    name = folder_name(paths[0].parent)
    return ImageList(name, digest.hexdigest(), len(paths), dict(sorted(formats.items())), dict(sorted(sizes.items())))


def named_like(generated: dict[str, Path], reference: dict[str, Path]) -> dict[str, Path]:
    """The generated images, renamed to the references' spelling where only case or Unicode normalisation differs."""
    spelt = {name_key(name): name for name in reference}
    found = {}
    for name, path in generated.items():
        other = spelt.get(name_key(name), name)
        found[name if name in reference or other in generated else other] = path
    return found


def pair_up(generated: dict[str, Path], reference: dict[str, Path]) -> tuple[list[str], list[str]]:
    """Return the names that both contain, and a sentence for each name that one of them lacks."""
    names = [name for name in reference if name in generated]
    problems = [f"{name}: there is no generated image" for name in reference if name not in generated]
    problems += [f"{generated[name].name}: there is no reference" for name in generated if name not in reference]
    return names, problems


def faults(paths: dict[str, Path], like: dict[str, Path] | tuple[int, int] | None = None) -> dict[str, str]:
    """A sentence, by name, for each image that is unreadable, grey or too small, or whose shape differs from `like`.

    `like` is other images by name, or one width and height. Every file is read completely, because a truncated file
    opens without an error.
    """
    found = {}
    for name, path in tqdm(paths.items(), desc=f"checking {path_name(paths)}", unit="file", leave=False):
        sentence = _fault(path, like.get(name) if isinstance(like, dict) else like)
        if sentence is not None:
            found[name] = f"{path.name}: {sentence}"
    return found


def path_name(paths: dict[str, Path]) -> str:
    """Name of the folder that these images are in."""
    return folder_name(next(iter(paths.values())).parent) if paths else "nothing"


def folder_name(folder: Path) -> str:
    """Name of a folder, even if its path is `.`."""
    return Path(os.path.abspath(folder)).name


def _fault(path: Path, like: Path | tuple[int, int] | None) -> str | None:
    try:
        picture = load_picture(path)
    except IGRError as error:
        return str(error).removeprefix(f"{path} ")
    mode, size = picture.mode, picture.size
    if mode in ("1", "L", "LA", "F") or mode.startswith("I"):
        return f"is grey ({mode}): save it in colour"
    if min(size) < MIN_SIDE:
        return f"is {size[0]}x{size[1]}, smaller than {MIN_SIDE} pixels: save a larger image"
    wanted = _size_of(like) if isinstance(like, Path) else like
    if wanted is None:
        return None
    ratio = size[0] * wanted[1] / (size[1] * wanted[0])
    if abs(ratio - 1) > RATIO_SLACK:
        return (
            f"is {size[0]}x{size[1]}, but its reference is {wanted[0]}x{wanted[1]}, a different shape: undo its "
            "padding first with `python -m training evaluate cutout adapt`"
        )
    return None


def _size_of(path: Path) -> tuple[int, int] | None:
    """Width and height; None for a file that cannot be read, which is reported separately."""
    try:
        return image_size(path, str(path))
    except IGRError:
        return None


def read_picture(path: Path, size: tuple[int, int] | None = None) -> Tensor:
    """An image in colour over white, (3, H, W) uint8, resized (bicubic, antialiased) to `size` (W, H) if given.

    Raises IGRError for a file that cannot be read.
    """
    picture = photo_of_image(load_picture(path), str(path))
    if size is not None and picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def read_silhouette(path: Path, size: tuple[int, int] | None = None) -> Tensor:
    """A mask (1, H, W) in 0..1, read as by load_mask, and resized (bicubic, antialiased) to `size` (W, H) if given.

    Raises IGRError as load_mask does.
    """
    mask = mask_of_image(load_picture(path), str(path))[0, 0]
    picture = Image.fromarray(mask.mul(255).round().byte().numpy())
    if size is not None and picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture))[None].float() / 255


def load_picture(path: Path) -> Image.Image:
    """An image in its own mode, rotated upright; raises IGRError for a file that cannot be read."""
    return decode_image(path, str(path), min_side=1)
