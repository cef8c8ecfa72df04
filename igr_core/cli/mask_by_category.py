"""The command `mask` by category, in which a human parser finds the garment and SAM 2, if given, refines its edges."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.text import Text

from ..errors import UsageError
from ..included import INCLUDED_PARSER
from ..text import one_line
from .shared import Find, explain_out_of_memory, load_segmenter, note_included_model

if TYPE_CHECKING:
    import torch
    from torch import Tensor


Wanted = Literal["auto", "upper", "lower", "full"]
"""Garment to find, as in labels.garment_mask."""


def check_no_marks(
    point: list[str] | None, leave_out: list[str] | None, box: str | None, rough: Path | None, chosen: bool
) -> None:
    """Raise UsageError if marks are combined with a category; `chosen` is whether --candidate is given."""
    given = {"--point": point, "--not": leave_out, "--box": box, "--rough": rough, "--candidate": chosen}
    if names := [name for name, value in given.items() if value]:
        raise UsageError(
            f"{', '.join(names)} cannot be combined with --parser or --category: either mark the garment or set its "
            "category."
        )


def category_finder(parser: Path | None, wanted: Wanted, segmenter: Path | None) -> Find:
    """Prepare to find masks by category; raises UsageError if no parser is named and the included one is missing."""
    if parser is None and not INCLUDED_PARSER.is_dir():
        raise UsageError(
            f"{INCLUDED_PARSER} does not exist: use --parser with the folder of a human parser in transformers' layout."
        )
    if parser is None:
        note_included_model("parser", "--parser")
    folder = parser or INCLUDED_PARSER
    return lambda device, photo: partial(_mask, folder, wanted, segmenter, device, photo)


def _mask(
    folder: Path, wanted: Wanted, segmenter: Path | None, device: torch.device, photo: Tensor
) -> tuple[Tensor, str]:
    """The mask (1, 1, H, W) for a photo (1, 3, H, W), on the CPU, and its description; raises IGRError if it fails."""
    from ..segmentation.human_parser import HumanParser
    from ..segmentation.refinement import describe, refine_mask

    status = Console(stderr=True).status(Text(f"running {one_line(folder.name)}"))
    with status, explain_out_of_memory("use a smaller parser or SAM 2, or --device cpu"):
        mask, (category,), (certainty,) = HumanParser.from_folder(folder, device).garments(photo, wanted)
        share = None
        if segmenter is not None:
            sam = load_segmenter(segmenter, device)
            embedding = sam.embed(photo)
            mask, share = refine_mask(mask, lambda prompt: sam.masks(embedding, prompt))
    return mask.cpu(), describe(category, mask, share, certainty)
