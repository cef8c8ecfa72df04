"""The device that a command runs on."""

from __future__ import annotations

import torch

from .errors import UsageError
from .processes import launched_processes


def choose_device(name: str) -> torch.device:
    """The device selected by a --device value such as cpu or cuda:1; `auto` selects a GPU if there is one.

    Raises UsageError for a device that does not exist or cannot be used.
    """
    if name == "auto":
        own = f"cuda:{launched_processes().local_rank}"  # each process of a distributed run uses its own GPU
        return torch.device(own if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: no CUDA GPU was found; use --device cpu.")
    try:
        place = torch.zeros((), device=name).device
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name} cannot be used ({str(error).splitlines()[0]}): try cpu.") from error
    if place.type == "meta":
        raise UsageError(f"--device {name} cannot be used, because it computes no values: try cpu.")
    return place
