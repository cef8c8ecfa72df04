"""Garment Mask/Crop: prepare the photo as the model will see it."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io
from torch import Tensor

from ..igr_core.errors import IGRError
from ..igr_core.model.config import CATEGORIES, ViewConfig
from ..igr_core.photo.inputs import check_size, parse_size, validate_inputs
from ..igr_core.photo.masks import mend_mask
from ..igr_core.photo.overlay import overlay
from ..igr_core.photo.view import make_view
from .host.ui import preview
from .images import check_opaque, to_image, to_masks, to_photos
from .schema import advanced, check_option, check_text, schema, whole
from .segmentation.without_mask import STOP, WHOLE, masks_without_input, options
from .sockets import Adapter, AdapterSocket, ViewSocket

WIDEST = 256
"""Maximum number of pixels by which a mask is grown, shrunk or feathered."""
OWN = "the model's own"
CUSTOM = "custom"
SIZES = (OWN, "768x1024", "384x512", CUSTOM)
VIEWS = (OWN, "whole", "focused")


class IGRGarmentView(io.ComfyNode):
    """Fit a photo and its mask to the working size, and crop the garment."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRGarmentView",
            display_name="Garment Mask/Crop",
            description="Fits a photo and its garment mask to the working size, crops the garment, and shows the "
            "model's input. The mask can come from MaskEditor, a segmenter, or the image's transparency.",
            search_aliases=[
                "garment crop",
                "garment mask",
                "automatic mask",
                "fit person",
                "mask crop",
            ],
            inputs=[
                AdapterSocket.Input("adapter", tooltip="From IGR Load. Provides the bundle's size, view and crop."),
                io.Image.Input("person", tooltip="Photo of a dressed person; a batch has one photo per garment."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Garment mask, white on the garment and the same size as the photo; one per photo, or one "
                    "for all. Without a mask, without_mask determines what happens.",
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
                    "which keeps more of a small garment's detail. \"the model's own\" usually works best.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.25,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Context kept around the garment on each side, as a fraction of the garment's longer side. "
                    "Only used if view is focused; the model's own view has its own margin.",
                ),
                io.Combo.Input(
                    "without_mask",
                    options=options(),
                    default=STOP,
                    optional=True,
                    tooltip="What to do if a photo has no mask: stop with an error, treat the whole photo as "
                    "the garment, or find the garment with a human parser in models/human_parsing. The included "
                    "parser was not trained on photos.",
                ),
                io.Combo.Input(
                    "category",
                    options=list(CATEGORIES),
                    default=CATEGORIES[0],
                    optional=True,
                    tooltip="Kind of garment to find if there is no mask: upper (shirts, jackets), lower (trousers, "
                    "skirts) or full (dresses, jumpsuits). Not used with a mask.",
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
                    min=-WIDEST,
                    max=WIDEST,
                    tooltip="Grow the mask by this many photo pixels on every side; a negative value shrinks it.",
                ),
                advanced(
                    io.Int.Input,
                    "feather",
                    default=0,
                    min=0,
                    max=WIDEST,
                    tooltip="Soften the mask's edge over this many photo pixels.",
                ),
                advanced(io.Boolean.Input, "fill_holes", default=False, tooltip="Fill the holes in the mask."),
                advanced(
                    io.Boolean.Input,
                    "largest_only",
                    default=False,
                    tooltip="Keep only the largest piece of the mask, which removes specks left by a segmenter.",
                ),
            ],
            outputs=[
                ViewSocket.Output(
                    display_name="view", tooltip="Photo, mask and crop together. Connect to GarmNet Encode."
                ),
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
        adapter: Adapter,
        person: Tensor,
        size: str,
        view: str,
        margin: float,
        mask: Tensor | None = None,
        without_mask: str = STOP,
        category: str = CATEGORIES[0],
        custom_size: str = "768x1024",
        grow: int = 0,
        feather: int = 0,
        fill_holes: bool = False,
        largest_only: bool = False,
    ) -> io.NodeOutput:
        """Prepare the view, and show it on the node."""
        check_option("view", view, VIEWS)
        check_option("without_mask", without_mask, options())
        check_text("custom_size", custom_size)
        grow, feather = whole("grow", grow, -WIDEST, WIDEST), whole("feather", feather, 0, WIDEST)
        photos = to_photos(person)
        masks, note = to_masks(mask, photos), ""
        given = masks is not None
        if masks is None:
            masks, note = masks_without_input(without_mask, photos, category)
        validate_inputs(photos, masks)  # before a wider mask hides what the photo has under the given one
        if given:
            check_opaque(person, masks)
        masks = mend_mask(masks, grow=grow, feather=feather, fill_holes=fill_holes, largest_only=largest_only)
        fitted = make_view(
            photos,
            masks,
            working_size(size, custom_size, adapter),
            view_config(view, margin, adapter),
            adapter.config.image_encoder.image_size,
            None if given else category,
        )
        if not given and without_mask == WHOLE:  # chosen on purpose, so there is nothing to warn about
            fitted = replace(fitted, warnings=(), muted=True)
        images = [to_image(overlay(fitted.person, fitted.mask)), to_image(fitted.crop)]
        shown = preview(cls, images, fitted.warnings, note)
        return io.NodeOutput(fitted, to_image(fitted.person), fitted.mask[:, 0], to_image(fitted.crop), ui=shown)


def working_size(choice: str, custom: str, adapter: Adapter) -> tuple[int, int]:
    """Width and height for an option of `size`; raises IGRError for a size that the bundle does not support."""
    if choice == OWN:
        return adapter.config.native_size
    step = adapter.config.size_step
    return check_size(parse_size(custom if choice == CUSTOM else choice, step), step)


def view_config(choice: str, margin: float, adapter: Adapter) -> ViewConfig:
    """The view for an option of `view`."""
    if choice == OWN:
        return adapter.config.view
    return ViewConfig(mode="focused" if choice == "focused" else "whole", margin=margin)
