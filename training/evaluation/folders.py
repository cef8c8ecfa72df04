"""Folders of pictures: pairs by name, everything that does not fit told per file, and a hash of what was scored."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.images import MAX_PIXELS, PICTURE_SUFFIXES

RATIO_SLACK = 0.02
"""So far may two pictures' width over height differ, as a share, and still be the same canvas."""


@dataclass(frozen=True)
class PictureList:
    """What a result was computed from."""

    folder: str
    """Name of the folder (not its path, which is the machine's own)."""
    sha256: str
    """Hash of all names and contents, in order of names."""
    count: int
    """Number of pictures."""
    formats: dict[str, int]
    """How many there are of each file format: JPEG costs every metric something."""


def pictures_in(folder: Path) -> dict[str, Path]:
    """Pictures of a folder by stem, in order of names.

    Raises IGRError for a folder that is not there or holds none, and for two files of one stem.
    """
    if not folder.is_dir():
        raise IGRError(f"{folder} is no folder: name one that holds pictures.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PICTURE_SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise IGRError(f"{path} and {found[path.stem].name} have one name: remove one of them.")
        found[path.stem] = path
    if not found:
        raise IGRError(f"{folder} holds no pictures ({', '.join(PICTURE_SUFFIXES)}).")
    return found


def picture_list(paths: Sequence[Path]) -> PictureList:
    """Hash and formats of files, all of one folder."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.stem.encode() + b"\0")
        digest.update(path.read_bytes())
    formats = Counter(path.suffix.lower().lstrip(".").replace("jpeg", "jpg") for path in paths)
    return PictureList(paths[0].parent.name, digest.hexdigest(), len(paths), dict(sorted(formats.items())))


def pair_up(generated: dict[str, Path], reference: dict[str, Path]) -> tuple[list[str], list[str]]:
    """Names that both have, and a sentence for each that one of them lacks."""
    names = [name for name in reference if name in generated]
    problems = [f"{name}: there is no generated picture of it" for name in reference if name not in generated]
    problems += [f"{generated[name].name}: there is no reference of it" for name in generated if name not in reference]
    return names, problems


def faults(paths: dict[str, Path], like: dict[str, Path] | None = None) -> dict[str, str]:
    """A sentence by name for each picture that cannot be scored: unreadable, grey, or of another shape than `like`'s.

    Every file is read to its end, as a truncated one opens without complaint.
    """
    found = {}
    for name, path in tqdm(paths.items(), desc=f"checking {path_name(paths)}", unit="file", leave=False):
        sentence = _fault(path, like.get(name) if like is not None else None)
        if sentence is not None:
            found[name] = f"{path.name}: {sentence}"
    return found


def path_name(paths: dict[str, Path]) -> str:
    """Name of the folder that pictures lie in."""
    return next(iter(paths.values())).parent.name if paths else "nothing"


def _fault(path: Path, like: Path | None) -> str | None:
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return f"is {picture.width}x{picture.height}, larger than {MAX_PIXELS:,} pixels"
            picture.load()
            mode, size = picture.mode, picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"cannot be read ({type(error).__name__}): write it again"
    if mode in ("1", "L", "LA", "I", "I;16", "F"):
        return f"is grey ({mode}); a picture in colour is expected"
    if like is None:
        return None
    try:
        with Image.open(like) as other:
            wanted = other.size
    except (OSError, ValueError, SyntaxError):
        return None  # its own fault, told of the other file
    ratio = size[0] * wanted[1] / (size[1] * wanted[0])
    if abs(ratio - 1) > RATIO_SLACK:
        return (
            f"is {size[0]}x{size[1]} and its reference {wanted[0]}x{wanted[1]}: another shape, "
            f"undo its padding first (python -m training.cutout adapt)"
        )
    return None


def read_picture(path: Path, size: tuple[int, int] | None = None) -> Tensor:
    """A picture in colour, (3, H, W) uint8, transparency over white; resized (bicubic, antialiased) to size (W, H).

    Raises IGRError for a file that cannot be read.
    """
    try:
        with Image.open(path) as opened:
            picture = over_white(opened)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise IGRError(f"{path} cannot be read ({error}): write it again.") from error
    if size is not None and picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def over_white(picture: Image.Image) -> Image.Image:
    """A picture in colour, transparency over white."""
    if picture.mode not in ("RGBA", "LA", "PA") and "transparency" not in picture.info:
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
