"""IGR Photo Folder: photos and masks out of ComfyUI's input folder, paired by name, as lists."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.config import CATEGORIES
from ...igr_core.errors import IGRError
from ...igr_core.folders import (
    CategoryOf,
    Pair,
    folder_below,
    folders_below,
    leads_out,
    lies_below,
    list_pictures,
    one_category,
    pair_by_name,
    read_categories,
)
from ...igr_core.images import PICTURE_SUFFIXES, load_mask, load_photo
from ...igr_core.inputs import validate_inputs as check_pictures
from ...igr_core.mask_report import mask_warnings
from ..host.folders import input_root, output_root
from ..host.ui import preview, progress
from ..images import overlay, to_image
from ..schema import advanced, garment_category_output, schema

TABLE = "category.csv"
FROM_TABLE = f"from {TABLE}"
SAVE_TO = "garments/"
LIMIT = 20
SHOWN_PHOTOS, SHOWN_SIDE = 4, 512
"""How many photos are shown under the node, and their longest side in pixels."""
SHOWN_NOTES = 20
"""Photos left out that are named under the node; the log names all."""
NAMED_REASONS = 3
"""Photos left out that an error names."""
SAME_NAME = "It has the same name as {name}: rename one of them."

_SAVED = re.compile(rf"(.+)_\d+_({'|'.join(re.escape(suffix) for suffix in PICTURE_SUFFIXES)})", re.IGNORECASE)
"""PREFIX_00001_.png, as Save Image writes it."""

logger = logging.getLogger(__name__)


class IGRPhotoFolder(io.ComfyNode):
    """Read a folder of photos with their masks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What the node takes and gives."""
        folders = folders_below(input_root())
        photos = "photos" if "photos" in folders else next(iter(folders), None)
        masks = "masks" if "masks" in folders else next((name for name in folders if name != photos), None)
        return schema(
            node_id="IGRPhotoFolder",
            display_name="IGR Photo Folder",
            description="Reads a folder of photos and a folder of masks out of ComfyUI's input folder and pairs them "
            "by name: photos/anna.jpg belongs to masks/anna.png. Every node behind it runs once per photo; a photo "
            "that cannot be used is named on the node and left out.",
            search_aliases=["load image folder", "batch of photos", "garment catalogue", "photo list", "mask folder"],
            inputs=[
                io.Combo.Input(
                    "photos",
                    options=folders,
                    default=photos,
                    tooltip="Folder below ComfyUI's input folder that holds photos of dressed persons.",
                ),
                io.Combo.Input(
                    "masks",
                    options=folders,
                    default=masks,
                    tooltip="Folder below ComfyUI's input folder that holds the masks, white where the garment is: "
                    "each as large as its photo and of the same name, but for the ending.",
                ),
                io.Combo.Input(
                    "category",
                    options=[*CATEGORIES, FROM_TABLE],
                    default=CATEGORIES[0],
                    tooltip="Kind of garment under all masks: upper (shirts, jackets), lower (trousers, skirts) or "
                    f"full (dresses, jumpsuits). {FROM_TABLE}: one for each photo, from the file {TABLE} with the "
                    "columns name,category in the folder of the photos.",
                ),
                io.Int.Input(
                    "limit",
                    default=LIMIT,
                    min=0,
                    max=1_000_000,
                    tooltip="How many photos one Run takes; 0 takes all. All of a Run are held in memory at once: each "
                    "photo at its own size (150 MB for 12 megapixels), and with an SD1.5-sized bundle 70 to 140 MB of "
                    "reference each at 768x1024.",
                ),
                advanced(
                    io.String.Input,
                    "save_to",
                    default=SAVE_TO,
                    tooltip="What the output prefix begins with. Photos that have a picture there already are left out "
                    "(garments/anna_00001_.png for anna), so that the next Run goes on. Another kind of garment, or "
                    "another folder with the same names, needs a save_to of its own.",
                ),
                advanced(
                    io.Boolean.Input,
                    "again",
                    default=False,
                    tooltip="Take photos again that have a picture in the output folder already; with a limit, the "
                    "same first ones at every Run.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="person", is_output_list=True, tooltip="The photos, one by one: to Garment Mask/Crop."
                ),
                io.Mask.Output(display_name="mask", is_output_list=True, tooltip="Their masks: to Garment Mask/Crop."),
                garment_category_output(
                    display_name="category", is_output_list=True, tooltip="Their categories: to GarmNet Encode."
                ),
                io.String.Output(
                    display_name="prefix",
                    is_output_list=True,
                    tooltip="save_to and the photo's name: to Save Image's filename_prefix.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(
        cls, photos: str | None = None, masks: str | None = None, save_to: str | None = None
    ) -> bool | str:
        """Refuse folders that are not there before anything runs; an input that a wire brings is None here."""
        try:
            if photos is not None and masks is not None:
                open_folders(photos, masks)
            if save_to is not None:
                check_prefix(save_to)
            return True
        except IGRError as error:
            return str(error)

    @classmethod
    def fingerprint_inputs(
        cls,
        photos: str | None = None,
        masks: str | None = None,
        save_to: str | None = SAVE_TO,
        again: bool | None = False,
        **_: Any,
    ) -> str | float:
        """Run again when a file has come, gone or changed, or a garment has been saved."""
        try:
            if photos is not None and masks is not None and save_to is not None and again is not None:
                return folder_state(*open_folders(photos, masks), save_to, again)
        except (IGRError, OSError):  # execute will say what is wrong
            pass
        return float("nan")

    @classmethod
    def execute(
        cls, photos: str, masks: str, category: str, limit: int, save_to: str = SAVE_TO, again: bool = False
    ) -> io.NodeOutput:
        """Load what is left to do."""
        check_prefix(save_to)
        found = left_to_do(*open_folders(photos, masks), category, save_to, again)
        loaded, failed = load_photos(found, limit)
        previews = [_preview(one) for one in loaded[:SHOWN_PHOTOS]]
        return io.NodeOutput(
            [one.person for one in loaded],
            [one.mask for one in loaded],
            [one.category for one in loaded],
            [save_to + one.name for one in loaded],
            ui=preview(cls, previews, _notes(found, loaded, failed)),
        )


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
    where: str
    """What the names of those garments begin with."""


def open_folders(photos: str, masks: str) -> tuple[Path, Path]:
    """The two folders; raises IGRError for one that is not below the input folder, and for twice the same."""
    root = input_root()
    folders = folder_below(root, photos, "photos"), folder_below(root, masks, "masks")
    if folders[0].samefile(folders[1]):
        raise IGRError(f'masks is "{masks}", the folder of the photos: choose the folder that holds the masks.')
    return folders


def check_prefix(save_to: str) -> None:
    """Raise IGRError when `save_to` cannot be the beginning of a saved garment's name."""
    remedy = f"write a prefix such as {SAVE_TO}, or nothing"
    if leads_out(save_to) or "\0" in save_to:
        raise IGRError(f'save_to "{save_to}" leads out of the output folder: {remedy}.')
    if "%" in save_to:
        raise IGRError(f'save_to "{save_to}" has a %, which Save Image replaces: {remedy}.')


def finished_names(save_to: str) -> set[str]:
    """Names that the output folder has a picture of under the prefix `save_to`."""
    check_prefix(save_to)
    folder, start = os.path.split(save_to)  # as Save Image splits its prefix
    try:
        files = os.listdir(output_root() / folder)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    prefixes = (match[1] for match in map(_SAVED.fullmatch, files) if match)
    return {prefix.removeprefix(start) for prefix in prefixes if prefix.startswith(start)}


def folder_state(photos: Path, masks: Path, save_to: str, again: bool) -> str:
    """A hash of what decides which photos a Run takes: names, sizes and times of the files, and what is done."""
    files = [*list_pictures(photos), *list_pictures(masks), *photos.glob(TABLE)]
    states = [(path, path.stat()) for path in files]
    facts = [f"{path}:{state.st_size}:{state.st_mtime_ns}" for path, state in states]
    facts += [] if again else sorted(finished_names(save_to) & {path.stem for path in files})
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()


def left_to_do(photos: Path, masks: Path, category: str, save_to: str, again: bool) -> LeftToDo:
    """The photos that no garment was saved of yet, or all photos `again`.

    Raises IGRError when there are none, when the folder has no pictures, and when it has no readable category.csv
    where the categories shall come from there.
    """
    found = pair_by_name(photos, masks, _category_of(photos, category), SAME_NAME)
    finished = set() if again else finished_names(save_to)
    pairs = tuple(pair for pair in found.pairs if pair.photo.stem not in finished)
    paired = {pair.photo.stem for pair in found.pairs}  # of two photos of one name, the garment is the first one's
    failed = {
        name: sentence
        for name, sentence in found.failed.items()
        if Path(name).stem not in finished or Path(name).stem in paired
    }
    if not pairs and not failed:
        raise IGRError(
            f'All photos of {photos} are done, {output_root()} has a picture "{save_to}NAME" of each: give '
            "another kind of garment another save_to, or switch on again to take them again."
        )
    return LeftToDo(pairs, failed, len(found.pairs) - len(pairs), save_to)


def load_photos(found: LeftToDo, limit: int) -> tuple[list[FolderPhoto], dict[str, str]]:
    """Load photos until there are `limit` (0: all), and the sentence for each one that had to be left out, by name.

    Raises IGRError with the first reasons when not one could be loaded.
    """
    loaded: list[FolderPhoto] = []
    failed = dict(found.failed)
    wanted = min(limit or len(found.pairs), len(found.pairs))
    show = progress(max(wanted, 1))
    for pair in found.pairs:
        if len(loaded) == wanted:  # photos that fail do not count, or a few of them would stop every Run
            break
        show(len(loaded))
        try:
            loaded.append(load_pair(pair))
        except IGRError as error:
            failed[pair.photo.name] = str(error)
    if not loaded:
        reasons = [f"{name}: {sentence}" for name, sentence in sorted(failed.items())]
        more = f" And {len(reasons) - NAMED_REASONS} more." if len(reasons) > NAMED_REASONS else ""
        raise IGRError(f"None of the photos left can be used. {' '.join(reasons[:NAMED_REASONS])}{more}")
    show(len(loaded))
    return loaded, failed


def load_pair(pair: Pair) -> FolderPhoto:
    """Read photo and mask; raises IGRError when one of them is unreadable, or they do not go together."""
    _check_below_input(pair.photo)
    _check_below_input(pair.mask)
    photo, mask = load_photo(pair.photo), load_mask(pair.mask)
    check_pictures(photo, mask)
    warnings = mask_warnings(mask, pair.category)
    return FolderPhoto(pair.photo.stem, to_image(photo), mask[:, 0], pair.category, warnings)


def _category_of(photos: Path, category: str) -> CategoryOf:
    if category != FROM_TABLE:
        return one_category(category)
    table = photos / TABLE
    if not table.is_file():
        raise IGRError(
            f'category is "{FROM_TABLE}", but {photos} has none: put {TABLE} with the columns name,category there, or '
            "choose upper, lower or full."
        )
    _check_below_input(table)
    return read_categories(table)


def _check_below_input(path: Path) -> None:
    root = input_root()
    if not lies_below(path, root):
        raise IGRError(f"{path} is a link that leads out of {root}: put the file itself there.")


def _preview(photo: FolderPhoto) -> Tensor:
    """IMAGE of a photo with what its mask leaves out faded, small enough to be shown quickly."""
    both = torch.cat([photo.person.movedim(-1, 1), photo.mask[:, None]], 1)  # (1, 4, H, W)
    scale = min(1.0, SHOWN_SIDE / max(both.shape[-2:]))
    size = [max(1, round(side * scale)) for side in both.shape[-2:]]
    small = F.interpolate(both, size, mode="area")
    return to_image(overlay(small[:, :3], small[:, 3:]))


def _notes(found: LeftToDo, loaded: list[FolderPhoto], failed: dict[str, str]) -> tuple[str, ...]:
    """What is shown of photos left out, done or doubtful; what is not shown is logged here."""
    notes = [f"{name}: {sentence}" for name, sentence in sorted(failed.items())]
    notes += [f"{one.name}: {warning}" for one in loaded for warning in one.warnings]
    for note in notes[SHOWN_NOTES:]:
        logger.warning("%s", note)
    if len(notes) > SHOWN_NOTES:
        notes = [*notes[:SHOWN_NOTES], f"{len(notes) - SHOWN_NOTES} more notes are in the log."]
    if found.done:
        notes.append(f"Left out because they are done: {found.done} (output/{found.where}NAME).")
    return tuple(notes)
