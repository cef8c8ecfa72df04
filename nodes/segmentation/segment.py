"""IGR Load Segmenter and Garment Segment: a garment mask from clicks, a box or a rough mask (SAM 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.photo.overlay import overlay
from ...igr_core.segmentation.candidates import CHOICES, Choice, choose
from ...igr_core.segmentation.clicks import describe, parse_clicks
from ...igr_core.segmentation.sam2_prompt import Prompt
from ..host.folders import DEMO, SEGMENTERS
from ..host.segmentation import LoadedSegmenter
from ..host.turns import turn
from ..host.ui import progress, show_to_editor
from ..images import to_image, to_photos
from ..schema import schema
from ..sockets import BoxSocket, SegmenterSocket
from .kept import digest, state
from .prompts import prompts_of_photos, rough_masks
from .store import STORE


class IGRSegmenterLoad(io.ComfyNode):
    """Load a SAM 2."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What the node takes and gives."""
        return schema(
            node_id="IGRSegmenterLoad",
            display_name="IGR Load Segmenter",
            description="Loads a SAM 2, which finds a garment by clicks. The demo ships with the pack and knows drawn "
            "persons only; for photos put a published SAM 2 into models/sam2.",
            search_aliases=["sam2", "segment anything", "load sam", "segmentation model", "mask model"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=SEGMENTERS.names(),
                    default=DEMO,
                    tooltip="A folder with config.json and .safetensors in models/sam2 (such as a copy of "
                    "facebook/sam2.1-hiera-small), a single .safetensors file there, or the demo that ships with the "
                    "pack.",
                ),
            ],
            outputs=[
                SegmenterSocket.Output(
                    display_name="segmenter", tooltip="The SAM 2: to Garment Segment, Garment by Category."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str, **_: Any) -> str:
        """Run again when its files have changed."""
        return f"{model}:{state(SEGMENTERS.path(model))}"

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        """Load it."""
        return io.NodeOutput(STORE.segmenter(model))


class IGRGarmentSegment(io.ComfyNode):
    """Find a garment by what is marked on the photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What the node takes and gives."""
        return schema(
            node_id="IGRGarmentSegment",
            display_name="Garment Segment",
            description="Gives the mask of a garment that is clicked on in the photo: left click keeps, right click "
            "leaves out, dragging draws a box. The mask is shown at once, and the marks travel with the workflow.",
            search_aliases=["click mask", "sam2 points", "segment garment", "mask by click", "point editor"],
            inputs=[
                io.Image.Input(
                    "person",
                    tooltip="Photo of a dressed person. The node shows it at once where it comes from LoadImage or IGR "
                    "Example Person, else after the first Run. A batch takes boxes and rough masks, no points.",
                ),
                SegmenterSocket.Input("segmenter", tooltip="From IGR Load Segmenter."),
                io.Combo.Input(
                    "candidates",
                    options=list(CHOICES),
                    default="best",
                    tooltip="Which of the segmenter's answers is taken: best, the one that it is surest of; largest or "
                    "smallest, by pixels, where a single click may mean a garment or its pocket; merged, all together.",
                ),
                io.String.Input(
                    "points",
                    default="",
                    tooltip="What is marked, as JSON in pixels of the photo; the editor writes it. At most 50 points: "
                    '{"positive": [[x, y]], "negative": [[x, y]], "box": [left, top, right, bottom], "size": [width, '
                    "height]}.",
                ),
                io.Mask.Input(
                    "rough",
                    optional=True,
                    tooltip="Rough mask to refine, white where the garment is, as large as the photo; one per photo, "
                    "or one for all. Counts when the graph runs, not yet while clicking.",
                ),
                BoxSocket.Input(
                    "box",
                    optional=True,
                    extra_dict={"forceInput": True},
                    tooltip="Box around the garment in pixels of the photo, from ComfyUI's nodes that give one: a list "
                    "of boxes per photo, or boxes for all. Of several on a photo the one with the best score counts, "
                    "without scores the largest; they are clipped to the photo. A box that is drawn in the editor goes "
                    "before it.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="White where the garment is: to Garment Mask/Crop."),
                io.Image.Output(display_name="overlay", tooltip="The photo, faded where the mask is not."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, points: str | None = None) -> bool | str:
        """Refuse points that cannot be read before anything runs."""
        try:
            parse_clicks(points or "")
            return True
        except IGRError as error:
            return str(error)

    @classmethod
    def execute(
        cls,
        person: Tensor,
        segmenter: LoadedSegmenter,
        candidates: Choice,
        points: str,
        rough: Tensor | None = None,
        box: Any = None,
    ) -> io.NodeOutput:
        """Find it, and show the photo to click on."""
        photos = to_photos(person)
        prompts = prompts_of_photos(photos, parse_clicks(points), rough_masks(rough), box)
        masks, told = segment(segmenter, photos, prompts, candidates, progress(len(photos)))
        shown = show_to_editor(cls, to_image(photos[:1]), digest(photos[:1]), told)
        return io.NodeOutput(masks[:, 0], to_image(overlay(photos, masks)), ui=shown)


def segment(
    segmenter: LoadedSegmenter,
    photos: Tensor,
    prompts: list[Prompt],
    candidates: Choice,
    show: Callable[[int], None],
) -> tuple[Tensor, tuple[str, ...]]:
    """Masks (B, 1, H, W) of photos (B, 3, H, W), and the scores in words; `show` gets how many are done.

    Raises IGRError where nothing is found.
    """
    masks, told = [], []
    for number, (photo, prompt) in enumerate(zip(photos.split(1), prompts, strict=True)):
        show(number)
        with turn():
            found, scores = segmenter.masks(STORE.embedding(segmenter, photo), prompt)
        masks.append(choose(found, scores, candidates))
        words = describe(found, scores, masks[-1])
        told.append(words if len(photos) == 1 else f"photo {number + 1}: {words}")
    show(len(photos))
    return torch.cat(masks).to(photos.device), tuple(told)
