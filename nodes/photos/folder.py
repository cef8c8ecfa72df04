"""IGR Photo Folder: lists of photos and masks from ComfyUI's input folder, matched by name."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.folders import folders_below
from ...igr_core.model.config import CATEGORIES
from ...igr_core.photo.overlay import overlay
from ...igr_core.text import counted, plain
from ..host.folders import input_root, output_root
from ..host.ui import preview, progress, skipped
from ..images import to_image
from ..schema import advanced, check_option, garment_category_output, schema, whole
from .catalogue import (
    FROM_TABLE,
    NO_MASKS,
    SAVE_TO,
    SHIPPED,
    TABLE,
    Catalogue,
    FolderPhoto,
    LeftToDo,
    catalogue_state,
    left_to_do,
    load_photos,
    open_catalogue,
)

LIMIT = 20
SHOWN_PHOTOS, SHOWN_SIDE = 4, 512
"""Number of photos shown on the node, and their longest side in pixels."""
SHOWN_NOTES = 20
"""Number of notes shown on the node; the log has all of them."""

logger = logging.getLogger(__name__)


class IGRPhotoFolder(io.ComfyNode):
    """Load a folder of photos with their masks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        folders = folders_below(input_root())
        photos = "photos" if "photos" in folders else SHIPPED
        masks = "masks" if "masks" in folders else NO_MASKS
        return schema(
            node_id="IGRPhotoFolder",
            display_name="IGR Photo Folder",
            description="Loads a folder of photos and a folder of masks from ComfyUI's input folder and matches them "
            "by name: masks/anna.png belongs to photos/anna.jpg. The nodes after it run once per photo; photos that "
            "cannot be used are skipped and listed on the node.",
            search_aliases=[
                "catalogue",
                "load image folder",
                "batch of photos",
                "garment catalogue",
                "photo list",
                "mask folder",
                "catalog",
            ],
            inputs=[
                io.Combo.Input(
                    "photos",
                    options=[SHIPPED, *folders],
                    default=photos,
                    tooltip="Folder with photos of dressed people, inside ComfyUI's input folder, or the rendered "
                    "examples that come with the pack, which are loaded without masks.",
                ),
                io.Combo.Input(
                    "masks",
                    options=[NO_MASKS, *folders],
                    default=masks,
                    tooltip="Folder of masks, inside ComfyUI's input folder. Each mask is white on the garment, the "
                    "same size as its photo, and has the same name except for the extension. Without masks, "
                    "without_mask in Garment Mask/Crop determines what happens; it can also find garments.",
                ),
                io.Combo.Input(
                    "category",
                    options=[*CATEGORIES, FROM_TABLE],
                    default=CATEGORIES[0],
                    tooltip="Kind of garment under all masks: upper (shirts, jackets), lower (trousers, skirts) or "
                    f"full (dresses, jumpsuits). {FROM_TABLE}: one category per photo, from the file {TABLE} with the "
                    "columns name,category in the photos folder.",
                ),
                io.Int.Input(
                    "limit",
                    default=LIMIT,
                    min=0,
                    max=1_000_000,
                    tooltip="Number of photos per run; 0 for all. All photos of a run are in memory at the same "
                    "time, each at its own size (150 MB for 12 megapixels), plus 70 to 140 MB of reference "
                    "features per photo at 768x1024 with an SD1.5-sized bundle.",
                ),
                advanced(
                    io.String.Input,
                    "save_to",
                    default=SAVE_TO,
                    tooltip="Beginning of the prefix output. Photos that already have an image there are skipped "
                    "(garments/anna_00001_.png for anna), so the next run continues where the last one "
                    "stopped. Use a different save_to for another kind of garment, or for another folder "
                    "with the same file names.",
                ),
                advanced(
                    io.Boolean.Input,
                    "again",
                    default=False,
                    tooltip="Also load photos that already have an image in the output folder; with a limit, every "
                    "run loads the same first photos.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="person",
                    is_output_list=True,
                    tooltip="The photos, one at a time. Connect them to Garment Mask/Crop.",
                ),
                io.Mask.Output(
                    display_name="mask",
                    is_output_list=True,
                    tooltip="Mask of each photo. Connect it to Garment Mask/Crop.",
                ),
                garment_category_output(
                    display_name="category",
                    is_output_list=True,
                    tooltip="Category of each photo. Connect it to GarmNet Encode.",
                ),
                io.String.Output(
                    display_name="prefix",
                    is_output_list=True,
                    tooltip="save_to plus the photo's name. Connect it to Save Image's filename_prefix.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, photos: str | None = None) -> bool | str:
        """Reject a missing folder before anything runs; a connected input is None here.

        Only `photos` is named here, because ComfyUI repeats the message for every input in the signature.
        """
        try:
            if photos is not None:
                _open(photos, NO_MASKS)
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
        """Run again if a file was added, removed or changed, or a garment was saved."""
        try:
            if photos is not None and masks is not None and save_to is not None and again is not None:
                return catalogue_state(_open(photos, masks, save_to), again)
        except (IGRError, OSError):  # execute reports the problem
            pass
        return float("nan")

    @classmethod
    def execute(
        cls, photos: str, masks: str, category: str, limit: int, save_to: str = SAVE_TO, again: bool = False
    ) -> io.NodeOutput:
        """Load the photos that are left to do."""
        check_option("category", category, (*CATEGORIES, FROM_TABLE))
        found = left_to_do(_open(photos, masks, save_to), category, again)
        limit = whole("limit", limit, 0, 1_000_000)
        wanted = min(limit or len(found.pairs), len(found.pairs))
        loaded, failed = load_photos(found, wanted, progress(max(wanted, 1)))
        shown = preview(
            cls,
            [_preview(one) for one in loaded[:SHOWN_PHOTOS]],
            _warnings(found, loaded, failed),
            _skipped(found, nothing_left=not loaded),
        )
        if not loaded:
            return io.NodeOutput(*[[skipped()]] * 4, ui=shown)
        return io.NodeOutput(
            [one.person for one in loaded],
            [one.mask for one in loaded],
            [one.category for one in loaded],
            [save_to + one.name for one in loaded],
            ui=shown,
        )


def _open(photos: str, masks: str, save_to: str = "") -> Catalogue:
    return open_catalogue(input_root(), photos, masks, output_root(), save_to)


def _preview(photo: FolderPhoto) -> Tensor:
    """A small IMAGE of a photo, faded outside its mask."""
    if photo.mask.shape[-2:] != photo.person.shape[1:3]:  # the photo has no mask
        photo = replace(photo, mask=torch.ones(1, *photo.person.shape[1:3]))
    both = torch.cat([photo.person.movedim(-1, 1), photo.mask[:, None]], 1)  # (1, 4, H, W)
    scale = min(1.0, SHOWN_SIDE / max(both.shape[-2:]))
    size = [max(1, round(side * scale)) for side in both.shape[-2:]]
    small = F.interpolate(both, size, mode="area")
    return to_image(overlay(small[:, :3], small[:, 3:]))


def _warnings(found: LeftToDo, loaded: list[FolderPhoto], failed: dict[str, str]) -> tuple[str, ...]:
    """Warnings about skipped photos and doubtful masks; warnings that are not shown are logged."""
    notes = [f"{name}: {sentence}" for name, sentence in sorted(failed.items())]
    notes += [f"{one.name}: {warning}" for one in loaded for warning in one.warnings]
    for note in notes[SHOWN_NOTES:]:
        logger.warning("%s", plain(note))
    if len(notes) > SHOWN_NOTES:
        notes = [*notes[:SHOWN_NOTES], f"The log has {counted(len(notes) - SHOWN_NOTES, 'more note')}."]
    if found.ignored:
        notes.append(f"Files that are not images were skipped: {', '.join(found.ignored[:SHOWN_NOTES])}.")
    return tuple(notes)


def _skipped(found: LeftToDo, nothing_left: bool) -> str:
    """A sentence about the photos that are already done."""
    if nothing_left:
        return (
            f"Nothing left to do: output/{found.catalogue.save_to}NAME exists for all {found.done} photos. For "
            "another kind of garment, choose another save_to; to restore these photos once more, turn on "
            '"again".'
        )
    return f"Photos skipped as already done: {found.done} (output/{found.catalogue.save_to}NAME)." if found.done else ""
