"""IGR Example Person: drawn photos that travel with the pack, so that a workflow runs right after installation."""

from __future__ import annotations

from pathlib import Path

from comfy_api.latest import io

from ...igr_core.photo.images import load_mask, load_photo
from ..images import to_image
from ..schema import garment_category_output, schema

EXAMPLES = Path(__file__).parents[1] / "examples"
"""Photos NAME.webp and their masks; tests/nodes/test_examples.py holds the held-out seeds that they are drawn from."""
GARMENTS = {
    "upper": ("upper.webp", "upper_mask.png", "upper"),
    "lower": ("lower.webp", "lower_mask.png", "lower"),
    "full": ("full.webp", "full_mask.png", "full"),
    "upper of an outfit": ("outfit.webp", "outfit_upper_mask.png", "upper"),
    "lower of an outfit": ("outfit.webp", "outfit_lower_mask.png", "lower"),
}
"""Photo, mask and category of each choice; the two of the outfit are one photo."""


class IGRExamplePerson(io.ComfyNode):
    """Give a drawn person."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What the node takes and gives."""
        return schema(
            node_id="IGRExamplePerson",
            display_name="IGR Example Person",
            description="A drawn person with the mask of one garment, for trying the demo. The persons are held out: "
            "the demo was not trained on them.",
            search_aliases=["example photo", "test person", "sample person", "demo image"],
            inputs=[
                io.Combo.Input(
                    "garment",
                    options=list(GARMENTS),
                    default="upper",
                    tooltip="Which garment is masked: a shirt (upper), shorts (lower) or a dress (full), each in a "
                    "photo of its own; or the top or the trousers of one photo (outfit).",
                )
            ],
            outputs=[
                io.Image.Output(display_name="person", tooltip="The photo, 576 x 768 pixels."),
                io.Mask.Output(display_name="mask", tooltip="White where the garment is."),
                garment_category_output(display_name="category", tooltip="The garment's category: to GarmNet Encode."),
            ],
        )

    @classmethod
    def execute(cls, garment: str) -> io.NodeOutput:
        """Load a shipped example."""
        photo, mask, category = GARMENTS[garment]
        return io.NodeOutput(to_image(load_photo(EXAMPLES / photo)), load_mask(EXAMPLES / mask)[:, 0], category)
