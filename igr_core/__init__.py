"""IGR without ComfyUI: the model, photos and masks, segmentation, restoration, and the command line.

The names in `__all__` are loaded when they are first used, so that `import igr_core` does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import IGRError

if TYPE_CHECKING:
    from .flatten.model_file import load_flattener
    from .model.bundle import Bundle
    from .photo.images import load_mask, load_photo, save_image
    from .photo.view import GarmentView, make_view
    from .restore.finish import Finish, finish_garment
    from .restore.flattened import restore_flat
    from .restore.restorer import GarmentRestorer
    from .sampling.presets import PRESETS, Sampling
    from .segmentation.human_parser import HumanParser
    from .segmentation.sam2_prompt import Prompt
    from .segmentation.segmenter import Segmenter

__all__ = [
    "PRESETS",
    "Bundle",
    "Finish",
    "GarmentRestorer",
    "GarmentView",
    "HumanParser",
    "IGRError",
    "Prompt",
    "Sampling",
    "Segmenter",
    "finish_garment",
    "load_flattener",
    "load_mask",
    "load_photo",
    "make_view",
    "restore_flat",
    "save_image",
]

_MODULES = {
    "PRESETS": "sampling.presets",
    "Bundle": "model.bundle",
    "Finish": "restore.finish",
    "GarmentRestorer": "restore.restorer",
    "GarmentView": "photo.view",
    "HumanParser": "segmentation.human_parser",
    "Prompt": "segmentation.sam2_prompt",
    "Sampling": "sampling.presets",
    "Segmenter": "segmentation.segmenter",
    "finish_garment": "restore.finish",
    "load_flattener": "flatten.model_file",
    "load_mask": "photo.images",
    "load_photo": "photo.images",
    "make_view": "photo.view",
    "restore_flat": "restore.flattened",
    "save_image": "photo.images",
}
"""Module that defines each name."""


if not TYPE_CHECKING:  # type checkers see the imports above instead, so they find misspelt names

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
