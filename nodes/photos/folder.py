"""IGR Photo Folder: photos and masks out of ComfyUI's input folder, paired by name, as lists."""

from __future__ import annotations

import logging
from typing import Any

import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.folders import folders_below
from ...igr_core.model.config import CATEGORIES
from ...igr_core.photo.overlay import overlay
from ..host.folders import input_root, output_root
from ..host.ui import preview, progress
from ..images import to_image
from ..schema import advanced, garment_category_output, schema
from .catalogue import (
    FROM_TABLE,
    SAVE_TO,
    TABLE,
    Catalogue,
    FolderPhoto,
    LeftToDo,
    catalogue_state,
    check_prefix,
    left_to_do,
    load_photos,
    open_catalogue,
)

LIMIT = 20
SHOWN_PHOTOS, SHOWN_SIDE = 4, 512
"""How many photos are shown under the node, and their longest side in pixels."""
SHOWN_NOTES = 20
"""Photos left out that are named under the node; the log names all."""

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
                _open(photos, masks)
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
                return catalogue_state(_open(photos, masks, save_to), again)
        except (IGRError, OSError):  # execute will say what is wrong
            pass
        return float("nan")

    @classmethod
    def execute(
        cls, photos: str, masks: str, category: str, limit: int, save_to: str = SAVE_TO, again: bool = False
    ) -> io.NodeOutput:
        """Load what is left to do."""
        found = left_to_do(_open(photos, masks, save_to), category, again)
        wanted = min(limit or len(found.pairs), len(found.pairs))
        loaded, failed = load_photos(found, wanted, progress(max(wanted, 1)))
        previews = [_preview(one) for one in loaded[:SHOWN_PHOTOS]]
        return io.NodeOutput(
            [one.person for one in loaded],
            [one.mask for one in loaded],
            [one.category for one in loaded],
            [save_to + one.name for one in loaded],
            ui=preview(cls, previews, _notes(found, loaded, failed)),
        )


def _open(photos: str, masks: str, save_to: str = "") -> Catalogue:
    return open_catalogue(input_root(), photos, masks, output_root(), save_to)


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
        notes.append(f"Left out because they are done: {found.done} (output/{found.catalogue.save_to}NAME).")
    return tuple(notes)
