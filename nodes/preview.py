"""Garment Preview: what the model sees of a photo, drawn and in words, before anything long runs."""

from __future__ import annotations

from comfy_api.latest import io

from ..igr_core.model.config import CATEGORIES
from ..igr_core.photo.overlay import draw_view
from ..igr_core.photo.view import GarmentView
from ..igr_core.photo.view_report import report_view
from .host.ui import preview
from .images import to_image
from .schema import schema
from .sockets import ViewSocket

UNKNOWN = "unknown"
"""The choice of a category that says nothing."""


class IGRGarmentPreview(io.ComfyNode):
    """Draw and describe a view."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What the node takes and gives."""
        return schema(
            node_id="IGRGarmentPreview",
            display_name="Garment Preview",
            description="Shows what the model sees of a photo, and warns of masks that restore badly: cut off at the "
            "photo's edge, very small or large, in several pieces, of a person who stands sideways.",
            search_aliases=["mask overlay", "mask preview", "check mask", "mask warnings", "garment overlay"],
            inputs=[
                ViewSocket.Input("view", tooltip="From Garment Mask/Crop: photos, masks and crops."),
                io.Combo.Input(
                    "category",
                    options=[UNKNOWN, *CATEGORIES],
                    default=UNKNOWN,
                    tooltip="Kind of garment under the mask, as in GarmNet Encode. It acts on one warning only: "
                    "persons who stand sideways are told surer where it is known.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="overlay",
                    tooltip="One picture per photo, 1024 pixels on the longer side: contour of the mask in cyan, what "
                    "the crop holds in orange, the view in dashed white, padding hatched, the rest darkened.",
                ),
                io.String.Output(
                    display_name="report", tooltip="Measures of each photo, then the warnings, a sentence a line."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, view: GarmentView, category: str) -> io.NodeOutput:
        """Draw, describe, and show both."""
        overlay = to_image(draw_view(view))
        report = report_view(view, None if category == UNKNOWN else category)
        shown = preview(cls, [overlay], report.warnings, report.text)
        return io.NodeOutput(overlay, report.text, ui=shown)
