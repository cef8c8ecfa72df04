"""A folder of photos with masks: which pairs are left to do, and loading them. Needs no ComfyUI."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.folders import folder_below, leads_out, lies_below
from ...igr_core.photo.images import PICTURE_SUFFIXES, load_mask, load_photo
from ...igr_core.photo.inputs import validate_inputs
from ...igr_core.photo.mask_warnings import mask_warnings
from ...igr_core.restore.pairing import CategoryOf, Pair, list_pictures, one_category, pair_by_name, read_categories
from ..images import to_image

TABLE = "category.csv"
FROM_TABLE = f"from {TABLE}"
"""The category that takes each photo's own from the table in its folder."""
SAVE_TO = "garments/"
NAMED_REASONS = 3
"""Photos left out that an error names."""
SAME_NAME = "It has the same name as {name}: rename one of them."

_SAVED = re.compile(rf"(.+)_\d+_({'|'.join(re.escape(suffix) for suffix in PICTURE_SUFFIXES)})", re.IGNORECASE)
"""PREFIX_00001_.png, as Save Image writes it."""


@dataclass(frozen=True)
class Catalogue:
    """A folder of photos, the folder of their masks, and where their garments are saved."""

    photos: Path
    """Folder of the photos, below `input_root`."""
    masks: Path
    """Folder of the masks, below `input_root`."""
    input_root: Path
    """Folder that every file has to lie in, also behind links."""
    output_root: Path
    """Folder that garments are saved below."""
    save_to: str
    """What the names of the garments begin with, from `output_root`."""


@dataclass(frozen=True)
class FolderPhoto:
    """A photo of the folder that the following nodes can use."""

    name: str
    """File name without ending."""
    person: Tensor
    """The photo as an IMAGE, (1, H, W, 3) in 0..1."""
    mask: Tensor
    """Its MASK, (1, H, W) in 0..1."""
    category: str
    """upper, lower or full."""
    warnings: tuple[str, ...]
    """What the model may stumble over in the mask."""


@dataclass(frozen=True)
class LeftToDo:
    """What a Run finds in the folder."""

    pairs: tuple[Pair, ...]
    """Photos to restore."""
    failed: dict[str, str]
    """The sentence for each photo that cannot be used, by name."""
    done: int
    """How many photos have their garment already."""
    catalogue: Catalogue
    """Where all this was found."""


def open_catalogue(input_root: Path, photos: str, masks: str, output_root: Path, save_to: str) -> Catalogue:
    """The folders of these names below `input_root`.

    Raises IGRError for one that is not there, for twice the same, and for a prefix that leads out of `output_root`.
    """
    folders = folder_below(input_root, photos, "photos"), folder_below(input_root, masks, "masks")
    if folders[0].samefile(folders[1]):
        raise IGRError(f'masks is "{masks}", the folder of the photos: choose the folder that holds the masks.')
    check_prefix(save_to)
    return Catalogue(*folders, input_root, output_root, save_to)


def check_prefix(save_to: str) -> None:
    """Raise IGRError when `save_to` cannot be the beginning of a saved garment's name."""
    remedy = f"write a prefix such as {SAVE_TO}, or nothing"
    if leads_out(save_to) or "\0" in save_to:
        raise IGRError(f'save_to "{save_to}" leads out of the output folder: {remedy}.')
    if "%" in save_to:
        raise IGRError(f'save_to "{save_to}" has a %, which Save Image replaces: {remedy}.')


def finished_names(catalogue: Catalogue) -> set[str]:
    """Names that the output folder has a picture of under the catalogue's prefix."""
    folder, start = os.path.split(catalogue.save_to)  # as Save Image splits its prefix
    try:
        files = os.listdir(catalogue.output_root / folder)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    prefixes = (match[1] for match in map(_SAVED.fullmatch, files) if match)
    return {prefix.removeprefix(start) for prefix in prefixes if prefix.startswith(start)}


def catalogue_state(catalogue: Catalogue, again: bool) -> str:
    """A hash of what decides which photos a Run takes: names, sizes and times of the files, and what is done."""
    photos, masks = catalogue.photos, catalogue.masks
    files = [*list_pictures(photos), *list_pictures(masks), *photos.glob(TABLE)]
    states = [(path, path.stat()) for path in files]
    facts = [f"{path}:{state.st_size}:{state.st_mtime_ns}" for path, state in states]
    facts += [] if again else sorted(finished_names(catalogue) & {path.stem for path in files})
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()


def left_to_do(catalogue: Catalogue, category: str, again: bool) -> LeftToDo:
    """The photos that no garment was saved of yet, or all photos `again`.

    Raises IGRError when there are none, when the folder has no pictures, and when it has no readable category.csv
    where the categories shall come from there.
    """
    found = pair_by_name(catalogue.photos, catalogue.masks, _category_of(catalogue, category), SAME_NAME)
    finished = set() if again else finished_names(catalogue)
    pairs = tuple(pair for pair in found.pairs if pair.photo.stem not in finished)
    paired = {pair.photo.stem for pair in found.pairs}  # of two photos of one name, the garment is the first one's
    failed = {
        name: sentence
        for name, sentence in found.failed.items()
        if Path(name).stem not in finished or Path(name).stem in paired
    }
    if not pairs and not failed:
        raise IGRError(
            f"All photos of {catalogue.photos} are done, {catalogue.output_root} has a picture "
            f'"{catalogue.save_to}NAME" of each: give another kind of garment another save_to, or switch on again to '
            "take them again."
        )
    return LeftToDo(pairs, failed, len(found.pairs) - len(pairs), catalogue)


def load_photos(found: LeftToDo, wanted: int, show: Callable[[int], None]) -> tuple[list[FolderPhoto], dict[str, str]]:
    """Load photos until there are `wanted`, and the sentence for each one that had to be left out, by name.

    `show` gets how many are loaded. Raises IGRError with the first reasons when not one could be loaded.
    """
    loaded: list[FolderPhoto] = []
    failed = dict(found.failed)
    for pair in found.pairs:
        if len(loaded) == wanted:  # photos that fail do not count, or a few of them would stop every Run
            break
        show(len(loaded))
        try:
            loaded.append(load_pair(pair, found.catalogue.input_root))
        except IGRError as error:
            failed[pair.photo.name] = str(error)
    if not loaded:
        reasons = [f"{name}: {sentence}" for name, sentence in sorted(failed.items())]
        more = f" And {len(reasons) - NAMED_REASONS} more." if len(reasons) > NAMED_REASONS else ""
        raise IGRError(f"None of the photos left can be used. {' '.join(reasons[:NAMED_REASONS])}{more}")
    show(len(loaded))
    return loaded, failed


def load_pair(pair: Pair, input_root: Path) -> FolderPhoto:
    """Read photo and mask; raises IGRError when one of them is unreadable, or they do not go together."""
    _check_below(pair.photo, input_root)
    _check_below(pair.mask, input_root)
    photo, mask = load_photo(pair.photo), load_mask(pair.mask)
    validate_inputs(photo, mask)
    warnings = mask_warnings(mask, pair.category)
    return FolderPhoto(pair.photo.stem, to_image(photo), mask[:, 0], pair.category, warnings)


def _category_of(catalogue: Catalogue, category: str) -> CategoryOf:
    if category != FROM_TABLE:
        return one_category(category)
    table = catalogue.photos / TABLE
    if not table.is_file():
        raise IGRError(
            f'category is "{FROM_TABLE}", but {catalogue.photos} has none: put {TABLE} with the columns name,category '
            "there, or choose upper, lower or full."
        )
    _check_below(table, catalogue.input_root)
    return read_categories(table)


def _check_below(path: Path, root: Path) -> None:
    if not lies_below(path, root):
        raise IGRError(f"{path} is a link that leads out of {root}: put the file itself there.")
