"""The device that a --device option names."""

from __future__ import annotations

import os

import torch

from igr_core.errors import IGRError


def choose_device(name: str) -> torch.device:
    """The device of a --device option; `auto` is CUDA if available. Raises IGRError if it is not available."""
    if name == "auto":
        own = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # of several processes, each has its card
        return torch.device(own if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros((), device=name).device
    except (RuntimeError, AssertionError) as error:
        raise IGRError(f"--device {name} cannot be used ({str(error).splitlines()[0]}): try cpu.") from error
