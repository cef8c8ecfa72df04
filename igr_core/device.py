"""The device that a command runs on."""

from __future__ import annotations

import os

import torch

from .errors import UsageError


def choose_device(name: str) -> torch.device:
    """The device selected by a --device value such as cpu or cuda:1; `auto` selects a GPU if there is one.

    Raises UsageError for a device that does not exist or cannot be used.
    """
    if name == "auto":
        own = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # each process of a distributed run uses its own GPU
        return torch.device(own if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: no CUDA GPU was found; use --device cpu.")
    try:
        one = torch.zeros((), device=name)
        one.item()  # "meta" has tensors, but no numbers
        return one.device
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name} cannot be used ({str(error).splitlines()[0]}): try cpu.") from error
