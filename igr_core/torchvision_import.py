"""Let torchvision be imported beside a torch that it was not built for: the CUDA wheel beside a CPU build of torch."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

OPERATORS = ("nms", "qnms")
"""What importing torchvision (0.28) looks up; without its library they are missing, and transformers, which only wants
a few constants of torchvision, cannot be imported either."""


def declare_operators() -> bool:
    """Declare torchvision's operators where its library cannot be loaded; returns whether that was needed.

    Nothing here calls them. Where both wheels fit, or there is no torchvision, neither it nor torch is imported.
    """
    if not mismatched():
        return False
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(library)  # declarations go when the library object does
    return True


def mismatched() -> bool:
    """Whether torch is a CPU build (2.13.0+cpu) and torchvision is not."""
    try:
        return "+cpu" in version("torch") and "+cpu" not in version("torchvision")
    except PackageNotFoundError:
        return False


_kept: list[object] = []
