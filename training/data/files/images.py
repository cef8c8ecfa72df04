"""Read images, parsing maps and lists of data sets; every error names the file."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.json_text import parse_json
from igr_core.photo.image_files import IMAGE_SUFFIXES, decode_image, image_size, name_key
from igr_core.photo.images import photo_of_image
from igr_core.photo.inputs import MASK_THRESHOLD
from igr_core.photo.mask_files import mask_of_image
from igr_core.text import check_no_workbook

from ..contract.parsing import LabelTable, Parsing, read_labels


class Listing:
    """The file names in a folder, read once; files are found regardless of case and image format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """The folder."""
        names = sorted(name for name in os.listdir(folder) if name[0] != ".") if folder.is_dir() else []
        self.exists = folder.is_dir()
        """Whether the folder exists."""
        self.doubts: dict[str, None] = {}
        """A sentence for each ambiguous name that matches several files; only the first of these files is used."""
        self._all = set(names)
        self._names: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        for name in names:
            self._names.setdefault(name_key(name), []).append(name)
            stem, ending = os.path.splitext(name_key(name))
            if ending in IMAGE_SUFFIXES:
                self._stems.setdefault(stem, []).append(name)

    def pictures(self) -> list[str]:
        """Sorted names of all images."""
        return sorted(name for names in self._stems.values() for name in names)

    def stems(self) -> list[str]:
        """Sorted names of all images without suffixes, each listed once."""
        return sorted({os.path.splitext(names[0])[0] for names in self._stems.values()})

    def find(self, *names: str) -> Path | None:
        """The first of these files that exists, ignoring case; an image may have the suffix of another image format."""
        for name in names:
            if name in self._all:
                return self.folder / name
            key = name_key(name)
            stem, ending = os.path.splitext(key)
            found = self._names.get(key) or (self._stems.get(stem) if ending in IMAGE_SUFFIXES else None)
            if found is not None:
                return self._first(found)
        return None

    def has_image(self, stem: str) -> bool:
        """Whether an image has this name without suffix."""
        return name_key(stem) in self._stems

    def image(self, *stems: str) -> Path | None:
        """The image with one of these names (without suffix), ignoring case; the first one if there are several."""
        found = [name for stem in stems for name in self._stems.get(name_key(stem), ())]
        return self._first(found) if found else None

    def _first(self, names: list[str]) -> Path:
        if len(names) > 1:
            self.doubts[f"{self.folder} has {' and '.join(names)} for the same pair: keep one of them."] = None
        return self.folder / names[0]

    def path(self, *names: str) -> Path:
        """Like `find`, but returns the expected path of the first name if none exists."""
        return self.find(*names) or self.folder / names[0]


def doubts_of(*listings: Listing | None) -> list[str]:
    """Sentences about ambiguous file names in these folders."""
    return [sentence for listing in listings if listing is not None for sentence in listing.doubts]


def read_bytes(path: Path) -> bytes:
    """A file's content; raises IGRError if it is missing, a pipe or a folder, or cannot be read."""
    try:
        if path.exists() and not path.is_file():  # reading from a pipe could block forever
            raise IGRError(f"{path} is not a file: copy the file again, or exclude its pair.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise IGRError(f"{path} does not exist: copy the file again, or exclude its pair.") from error
    except OSError as error:
        raise IGRError(f"{path} cannot be read ({error.strerror}): check the file and the disk.") from error


def decode(data: bytes, name: str) -> Image.Image:
    """An image in its own mode, rotated upright; raises IGRError as decode_image does."""
    return decode_image(data, name)


def size_of(data: bytes, name: str) -> tuple[int, int]:
    """Width and height of an image rotated upright, from its header; raises IGRError as decode_image does."""
    return image_size(data, name)


def photo_of(data: bytes, name: str) -> Image.Image:
    """A photo or garment in RGB, read as load_photo does; raises IGRError as decode_image does."""
    return photo_of_image(decode(data, name), name)


def mask_of(data: bytes, name: str, size: tuple[int, int]) -> Image.Image:
    """A mode-L mask with the values 0 and 255, read as load_mask does.

    Raises IGRError as load_mask does, and if the mask is empty or does not have the `size` (width, height).
    """
    image = decode(data, name)
    check_same_size(image, name, size)
    return binary_mask((mask_of_image(image, name)[0, 0] >= MASK_THRESHOLD).numpy(), name)


def binary_mask(inside: np.ndarray, name: str) -> Image.Image:
    """Convert a boolean (H, W) array to a mode-L image of 0 and 255; raises IGRError if the mask is empty."""
    if not inside.any():
        raise IGRError(f"{name} marks no garment: exclude the pair, or draw the garment in white (255) on black.")
    return Image.fromarray(inside.astype(np.uint8) * 255)


def parsing_of(data: bytes, name: str, table: LabelTable, size: tuple[int, int]) -> Parsing:
    """A parsing map; raises IGRError as read_labels does, and if the map does not have the photo's `size`."""
    image = decode(data, name)
    check_same_size(image, name, size)
    return Parsing(read_labels(image, table, name), table)


def check_same_size(image: Image.Image, name: str, size: tuple[int, int]) -> None:
    """Raise IGRError if a mask or parsing map does not have the size of its photo."""
    if image.size != size:
        raise IGRError(
            f"{name} is {image.width}x{image.height}, but its photo is {size[0]}x{size[1]}: use the same size for both."
        )


def read_json(data: bytes, name: str) -> Any:
    """Contents of a JSON file; raises IGRError if it is not valid JSON."""
    return parse_json(data, name, "copy the file again")


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Numbered non-empty lines of a text file, with any line ending; raises IGRError if there are none."""
    text = _text(path)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise IGRError(f"{path} is empty: copy the file again.")
    return lines


def read_pair_list(path: Path) -> list[tuple[str, ...]]:
    """Lines of a pair file: the person's file, the garment's file and, in some files, a category number.

    Raises IGRError for an invalid line.
    """
    if not path.is_file():
        raise IGRError(f"{path} does not exist: copy the file there; it lists each pair as a line PERSON GARMENT.")
    pairs = []
    for number, line in read_lines(path):
        words = tuple(line.split())
        if len(words) not in (2, 3):
            raise IGRError(
                f"{path}, line {number}, has {len(words)} entries: write PERSON GARMENT, and optionally a category."
            )
        pairs.append(words)
    return pairs


def read_table(path: Path) -> list[tuple[int, list[str]]]:
    """Numbered non-empty rows of a CSV file, with stripped cells; raises IGRError if there are none."""
    if not path.is_file():
        raise IGRError(f"{path} does not exist: create the file, with a line NAME,CATEGORY for each photo.")
    reader = csv.reader(io.StringIO(_text(path), newline=""))
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise IGRError(f"{path}, line {reader.line_num}, is not valid CSV ({error}): write NAME,CATEGORY.") from error
    if not rows:
        raise IGRError(f"{path} is empty: write a line NAME,CATEGORY for each photo.")
    return rows


def _text(path: Path) -> str:
    data = read_bytes(path)
    check_no_workbook(data, str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise IGRError(f"{path} is not a UTF-8 text file: save the file in UTF-8.") from error
