"""IGR Example Person: rendered photos that ship with the pack, so that workflows run right after installation."""

from __future__ import annotations

from comfy_api.latest import io

from ...igr_core.photo.images import load_mask, load_photo
from ..host.ui import preview
from ..images import to_image
from ..schema import check_option, garment_category_output, schema
from .shipped import EXAMPLES, GARMENTS


class IGRExamplePerson(io.ComfyNode):
    """Load a rendered person."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRExamplePerson",
            display_name="IGR Example Person",
            description="Loads a rendered person with the mask of one garment, to try out igr-small, which was not "
            "trained on these people.",
            search_aliases=["example photo", "test person", "sample person", "example image", "model photo"],
            inputs=[
                io.Combo.Input(
                    "garment",
                    options=list(GARMENTS),
                    default="upper",
                    tooltip="The garment to mask: a shirt (upper; the close-up shows the same one on another person), "
                    "shorts (lower) or a dress (full), each in its own photo, or the top or the trousers in one photo "
                    "(outfit).",
                )
            ],
            outputs=[
                io.Image.Output(display_name="person", tooltip="The photo, 576×768 pixels."),
                io.Mask.Output(display_name="mask", tooltip="Garment mask, white on the garment."),
                garment_category_output(
                    display_name="category", tooltip="Category of the garment. Connect it to GarmNet Encode."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(cls, garment: str) -> io.NodeOutput:
        """Load a shipped example, and show it on the node."""
        check_option("garment", garment, GARMENTS)
        photo, mask, category = GARMENTS[garment]
        image = to_image(load_photo(EXAMPLES / photo))
        return io.NodeOutput(image, load_mask(EXAMPLES / mask)[:, 0], category, ui=preview(cls, [image]))
