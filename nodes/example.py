"""IGR Example Person: drawn photos that travel with the pack, so that a workflow runs right after installation."""

from __future__ import annotations

from pathlib import Path

from comfy_api.latest import io
from torch import Tensor

from ..igr_core.config import CATEGORIES
from ..igr_core.images import load_mask, load_photo
from ..igr_core.inputs import check_category
from .pictures import to_image
from .schema import garment_category_output, schema

EXAMPLES = Path(__file__).parent / "examples"
"""CATEGORY.webp and CATEGORY_mask.png, drawn from seeds that no training run uses."""


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
                    options=list(CATEGORIES),
                    default="upper",
                    tooltip="Which garment is masked: a shirt (upper), shorts (lower) or a dress (full).",
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
        person, mask = example_person(garment)
        return io.NodeOutput(to_image(person), mask[:, 0], garment)


def example_person(category: str) -> tuple[Tensor, Tensor]:
    """Photo (1, 3, 768, 576) and mask (1, 1, 768, 576) in 0..1; raises IGRError for an unknown category."""
    name = check_category(category)
    return load_photo(EXAMPLES / f"{name}.webp"), load_mask(EXAMPLES / f"{name}_mask.png")
