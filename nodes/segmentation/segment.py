"""IGR Load Segmenter and Garment Segment: garment masks from clicks, boxes or rough masks with SAM 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.photo.mask_warnings import mask_warnings
from ...igr_core.photo.overlay import overlay
from ...igr_core.segmentation.candidates import CHOICES, Choice, choose
from ...igr_core.segmentation.clicks import Clicks, describe, parse_clicks
from ...igr_core.segmentation.sam2_prompt import Prompt
from ...igr_core.segmentation.strokes import apply_strokes
from ..host.folders import SEGMENTERS
from ..host.locking import turn
from ..host.segmentation import LoadedSegmenter
from ..host.ui import editor_entries, note_entries, progress, shown_before_errors
from ..images import to_image, to_photos
from ..schema import check_option, check_text, schema
from ..sockets import BoxSocket, SegmenterSocket
from .cache import digest, state
from .prompts import prompts_of_photos, rough_masks
from .store import STORE


class IGRSegmenterLoad(io.ComfyNode):
    """Load SAM 2."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRSegmenterLoad",
            display_name="IGR Load Segmenter",
            description="Loads SAM 2, which segments a garment from clicks. The included model is small "
            "and was not trained on photos; for photos, put a published SAM 2 into models/sam2.",
            search_aliases=["sam2", "segment anything", "load sam", "segmentation model", "mask model"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=SEGMENTERS.names(),
                    default=SEGMENTERS.included_name,
                    tooltip="A folder with config.json and .safetensors in models/sam2 (such as a copy of "
                    "facebook/sam2.1-hiera-small), a single .safetensors file there, or the included "
                    "model.",
                ),
            ],
            outputs=[
                SegmenterSocket.Output(
                    display_name="segmenter",
                    tooltip="The segmenter. Connect it to Garment Segment or Garment by Category.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str, **_: Any) -> str:
        """Run again if the files have changed."""
        return f"{model}:{state(SEGMENTERS.path(model))}"

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        """Load the segmenter."""
        return io.NodeOutput(STORE.segmenter(model))


class IGRGarmentSegment(io.ComfyNode):
    """Segment the garment that is marked on the photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRGarmentSegment",
            display_name="Garment Segment",
            description="Finds the mask of a garment that you click on: left-click to include, right-click to exclude, "
            "drag to draw a box. Use the brush and the eraser to correct the mask. The mask is shown immediately, and "
            "the marks are saved in the workflow.",
            search_aliases=[
                "click mask",
                "sam2 points",
                "segment garment",
                "mask by click",
                "point editor",
                "paint mask",
                "mask brush",
            ],
            inputs=[
                io.Image.Input(
                    "person",
                    tooltip="Photo of a dressed person. The photo is shown immediately if it comes from Load Image or "
                    "IGR Example Person, and otherwise after the first run. Batches support boxes and rough masks, "
                    "but not points.",
                ),
                SegmenterSocket.Input("segmenter", tooltip="From IGR Load Segmenter."),
                io.Combo.Input(
                    "candidates",
                    options=list(CHOICES),
                    default="best",
                    tooltip="Which of the segmenter's candidates to use. best: the one with the highest score, or "
                    "the larger of two with almost the same score. largest, smallest: by area, for a click "
                    "that could mean a garment or its pocket. merged: all candidates combined.",
                ),
                io.String.Input(
                    "points",
                    default="",
                    tooltip="The marks in photo pixels, written by the editor as JSON. At most 50 points: "
                    '{"positive": [[x, y]], "negative": [[x, y]], "box": [left, top, right, bottom], "size": [width, '
                    'height], "strokes": [{"add": true, "radius": r, "points": [[x, y]]}]}.',
                ),
                io.Mask.Input(
                    "rough",
                    optional=True,
                    tooltip="Rough mask to refine, white on the garment and the same size as the photo; one per "
                    "photo, or one for all. Used when the workflow runs, not while clicking.",
                ),
                BoxSocket.Input(
                    "box",
                    optional=True,
                    extra_dict={"forceInput": True},
                    tooltip="Box around the garment in pixels of the photo, from a node that outputs boxes: a list per "
                    "photo, or one for all. If a photo has several, the one with the highest score is used, or the "
                    "largest if there are no scores. Boxes are clipped to the photo. A box drawn in the editor takes "
                    "precedence.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="Mask of the garment. Connect it to Garment Mask/Crop."),
                io.Image.Output(display_name="overlay", tooltip="The photo, faded outside the mask."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, points: str | None = None) -> bool | str:
        """Reject invalid points before anything runs."""
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
        """Segment the garment, and show the photo in the editor, even if nothing is marked on it yet."""
        check_option("candidates", candidates, CHOICES)
        check_text("points", points)
        photos = to_photos(person)
        shown = editor_entries(cls, to_image(photos[:1]), digest(photos[:1]))
        with shown_before_errors(cls, shown):
            masks, scores = segment_marked(segmenter, photos, parse_clicks(points), candidates, rough, box)
        shown = {**shown, **note_entries(cls, mask_warnings(masks)), "text": scores}
        return io.NodeOutput(masks[:, 0], to_image(overlay(photos, masks)), ui=shown)


def segment_marked(
    segmenter: LoadedSegmenter, photos: Tensor, clicks: Clicks, candidates: Choice, rough: Tensor | None, box: Any
) -> tuple[Tensor, tuple[str, ...]]:
    """Masks (B, 1, H, W) for photos (B, 3, H, W) with marks, rough masks and boxes, and descriptions of their scores.

    Raises IGRError if nothing is marked or found, or if marks, masks or boxes do not match the photos.
    """
    if clicks.is_painted and rough is None and box is None and len(photos) == 1:
        clicks.check_size((photos.shape[-1], photos.shape[-2]))
        masks, scores = photos.new_zeros(1, 1, *photos.shape[-2:]), ()
    else:
        prompts = prompts_of_photos(photos, clicks, rough_masks(rough), box)
        masks, scores = segment(segmenter, photos, prompts, candidates, progress(len(photos)))
    if clicks.strokes:  # on one photo only
        masks = apply_strokes(masks, clicks.strokes)
    if not bool(masks.flatten(1).any(1).all()):
        raise IGRError("The eraser removed the whole mask: undo the last strokes in Garment Segment.")
    return masks, scores


def segment(
    segmenter: LoadedSegmenter,
    photos: Tensor,
    prompts: list[Prompt],
    candidates: Choice,
    show: Callable[[int], None],
) -> tuple[Tensor, tuple[str, ...]]:
    """Masks (B, 1, H, W) for photos (B, 3, H, W), and descriptions of their scores; `show` receives the progress.

    Raises IGRError if nothing is found.
    """
    masks, descriptions = [], []
    for number, (photo, prompt) in enumerate(zip(photos.split(1), prompts, strict=True)):
        show(number)
        with turn():
            found, scores = segmenter.masks(STORE.embedding(segmenter, photo), prompt)
        masks.append(choose(found, scores, candidates))
        description = describe(found, scores, masks[-1])
        descriptions.append(description if len(photos) == 1 else f"photo {number + 1}: {description}")
    show(len(photos))
    return torch.cat(masks).to(photos.device), tuple(descriptions)
