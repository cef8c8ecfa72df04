"""Find the masks of photos that have none, by category or in a box."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ...errors import IGRError
from ...model.config import CATEGORIES
from ...segmentation.candidates import choose
from ...segmentation.human_parser import HumanParser
from ...segmentation.refinement import describe, refine_mask
from ...segmentation.sam2_prompt import Box, Prompt
from ...segmentation.segmenter import Segmenter


class FoundMask(NamedTuple):
    """A mask that was found."""

    mask: Tensor
    """(1, 1, H, W), 0 or 1, on the CPU."""
    category: str
    """upper, lower or full."""
    note: str
    """Description of the mask in words."""


class MaskFinder:
    """Finds masks with a human parser and SAM 2."""

    def __init__(self, parser: str | None, segmenter: str | None, device: torch.device) -> None:
        """Load the models whose paths are given; raises IGRError if that fails."""
        self._parser = None if parser is None else HumanParser.from_folder(parser, device)
        self._segmenter = None if segmenter is None else _load_segmenter(Path(segmenter), device)

    def find(self, photo: Tensor, category: str, box: Box | None) -> FoundMask:
        """The mask of the garment of `category`, or of the object in `box`, in a photo (1, 3, H, W) in 0..1.

        Raises IGRError if there is no such garment, if the box is outside the photo, or if the required model was not
        given.
        """
        if box is not None:
            return self._in_box(photo, category, box)
        if self._parser is None:
            raise IGRError("The photo has no mask: add one to the table, or use --parser.")
        mask, (found,), (certainty,) = self._parser.garments(photo, category)
        mask, share = mask.cpu(), None
        if self._segmenter is not None:
            segmenter, embedding = self._segmenter, self._segmenter.embed(photo)
            mask, share = refine_mask(mask, lambda prompt: segmenter.masks(embedding, prompt))
        return FoundMask(mask.cpu(), found, describe(found, mask, share, certainty))

    def _in_box(self, photo: Tensor, category: str, box: Box) -> FoundMask:
        if category not in CATEGORIES:
            raise IGRError("The row has a box, but no category: use upper, lower or full.")
        if self._segmenter is None:
            raise IGRError("A box needs SAM 2: use --segmenter.")
        prompt = Prompt(box=box).check((photo.shape[-1], photo.shape[-2]))  # before SAM 2's slow encoder
        mask = choose(*self._segmenter.masks(self._segmenter.embed(photo), prompt)).cpu()
        return FoundMask(mask, category, describe(category, mask))


def _load_segmenter(path: Path, device: torch.device) -> Segmenter:
    return (Segmenter.from_folder if path.is_dir() else Segmenter.from_file)(path, device)
