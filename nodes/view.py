"""Garment Mask/Crop: prepare the photo as the model will see it."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..igr_core.errors import IGRError
from ..igr_core.model.config import ViewConfig
from ..igr_core.photo.inputs import check_size, parse_size
from ..igr_core.photo.masks import mend_mask
from ..igr_core.photo.overlay import overlay
from ..igr_core.photo.view import make_view
from .host.ui import preview
from .images import to_image, to_masks, to_photos
from .schema import advanced, schema
from .sockets import Adapter, AdapterSocket, ViewSocket

OWN = "the model's own"
CUSTOM = "custom"
SIZES = (OWN, "768x1024", "384x512", CUSTOM)
VIEWS = (OWN, "whole", "focused")
SIZE_STEP = 64
"""Sizes must be multiples of this if no bundle is connected (SD1.5)."""
CROP_SIZE = 224
"""Side of the crop if no bundle is connected (CLIP)."""


class IGRGarmentView(io.ComfyNode):
    """Fit a photo and its mask to the working size, and crop the garment."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return schema(
            node_id="IGRGarmentView",
            display_name="Garment Mask/Crop",
            description="Fits a photo and its garment mask to the working size, crops the garment, and shows what the "
            "model will see. The mask can come from MaskEditor, a segmenter, or the image's transparency.",
            search_aliases=["garment crop", "garment mask", "fit person", "try-off preprocess", "mask crop"],
            inputs=[
                AdapterSocket.Input(
                    "adapter",
                    optional=True,
                    tooltip='From IGR Load. Only needed if size or view is "the model\'s own".',
                ),
                io.Image.Input("person", tooltip="Photo of a dressed person; a batch has one photo per garment."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Mask of the garment, white on the garment, the same size as the photo; one per photo, or "
                    "one for all. Without a mask, the whole photo is treated as the garment.",
                ),
                io.Combo.Input(
                    "size",
                    options=list(SIZES),
                    default=OWN,
                    tooltip="Working size in pixels, width x height: the size that the bundle was trained at, 768x1024 "
                    "as in the paper, 384x512 to save memory, or custom.",
                ),
                io.Combo.Input(
                    "view",
                    options=list(VIEWS),
                    default=OWN,
                    tooltip="whole: the whole photo, as in the paper. focused: only the garment and its surroundings, "
                    "which keeps more detail of a small garment. Best left at the bundle's own.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.25,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Context kept around the garment on each side, as a share of the garment's longer side. "
                    "Only used if view is focused; the model's own view has its own margin.",
                ),
                advanced(
                    io.String.Input,
                    "custom_size",
                    default="768x1024",
                    tooltip="Width x height in pixels, used if size is custom; multiples of 64 for SD1.5 bundles.",
                ),
                advanced(
                    io.Int.Input,
                    "grow",
                    default=0,
                    min=-256,
                    max=256,
                    tooltip="Grow the mask by this many photo pixels on every side; a negative value shrinks it.",
                ),
                advanced(
                    io.Int.Input,
                    "feather",
                    default=0,
                    min=0,
                    max=256,
                    tooltip="Soften the mask's edge over this many photo pixels.",
                ),
                advanced(io.Boolean.Input, "fill_holes", default=False, tooltip="Fill the holes in the mask."),
                advanced(
                    io.Boolean.Input,
                    "largest_only",
                    default=False,
                    tooltip="Keep only the largest piece of the mask, which removes a segmenter's specks.",
                ),
            ],
            outputs=[
                ViewSocket.Output(display_name="view", tooltip="Photo, mask and crop together. To GarmNet Encode."),
                io.Image.Output(display_name="person", tooltip="The photo as the model sees it."),
                io.Mask.Output(display_name="mask", tooltip="The mask as the model sees it."),
                io.Image.Output(display_name="crop", tooltip="The garment on its own, as the image prompt sees it."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, custom_size: str | None = None) -> bool | str:
        """Reject an invalid size before anything runs."""
        try:
            if custom_size is not None:
                parse_size(custom_size, 8)
            return True
        except IGRError as error:
            return str(error)

    @classmethod
    def execute(
        cls,
        person: Tensor,
        size: str,
        view: str,
        margin: float,
        mask: Tensor | None = None,
        adapter: Adapter | None = None,
        custom_size: str = "768x1024",
        grow: int = 0,
        feather: int = 0,
        fill_holes: bool = False,
        largest_only: bool = False,
    ) -> io.NodeOutput:
        """Prepare the view, and show it on the node."""
        photos = to_photos(person)
        masks, warnings = to_masks(mask, photos)
        masks = mend_mask(masks, grow=grow, feather=feather, fill_holes=fill_holes, largest_only=largest_only)
        fitted = make_view(
            photos,
            masks,
            working_size(size, custom_size, adapter),
            view_config(view, margin, adapter),
            adapter.config.image_encoder.image_size if adapter is not None else CROP_SIZE,
        )
        warnings = warnings or fitted.warnings
        shown = preview(cls, [to_image(overlay(fitted.person, fitted.mask)), to_image(fitted.crop)], warnings)
        return io.NodeOutput(fitted, to_image(fitted.person), fitted.mask[:, 0], to_image(fitted.crop), ui=shown)


def working_size(choice: str, custom: str, adapter: Adapter | None) -> tuple[int, int]:
    """Width and height for an option of `size`; raises IGRError for a size that the bundle does not support."""
    if choice == OWN:
        return _needed(adapter, "size").config.native_size
    step = adapter.config.size_step if adapter is not None else SIZE_STEP
    return check_size(parse_size(custom if choice == CUSTOM else choice, step), step)


def view_config(choice: str, margin: float, adapter: Adapter | None) -> ViewConfig:
    """The view for an option of `view`."""
    if choice == OWN:
        return _needed(adapter, "view").config.view
    return ViewConfig(mode="focused" if choice == "focused" else "whole", margin=margin)


def _needed(adapter: Adapter | None, setting: str) -> Adapter:
    if adapter is None:
        raise IGRError(
            f'{setting} is "{OWN}", but no bundle is connected: connect IGR Load\'s adapter, or choose a {setting}.'
        )
    return adapter
