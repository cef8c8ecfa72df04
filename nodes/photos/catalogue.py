"""Find the photos in a folder that are not restored yet, and load them with their masks. Independent of ComfyUI."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.folders import folder_below, leads_out, lies_below
from ...igr_core.model.config import CATEGORIES
from ...igr_core.photo.image_files import IMAGE_SUFFIXES
from ...igr_core.photo.images import load_photo, load_photo_and_mask
from ...igr_core.photo.inputs import validate_inputs
from ...igr_core.photo.mask_warnings import mask_warnings
from ...igr_core.restore.pairing import (
    CategoryOf,
    Pair,
    Pairing,
    list_images,
    one_category,
    pair_by_name,
    read_categories,
)
from ...igr_core.text import is_decoded
from ..images import no_mask, to_image
from .sheet_report import PLACEHOLDER
from .shipped import EXAMPLES, GARMENTS

TABLE = "category.csv"
FROM_TABLE = f"from {TABLE}"
"""Option that reads each photo's category from the table in its folder."""
NO_MASKS = "none (Garment Mask/Crop decides)"
"""Option for a folder of photos without masks."""
SHIPPED = "examples (rendered persons)"
"""Option for the example photos in the pack, which have no folder of masks."""
SAVE_TO = "garments/"
_NUMBERED, _LONGEST_FILE = "_00001_.png", 255
"""What Save Image adds to a name, and the maximum length in bytes of a file name."""
_LONGEST_NAME = 200
"""Maximum length in bytes of each part of a prefix, which leaves space for Save Image's number and extension."""
NAMED_REASONS = 3
"""Maximum number of skipped photos that an error lists."""
SAME_NAME = "The photo has the same name as {name}: rename one of them."

_SAVED = re.compile(rf"(.+)_\d+_({'|'.join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)})", re.IGNORECASE)
"""File names such as PREFIX_00001_.png, as Save Image writes them."""


@dataclass(frozen=True)
class Catalogue:
    """A folder of photos, the folder of their masks, and where the restored garments are saved."""

    photos: Path
    """Folder of the photos, below `input_root`."""
    masks: Path | None
    """Folder of the masks, below `input_root`; None without masks."""
    input_root: Path
    """Folder that must contain every file once links are resolved; EXAMPLES for the examples."""
    output_root: Path
    """Folder below which garments are saved."""
    save_to: str
    """Prefix of the garments' paths, relative to `output_root`."""


@dataclass(frozen=True)
class FolderPhoto:
    """A photo that was loaded from the folder."""

    name: str
    """File name without extension."""
    person: Tensor
    """The photo as an IMAGE, (1, H, W, 3) in 0..1."""
    mask: Tensor
    """The photo's MASK, (1, H, W) in 0..1; a placeholder if there is no folder of masks."""
    category: str
    """upper, lower or full."""
    warnings: tuple[str, ...]
    """Warnings about the mask."""


@dataclass(frozen=True)
class LeftToDo:
    """The photos of a folder at the start of a run: which to restore, which failed, and how many are done."""

    pairs: tuple[Pair, ...]
    """Photos to restore; without a folder of masks, `mask` is the photo itself."""
    failed: dict[str, str]
    """Error message for each photo that cannot be used, by file name."""
    done: int
    """Number of photos whose garments are already saved."""
    catalogue: Catalogue
    """The folders that were searched."""
    ignored: tuple[str, ...] = ()
    """Names of the files in the photo folder that are not images."""


def open_catalogue(input_root: Path, photos: str, masks: str, output_root: Path, save_to: str) -> Catalogue:
    """The folders with these names below `input_root`, or the examples; `masks` may be NO_MASKS.

    Raises IGRError if a folder does not exist, if both are the same, or if the prefix points outside `output_root`.
    """
    check_prefix(save_to)
    if photos == SHIPPED:
        return Catalogue(EXAMPLES, None, EXAMPLES, output_root, save_to)
    if masks == NO_MASKS:
        return Catalogue(folder_below(input_root, photos, "photos"), None, input_root, output_root, save_to)
    folders = folder_below(input_root, photos, "photos"), folder_below(input_root, masks, "masks")
    if folders[0].samefile(folders[1]):
        raise IGRError(f'masks is "{masks}", which is the photos folder: choose the folder that contains the masks.')
    return Catalogue(*folders, input_root, output_root, save_to)


def check_prefix(save_to: str) -> None:
    """Raise IGRError if `save_to` is not a valid prefix for saved garments."""
    remedy = f"use a prefix such as {SAVE_TO}, or leave it empty"
    if leads_out(save_to) or "\0" in save_to:
        raise IGRError(f'save_to "{save_to}" points outside the output folder: {remedy}.')
    if "%" in save_to:
        raise IGRError(f'save_to "{save_to}" contains %, which Save Image replaces: {remedy}.')
    if not is_decoded(save_to):
        raise IGRError(f"save_to {save_to!r} is not valid text: {remedy}.")
    if max(len(os.fsencode(part)) for part in save_to.split("/")) > _LONGEST_NAME:
        raise IGRError(f'save_to "{save_to[:40]}…" is too long for a file name: {remedy}.')


def finished_names(catalogue: Catalogue) -> set[str]:
    """Names of the photos that have an image with the catalogue's prefix in the output folder."""
    folder, start = os.path.split(catalogue.save_to)  # split like Save Image's prefix
    try:
        files = os.listdir(catalogue.output_root / folder)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    prefixes = (match[1] for match in map(_SAVED.fullmatch, files) if match)
    return {prefix.removeprefix(start) for prefix in prefixes if prefix.startswith(start)}


def catalogue_state(catalogue: Catalogue, again: bool) -> str:
    """A hash of everything that determines which photos a run loads: files with sizes and times, and saved garments."""
    photos, masks = catalogue.photos, catalogue.masks
    files = [*list_images(photos), *(list_images(masks) if masks else []), *photos.glob(TABLE)]
    facts = [f"{path}:{_state(path)}" for path in files]
    facts += [] if again else sorted(finished_names(catalogue) & {path.stem for path in files})
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()


def _state(path: Path) -> str:
    """Size and time of a file; empty for one that cannot be examined, such as a symlink loop."""
    try:
        state = path.stat()
    except OSError:
        return ""
    return f"{state.st_size}:{state.st_mtime_ns}"


def left_to_do(catalogue: Catalogue, category: str, again: bool) -> LeftToDo:
    """The photos whose garments are not saved yet, or all photos with `again`; none if all are done.

    Raises IGRError if the folder has no images, or if the categories come from category.csv but it cannot be read.
    """
    found = _pairs(catalogue, _category_of(catalogue, category))
    finished = set() if again else finished_names(catalogue)
    found = _without_unusable(found, catalogue.save_to)
    pairs = tuple(pair for pair in found.pairs if pair.photo.stem not in finished)
    paired = {pair.photo.stem for pair in found.pairs}  # if two photos share a name, the garment belongs to the first
    failed = {
        name: sentence
        for name, sentence in found.failed.items()
        if Path(name).stem not in finished or Path(name).stem in paired
    }
    return LeftToDo(pairs, failed, len(found.pairs) - len(pairs), catalogue, found.ignored)


def _without_unusable(found: Pairing, save_to: str) -> Pairing:
    """Mark photos as failed whose names Save Image cannot use, because they would never count as done."""
    start = save_to.rpartition("/")[2]
    failed = dict(found.failed)
    for pair in found.pairs:
        if PLACEHOLDER.search(pair.photo.stem):
            failed[pair.photo.name] = (
                "ComfyUI would replace part of the photo's name, such as %width%: rename the photo."
            )
        elif len(os.fsencode(start + pair.photo.stem + _NUMBERED)) > _LONGEST_FILE:
            failed[pair.photo.name] = "The photo's name is too long for Save Image to add a number to it: shorten it."
    return replace(found, pairs=tuple(pair for pair in found.pairs if pair.photo.name not in failed), failed=failed)


def load_photos(found: LeftToDo, wanted: int, show: Callable[[int], None]) -> tuple[list[FolderPhoto], dict[str, str]]:
    """Load up to `wanted` photos; also returns the error message for each photo that was skipped, by file name.

    `show` is called with the number of photos loaded. Raises IGRError with the first few reasons if none of the photos
    could be loaded.
    """
    loaded: list[FolderPhoto] = []
    failed = dict(found.failed)
    for pair in found.pairs:
        if len(loaded) == wanted:  # failed photos do not count; a few would otherwise block every run
            break
        show(len(loaded))
        try:
            loaded.append(load_pair(pair, found.catalogue))
        except IGRError as error:
            failed[pair.photo.name] = str(error)
    if not loaded and failed:
        reasons = [f"{name}: {sentence}" for name, sentence in sorted(failed.items())]
        more = f" {len(reasons) - NAMED_REASONS} more failed." if len(reasons) > NAMED_REASONS else ""
        raise IGRError(f"None of the remaining photos can be used. {' '.join(reasons[:NAMED_REASONS])}{more}")
    show(len(loaded))
    return loaded, failed


def load_pair(pair: Pair, catalogue: Catalogue) -> FolderPhoto:
    """Load a photo and its mask, if it has one; raises IGRError if one cannot be read or they do not match."""
    _check_below(pair.photo, catalogue.input_root)
    if catalogue.masks is None:
        return FolderPhoto(pair.photo.stem, to_image(load_photo(pair.photo)), no_mask(), pair.category, ())
    _check_below(pair.mask, catalogue.input_root)
    photo, mask = load_photo_and_mask(pair.photo, pair.mask)
    validate_inputs(photo, mask)
    warnings = mask_warnings(mask, pair.category)
    return FolderPhoto(pair.photo.stem, to_image(photo), mask[:, 0], pair.category, warnings)


def _pairs(catalogue: Catalogue, category_of: CategoryOf) -> Pairing:
    """The photos with their masks; without a folder of masks, each photo is used in place of its mask."""
    found = pair_by_name(catalogue.photos, catalogue.masks, category_of, SAME_NAME)
    if catalogue.photos == EXAMPLES:  # this folder also contains their masks
        examples = {photo: category for photo, _, category in GARMENTS.values()}
        pairs = [replace(one, category=examples[one.photo.name]) for one in found.pairs if one.photo.name in examples]
        return Pairing(tuple(pairs), {})
    return found


def _category_of(catalogue: Catalogue, category: str) -> CategoryOf:
    if category != FROM_TABLE or catalogue.photos == EXAMPLES:
        return one_category(category if category != FROM_TABLE else CATEGORIES[0])  # _pairs replaces it for examples
    table = catalogue.photos / TABLE
    if not table.is_file():
        raise IGRError(
            f'category is "{FROM_TABLE}", but {catalogue.photos} has no {TABLE}: add one with the columns '
            "name,category, or choose upper, lower or full."
        )
    _check_below(table, catalogue.input_root)
    return read_categories(table)


def _check_below(path: Path, root: Path) -> None:
    if not lies_below(path, root):
        raise IGRError(f"{path} is a link to a file outside {root}: copy the file into that folder.")
