"""Common code for data sets that consist of files: paths of each pair, lookup of masks, missing files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from PIL import Image

from igr_core.errors import IGRError

from ..contract.keypoints import JOINTS_18, JOINTS_25, Joint, Keypoints
from ..contract.pairs import MaskKind, PairEntry, PairSource
from ..contract.parsing import LabelTable, Parsing
from ..files.images import Listing, binary_mask, mask_of, parsing_of, photo_of, read_bytes, read_json, size_of


@dataclass(frozen=True)
class PairFiles:
    """Paths of a pair's files; None for files that the data set does not have."""

    person: Path
    """The photo."""
    garment: Path | None = None
    """The flat garment."""
    mask: Path | None = None
    """A mask, from the data set or the user."""
    parsing: Path | None = None
    """The parsing map."""
    keypoints: Path | None = None
    """The joints, as JSON."""
    cover: Path | None = None
    """The mask of the flat garment."""


class FilePairs(PairSource):
    """Pairs whose files are found by name and read on demand."""

    table: LabelTable
    """Label numbers of the parsing maps."""
    joint_space: tuple[int, int] | None = None
    """Width and height of the image that the joints' coordinates refer to; None for the photo itself."""

    def __init__(
        self,
        title: str,
        entries: Sequence[PairEntry],
        files: Sequence[PairFiles],
        mask_kind: MaskKind,
        left_out: Sequence[str] = (),
        unlisted: Sequence[str] = (),
    ) -> None:
        """`left_out` names pairs that are skipped as duplicates or leaks; `unlisted` contains sentences about unlisted
        and ambiguous files."""
        super().__init__(title, entries)
        self.files = tuple(files)
        """Paths of each pair."""
        self._has_garments = all(one.garment is not None for one in self.files)
        self.mask_kind = mask_kind
        """Source of the masks."""
        self.left_out = tuple(left_out)
        self.unlisted = tuple(unlisted)

    def missing(self, index: int) -> list[str]:
        files = self.files[index]
        mask = files.parsing if self.mask_kind == "garment" else files.mask
        needed = [path for path in (files.person, files.garment, mask) if path is not None]
        return [str(path) for path in needed if not path.exists()]

    def content(self, index: int) -> str:
        digest = hashlib.sha256(self.mask_kind.encode())
        for name, path in vars(self.files[index]).items():
            data = read_bytes(path) if path is not None and path.exists() else b""
            digest.update(f"{name} {len(data)} ".encode() + data)
        return digest.hexdigest()

    def photo_name(self, index: int) -> str:
        return self.files[index].person.stem

    def person(self, index: int) -> Image.Image:
        path = self.files[index].person
        return photo_of(read_bytes(path), str(path))

    def garment(self, index: int) -> Image.Image:
        path = self.files[index].garment
        return super().garment(index) if path is None else photo_of(read_bytes(path), str(path))

    @property
    def has_garments(self) -> bool:
        return self._has_garments

    def mask(self, index: int) -> Image.Image:
        files = self.files[index]
        if self.mask_kind == "garment":
            return self._garment_mask(index)
        if files.mask is None:
            raise IGRError(f"{self.title} has no {self.mask_kind} masks: choose other masks, or set mask_folder.")
        return mask_of(read_bytes(files.mask), str(files.mask), _size(files.person))

    def exact_mask(self, index: int) -> Image.Image:
        return self._garment_mask(index)

    def parsing(self, index: int) -> Parsing | None:
        files = self.files[index]
        if files.parsing is None or not files.parsing.exists():
            return None
        return parsing_of(read_bytes(files.parsing), str(files.parsing), self.table, _size(files.person))

    def keypoints(self, index: int) -> Keypoints | None:
        path = self.files[index].keypoints
        if path is None or not path.exists():
            return None
        points = self._read_points(read_json(read_bytes(path), str(path)), str(path))
        if points is None:
            return None
        scale = (1.0, 1.0)
        if self.joint_space is not None:
            width, height = _size(self.files[index].person)
            scale = (width / self.joint_space[0], height / self.joint_space[1])
        names = JOINTS_25 if len(points) == len(JOINTS_25) else JOINTS_18
        return Keypoints(
            {
                name: Joint(x * scale[0], y * scale[1], min(1.0, confidence))
                for name, (x, y, confidence) in zip(names, points, strict=True)
                if confidence > 0
            }
        )

    def garment_cover(self, index: int) -> Image.Image | None:
        files = self.files[index]
        if files.cover is None or files.garment is None or not files.cover.exists():
            return None
        return mask_of(read_bytes(files.cover), str(files.cover), _size(files.garment))

    def _read_points(self, content: object, name: str) -> list[tuple[float, float, float]] | None:
        """x, y and confidence (0 if undetected) of 25 or 18 points from a JSON file; None if it has no person."""
        raise NotImplementedError

    def _garment_mask(self, index: int) -> Image.Image:
        path = self.files[index].parsing
        if path is None:
            raise IGRError(f"{self.title} has no parsing maps to derive masks from: choose other masks.")
        parsing = parsing_of(read_bytes(path), str(path), self.table, _size(self.files[index].person))
        category = self.entries[index].category
        return binary_mask(parsing.garment(category), f"{path} ({category})")


def find_mask_folder(root: Path, part: str, folder: str) -> Path:
    """The user's mask folder for a part of a data set: FOLDER/PART, PART/FOLDER or FOLDER, relative to the root."""
    tried = [root / folder / part, root / part / folder, root / folder]
    for path in tried:
        if path.is_dir():
            return path
    raise IGRError(f"Mask folder {folder} was not found (tried {', '.join(map(str, tried))}): correct mask_folder.")


def find_mask(masks: Listing, stem: str, ending: str = ".png", photos: Collection[str] = ()) -> Path:
    """The mask of a photo, STEM.png or STEM_mask.png; if neither exists, the missing path STEM + `ending`.

    If both exist, the first is used, and a sentence is added to the listing's `doubts` unless the second is the mask of
    another photo in `photos` (names without suffixes).
    """
    stems = [stem] if f"{stem}_mask" in photos and masks.has_image(stem) else [stem, f"{stem}_mask"]
    return masks.image(*stems) or masks.folder / f"{stem}{ending}"


def found_mask_kind(mask: str, default: MaskKind, mask_folder: str | None, title: str) -> MaskKind:
    """Resolve `auto`; raises IGRError for `file` without a mask folder, and for a mask folder with another choice."""
    kind = ("file" if mask_folder else default) if mask == "auto" else mask
    if kind not in get_args(MaskKind):
        raise IGRError(f"Unknown mask {mask!r} for {title}: choose auto, agnostic, garment or file.")
    if kind == "file" and not mask_folder:
        raise IGRError(f"With mask set to file, {title} needs a mask folder: set mask_folder.")
    if kind != "file" and mask_folder:
        raise IGRError(
            f"With mask set to {kind}, {title} cannot use mask_folder: set mask to file, or omit mask_folder."
        )
    return cast(MaskKind, kind)


def checked_points(points: object, width: int, name: str) -> list[list[float]]:
    """25 or 18 rows of `width` numbers from a flat or nested list; otherwise raises IGRError naming the file."""
    flat = points
    if isinstance(points, list) and points and isinstance(points[0], list):
        flat = [value for row in points for value in (row if isinstance(row, list) else [math.nan])]
    if not isinstance(flat, list) or len(flat) not in (25 * width, 18 * width) or not all(map(_is_finite, flat)):
        raise IGRError(f"{name} does not contain 25 or 18 joints of {width} finite numbers: copy the file again.")
    return [[float(value) for value in flat[at : at + width]] for at in range(0, len(flat), width)]


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:  # an integer larger than any float
        return False


def _size(path: Path) -> tuple[int, int]:
    return size_of(read_bytes(path), str(path))
