"""What the commands share: mistakes told in one sentence, and where the model runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

import typer

from .errors import IGRError


class Device(Enum):
    """Where the model runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn a user's mistake into one sentence on stderr and an exit code: 2 for a wrong command, else 1."""
    try:
        yield
    except IGRError as error:
        from .batch import UsageMistake

        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, UsageMistake) else 1) from None


def choose_device(device: Device) -> str:
    """The name that torch has for it; raises UsageMistake for CUDA where there is none."""
    import torch

    from .batch import UsageMistake

    available = torch.cuda.is_available()
    if device is Device.cuda and not available:
        raise UsageMistake("--device cuda: no CUDA GPU is found here; use --device cpu.")
    return "cuda" if available and device is not Device.cpu else "cpu"
