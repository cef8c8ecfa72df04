"""Let torchvision be imported beside a torch that it was not built for: the CUDA wheel beside a CPU build of torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

OPERATORS = ("nms", "qnms")
"""What importing torchvision (0.28) looks up; without its library they are missing, and transformers, which only wants
a few constants of torchvision, cannot be imported either."""


class OperatorsFirst(MetaPathFinder):
    """Declares torchvision's operators when torchvision is about to be imported, and leaves the finding to others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision" and self in sys.meta_path:
            sys.meta_path.remove(self)
            _kept.append(_declared())
        return None


def prepare_import() -> bool:
    """Wait for the import of torchvision where its library cannot be loaded; returns whether that is so.

    Nothing here calls the operators. Where both wheels fit, or there is no torchvision, nothing is done.
    """
    if mismatched():
        sys.meta_path.insert(0, OperatorsFirst())
        return True
    return False


def mismatched() -> bool:
    """Whether torch is a CPU build (2.13.0+cpu) and torchvision is not."""
    try:
        return "+cpu" in version("torch") and "+cpu" not in version("torchvision")
    except PackageNotFoundError:
        return False


def _declared() -> object:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


_kept: list[object] = []  # declarations go when their library object does
