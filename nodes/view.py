"""Garment Mask/Crop: the photo as the model will see it."""

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
"""Sides are multiples of this many pixels where no bundle says otherwise (SD1.5)."""
CROP_SIZE = 224
"""Side of the crop where no bundle says otherwise (CLIP)."""


class IGRGarmentView(io.ComfyNode):
    """Fit photo and mask, and cut out the garment."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What the node takes and gives."""
        return schema(
            node_id="IGRGarmentView",
            display_name="Garment Mask/Crop",
            description="Fits a photo and its garment mask to the working size, cuts out the garment, and shows what "
            "the model will see. The mask may come from MaskEditor, a segmenter, or the picture's transparency.",
            search_aliases=["garment crop", "garment mask", "fit person", "try-off preprocess", "mask crop"],
            inputs=[
                AdapterSocket.Input(
                    "adapter",
                    optional=True,
                    tooltip='From IGR Load: what "the model\'s own" size and view are. Needed for those choices only.',
                ),
                io.Image.Input("person", tooltip="Photo of a dressed person; a batch is one photo per garment."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="White where the garment is, as large as the photo; one per photo, or one for all. Without "
                    "a mask the whole picture is taken for the garment.",
                ),
                io.Combo.Input(
                    "size",
                    options=list(SIZES),
                    default=OWN,
                    tooltip="Working size in pixels, width x height: the size that the bundle was trained at, 768x1024 "
                    "as in the paper, 384x512 for little memory, or custom.",
                ),
                io.Combo.Input(
                    "view",
                    options=list(VIEWS),
                    default=OWN,
                    tooltip="whole: the whole photo, as in the paper. focused: the garment and its surroundings, so "
                    "that a small garment keeps its pixels. Best left as the bundle was trained.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.25,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Surroundings kept around the garment on each side, as a share of its longer side. Acts "
                    "only while view is set to focused; the model's own view brings its own margin.",
                ),
                advanced(
                    io.String.Input,
                    "custom_size",
                    default="768x1024",
                    tooltip="Width x height in pixels for size custom; multiples of 64 for SD1.5 bundles.",
                ),
                advanced(
                    io.Int.Input,
                    "grow",
                    default=0,
                    min=-256,
                    max=256,
                    tooltip="Pixels of the photo by which the mask grows on every side; negative shrinks it.",
                ),
                advanced(
                    io.Int.Input,
                    "feather",
                    default=0,
                    min=0,
                    max=256,
                    tooltip="Pixels of the photo over which the mask's edge is softened.",
                ),
                advanced(io.Boolean.Input, "fill_holes", default=False, tooltip="Fill what the mask shuts in."),
                advanced(
                    io.Boolean.Input,
                    "largest_only",
                    default=False,
                    tooltip="Keep the largest piece of the mask: drops the specks of a segmenter.",
                ),
            ],
            outputs=[
                ViewSocket.Output(display_name="view", tooltip="Photo, mask and crop together: to GarmNet Encode."),
                io.Image.Output(display_name="person", tooltip="The photo as the model sees it."),
                io.Mask.Output(display_name="mask", tooltip="The mask as the model sees it."),
                io.Image.Output(display_name="crop", tooltip="The garment alone, as the image prompt sees it."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, custom_size: str | None = None) -> bool | str:
        """Refuse a size that cannot be read before anything runs."""
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
        """Fit, cut out, and show."""
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
    """Width and height that the choice stands for; raises IGRError for a size that the bundle cannot work at."""
    if choice == OWN:
        return _needed(adapter, "size").config.native_size
    step = adapter.config.size_step if adapter is not None else SIZE_STEP
    return check_size(parse_size(custom if choice == CUSTOM else choice, step), step)


def view_config(choice: str, margin: float, adapter: Adapter | None) -> ViewConfig:
    """The view that the choice stands for."""
    if choice == OWN:
        return _needed(adapter, "view").config.view
    return ViewConfig(mode="focused" if choice == "focused" else "whole", margin=margin)


def _needed(adapter: Adapter | None, setting: str) -> Adapter:
    if adapter is None:
        raise IGRError(
            f'{setting} is "{OWN}", but no model is connected: connect IGR Load\'s adapter, or choose a {setting}.'
        )
    return adapter
