"""The file of outlines: the shapes of many garments, laid out flat."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import IGRError
from ..files import atomic_file, check_model_file
from ..model.config import CATEGORIES

_MOST = 100_000_000
"""Maximum number of pixels of all outlines of a file."""
_DAMAGES = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors of numpy and zipfile for damaged files."""
_AGAIN = "use an intact file, or collect the outlines again with `python -m training collect-outlines`"


@dataclass(frozen=True)
class OutlineSet:
    """Outlines of garments, each symmetric and as large as a flat garment's image."""

    labels: np.ndarray
    """(N, h, w) uint8: 0 for the background, 1 for the garment's outside, 2 for its inside, as seen in a neckline."""
    categories: np.ndarray
    """(N,) uint8: indices in CATEGORIES."""


def save_outlines(path: Path, outlines: OutlineSet) -> None:
    """Write a file of outlines; raises IGRError if it cannot be written."""
    half = outlines.labels[:, :, : outlines.labels.shape[2] // 2]
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            size=np.array(outlines.labels.shape[:0:-1], np.int32),
            cloth=np.packbits(half > 0, axis=None),
            inside=np.packbits(half == 2, axis=None),
            categories=outlines.categories,
        )


def load_outlines(path: Path) -> OutlineSet:
    """Read a file of outlines; raises IGRError naming the file if it is missing or damaged."""
    check_model_file(path, "the outlines")
    try:
        with path.open("rb") as opened:  # numpy would leave a damaged file open
            with zipfile.ZipFile(opened) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _MOST:
                    raise ValueError("too large")
            opened.seek(0)
            file = np.load(opened, allow_pickle=False)
            categories, (width, height) = file["categories"], (int(side) for side in file["size"])
            count = len(categories)
            if not 0 < count * width * height <= _MOST or width % 2 or int(categories.max()) >= len(CATEGORIES):
                raise ValueError("numbers out of range")
            cloth, inside = (
                np.unpackbits(file[name], count=count * height * width // 2).reshape(count, height, width // 2)
                for name in ("cloth", "inside")
            )
    except PermissionError as error:
        raise IGRError(f"{path} cannot be read: change its permissions.") from error
    except _DAMAGES as error:
        raise IGRError(f"{path} is not a file of outlines: {_AGAIN}.") from error
    half = cloth + (cloth & inside)
    return OutlineSet(np.concatenate([half, half[:, :, ::-1]], 2), categories)
