"""Garment Preview: draw and describe the model's view of a photo, before anything slow runs."""

from __future__ import annotations

from comfy_api.latest import io

from ..igr_core.model.config import CATEGORIES
from ..igr_core.photo.overlay import draw_view
from ..igr_core.photo.view import GarmentView
from ..igr_core.photo.view_report import report_view
from .host.ui import preview
from .images import to_image
from .schema import check_option, schema
from .sockets import ViewSocket

UNKNOWN = "unknown"
"""Option for an unknown category."""


class IGRGarmentPreview(io.ComfyNode):
    """Draw and describe a view."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRGarmentPreview",
            display_name="Garment Preview",
            description="Shows how the model sees a photo, and warns about masks that are likely to give poor "
            "results: cut off at the photo's edge, very small or large, in several pieces, or of a person turned "
            "sideways.",
            search_aliases=["mask overlay", "mask preview", "check mask", "mask warnings", "garment overlay"],
            inputs=[
                ViewSocket.Input("view", tooltip="From Garment Mask/Crop: photos, masks and crops."),
                io.Combo.Input(
                    "category",
                    options=[UNKNOWN, *CATEGORIES],
                    default=UNKNOWN,
                    tooltip="Kind of garment under the mask, as in GarmNet Encode. Only used to detect side views "
                    "more reliably.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="overlay",
                    tooltip="One image per photo, 1024 pixels on the longer side: mask contour in cyan, crop in "
                    "orange, view in dashed white, padding hatched, the rest darkened.",
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="The warnings, then measurements of each photo, one sentence per line.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, view: GarmentView, category: str) -> io.NodeOutput:
        """Draw and describe the view, and show both on the node."""
        check_option("category", category, (UNKNOWN, *CATEGORIES))
        overlay = to_image(draw_view(view))
        report = report_view(view, None if category == UNKNOWN else category)
        shown = preview(cls, [overlay], report.warnings, report.measures)
        return io.NodeOutput(overlay, report.text, ui=shown)
