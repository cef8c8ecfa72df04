"""The small human parser: its architecture and its folder on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

from igr_core.errors import IGRError
from igr_core.model.config import Side
from igr_core.ranges import Ranged
from igr_core.segmentation.labels import ATR

from ..model_folder import save_model_folder
from ..shapes import STAGES, Blocks, Ratio, StageHeads, StageWidth, check_heads

SUMMARY = "parser.json"
"""Name of a trained parser's summary, next to its weights."""
CELL = 4
"""Pixels of the photo per cell of the scores."""
STRIDE = 32
"""Pixels of the photo per cell of the coarsest features."""


@dataclass(frozen=True)
class ParserShape(Ranged):
    """Sizes of a small SegFormer with four stages."""

    input_size: tuple[Side, Side] = (192, 256)
    """Width and height in pixels that photos are resized to, multiples of 32; labels have a quarter of this size."""
    widths: Annotated[tuple[StageWidth, ...], STAGES] = (16, 32, 64, 96)
    """Channels of each stage."""
    blocks: Annotated[tuple[Blocks, ...], STAGES] = (2, 2, 2, 2)
    """Blocks of each stage."""
    heads: Annotated[tuple[StageHeads, ...], STAGES] = (1, 2, 4, 6)
    """Attention heads of each stage."""
    mlp_ratios: Annotated[tuple[Ratio, ...], STAGES] = (4, 4, 4, 4)
    """Hidden width of each stage's MLPs, relative to its width."""
    decoder_width: StageWidth = 64
    """Channels of the decoder, which joins the stages."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(side % STRIDE for side in self.input_size):
            width, height = self.input_size
            raise IGRError(f"input_size is {width}x{height}: both must be multiples of {STRIDE}.")
        check_heads(self.widths, self.heads, "The parser's widths")


def build_parser(shape: ParserShape) -> SegformerForSemanticSegmentation:
    """A SegFormer of this shape for ATR's labels, with random weights."""
    config = SegformerConfig(
        hidden_sizes=list(shape.widths),
        depths=list(shape.blocks),
        num_attention_heads=list(shape.heads),
        mlp_ratios=list(shape.mlp_ratios),
        decoder_hidden_size=shape.decoder_width,
        classifier_dropout_prob=0.0,
        drop_path_rate=0.0,
        id2label=dict(enumerate(ATR.labels)),
        label2id={label: number for number, label in enumerate(ATR.labels)},
    )
    return SegformerForSemanticSegmentation(config)


def save_parser(
    folder: Path, model: SegformerForSemanticSegmentation, shape: ParserShape, summary: dict[str, Any]
) -> None:
    """Write a folder for HumanParser: weights in half precision, configs, and the summary."""
    width, height = shape.input_size
    save_model_folder(folder, model, SegformerImageProcessor(size={"height": height, "width": width}), SUMMARY, summary)
