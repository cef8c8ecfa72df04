"""IGR Load Parser and Garment by Category: garment masks without clicks, from a human parser and optionally SAM 2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.model.config import CATEGORIES
from ...igr_core.photo.mask_warnings import mask_warnings
from ...igr_core.photo.overlay import overlay
from ...igr_core.segmentation.labels import AUTO, Parsed, garment_mask
from ...igr_core.segmentation.refinement import describe, refine_mask
from ..host.folders import PARSERS
from ..host.locking import turn
from ..host.segmentation import LoadedParser, LoadedSegmenter, load_parser
from ..host.ui import preview, progress
from ..images import to_image, to_photos
from ..schema import check_option, garment_category_output, schema
from ..sockets import ParserSocket, SegmenterSocket
from .cache import Cache, state
from .store import STORE

_LAST_PARSER: Cache[str, LoadedParser] = Cache(1)
"""The last parser that was used, shared by all nodes."""


class IGRParserLoad(io.ComfyNode):
    """Load a human parser."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRParserLoad",
            display_name="IGR Load Parser",
            description="Loads a human parser, which labels shirts, skirts and dresses. The included parser "
            "is small and was not trained on photos; for photos, put a published parser into models/human_parsing.",
            search_aliases=["human parser model", "segformer clothes", "fashn human parser", "atr"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=PARSERS.names(),
                    default=PARSERS.included_name,
                    tooltip="A folder with config.json and .safetensors in models/human_parsing (such as a copy of "
                    "mattmdjaga/segformer_b2_clothes), or the included parser.",
                ),
            ],
            outputs=[
                ParserSocket.Output(display_name="parser", tooltip="The parser. Connect it to Garment by Category.")
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str, **_: Any) -> str:
        """Run again if the files have changed."""
        return f"{model}:{state(PARSERS.path(model))}"

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        """Load the parser."""
        return io.NodeOutput(take_parser(model))


class IGRGarmentByCategory(io.ComfyNode):
    """Find a garment by its category."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRGarmentByCategory",
            display_name="Garment by Category",
            description="Finds the mask of a person's upper, lower or full garment without clicks: a human parser "
            "finds the garment, and SAM 2, if connected, refines its edges.",
            search_aliases=[
                "outfit",
                "dress",
                "clothes mask",
                "auto mask",
                "human parsing",
                "garment parser",
                "mask by category",
                "clothes segmentation",
            ],
            inputs=[
                io.Image.Input(
                    "person",
                    tooltip="Photo of a dressed person; all garments in a batch must belong to the same category.",
                ),
                ParserSocket.Input("parser", tooltip="From IGR Load Parser."),
                io.Combo.Input(
                    "category",
                    options=[AUTO, *CATEGORIES],
                    default=AUTO,
                    tooltip="Kind of garment: upper (shirts, jackets), lower (trousers, skirts), full (dresses and "
                    "jumpsuits, or a top, belt and skirt or trousers together, without a coat), or auto, which picks "
                    "the kind that covers the largest area of the photo.",
                ),
                SegmenterSocket.Input(
                    "segmenter",
                    optional=True,
                    tooltip="From IGR Load Segmenter: SAM 2 refines the edges of the parser's mask. Without it, the "
                    "node outputs the parser's own mask, whose edges are coarser.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="Mask of the garment. Connect it to Garment Mask/Crop."),
                garment_category_output(
                    display_name="category",
                    tooltip="The chosen category or, with auto, the detected one. Connect it to GarmNet Encode.",
                ),
                io.Image.Output(display_name="overlay", tooltip="The photo, faded outside the mask."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(
        cls, person: Tensor, parser: LoadedParser, category: str, segmenter: LoadedSegmenter | None = None
    ) -> io.NodeOutput:
        """Find the garment, and show it on the node."""
        check_option("category", category, (AUTO, *CATEGORIES))
        photos = to_photos(person)
        show = progress(len(photos) * (1 if segmenter is None else 2))
        masks, category, certainty = parse(parser, photos, category, show)
        found = None
        if segmenter is not None:
            masks, found = refine(segmenter, photos, masks, lambda done: show(len(photos) + done))
        image = to_image(overlay(photos, masks))
        shown = preview(cls, [image], mask_warnings(masks, category), describe_all(masks, category, certainty, found))
        return io.NodeOutput(masks[:, 0], category, image, ui=shown)


def take_parser(name: str) -> LoadedParser:
    """Load a parser by its listed name, or reuse the last one; raises IGRError if it cannot be loaded."""
    path = PARSERS.path(name)
    return _LAST_PARSER.take(state(path), lambda: load_parser(path))


def parse(
    parser: LoadedParser, photos: Tensor, category: str, show: Callable[[int], None]
) -> tuple[Tensor, str, tuple[float, ...]]:
    """Masks (B, 1, H, W) of the garments in photos (B, 3, H, W), their category, and the parser's certainty in each.

    `show` receives the progress.

    Raises IGRError for a photo without a garment of the category, or if auto finds several categories in a batch.
    """
    parsed = []
    for number, photo in enumerate(photos.split(1)):
        show(number)
        parsed.append(parser.parse(photo))
    show(len(photos))
    together = Parsed(*(torch.cat(parts) for parts in zip(*parsed, strict=True)))
    masks, categories = garment_mask(together.labels, parser.names, category)
    if len(set(categories)) > 1:
        other = next(number for number, one in enumerate(categories) if one != categories[0])
        raise IGRError(
            f"auto found garments of different categories ({categories[0]} in photo 1, {categories[other]} in photo "
            f"{other + 1}): choose a category in Garment by Category, or process the photos one at a time."
        )
    return masks.to(photos.device), categories[0], together.certainty_in(masks)


def refine(
    segmenter: LoadedSegmenter, photos: Tensor, masks: Tensor, show: Callable[[int], None]
) -> tuple[Tensor, list[float]]:
    """Refined masks (B, 1, H, W), and the fraction of each parser mask that SAM 2 found; `show` receives progress."""
    clean, found = [], []
    for number, (photo, mask) in enumerate(zip(photos.split(1), masks.split(1), strict=True)):
        show(number)
        with turn():
            embedding = STORE.embedding(segmenter, photo)
            done = refine_mask(mask.cpu(), lambda prompt, embedding=embedding: segmenter.masks(embedding, prompt))
        clean.append(done.mask)
        found.append(done.found)
    show(len(photos))
    return torch.cat(clean).to(photos.device), found


def describe_all(masks: Tensor, category: str, certainty: Sequence[float], found: Sequence[float] | None = None) -> str:
    """One line for each photo that describes the result; `found` is what SAM 2 found of each mask, if it was used."""
    lines = []
    for number, mask in enumerate(masks, 1):
        which = f"photo {number}: " if len(masks) > 1 else ""
        lines.append(
            which + describe(category, mask, None if found is None else found[number - 1], certainty[number - 1])
        )
    return "\n".join(lines)
