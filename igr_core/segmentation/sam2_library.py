"""transformers' SAM 2 classes, imported on first use because the import takes seconds and older versions lack them."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import IGRError

OLDEST_TRANSFORMERS = "4.56"
"""The first version with SAM 2."""


class Sam2Library(NamedTuple):
    """The classes needed to run SAM 2 on images."""

    model: Any
    """Sam2Model."""
    prompts: Any
    """Sam2Processor, which scales points and boxes."""
    images: Any
    """The image processor that accepts tensors."""


def sam2_library() -> Sam2Library:
    """Import the classes; raises IGRError if the installed transformers lacks them."""
    import transformers

    try:
        from transformers import Sam2Model, Sam2Processor

        # Before version 5, the only image processor has the suffix Fast, and accepts tensors.
        name = "Sam2ImageProcessor" if hasattr(transformers, "Sam2ImageProcessor") else "Sam2ImageProcessorFast"
        images = getattr(transformers, name)
    except (ImportError, AttributeError) as error:
        raise IGRError(
            f"transformers {transformers.__version__} cannot run SAM 2 here: install {OLDEST_TRANSFORMERS} or newer, "
            f"and torchvision (pip install --upgrade transformers torchvision)."
        ) from error
    return Sam2Library(Sam2Model, Sam2Processor, images)
