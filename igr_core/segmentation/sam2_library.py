"""The SAM 2 classes of transformers, imported on first use: it takes seconds, and older versions lack them."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import IGRError

OLDEST_TRANSFORMERS = "4.56"
"""The first version that has SAM 2."""


class Sam2Library(NamedTuple):
    """The classes that SAM 2 on images needs."""

    model: Any
    """Sam2Model."""
    prompts: Any
    """Sam2Processor: scales points and boxes."""
    images: Any
    """The image processor that takes tensors."""


def sam2_library() -> Sam2Library:
    """Import the classes; raises IGRError if the installed transformers lacks them."""
    import transformers

    try:
        from transformers import Sam2Model, Sam2Processor

        # Before 5 the one that takes tensors is called Fast, and there is no other.
        name = "Sam2ImageProcessor" if hasattr(transformers, "Sam2ImageProcessor") else "Sam2ImageProcessorFast"
        images = getattr(transformers, name)
    except (ImportError, AttributeError) as error:
        raise IGRError(
            f"transformers {transformers.__version__} has no SAM 2 here: it takes {OLDEST_TRANSFORMERS} or newer, "
            f"and torchvision (pip install --upgrade transformers torchvision)."
        ) from error
    return Sam2Library(Sam2Model, Sam2Processor, images)
