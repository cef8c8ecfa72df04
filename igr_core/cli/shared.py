"""What the commands share: mistakes told in one sentence, and where the model runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import IGRError, UsageMistake

if TYPE_CHECKING:
    from torch import Tensor

    from ..segmentation.segmenter import Segmenter

Find = Callable[[str, "Tensor"], Callable[[], "tuple[Tensor, str]"]]
"""What finds a mask: given device and photo (1, 3, H, W) it checks what is asked, and returns what does the work: this
gives the mask (1, 1, H, W) on the CPU, and what there is to say of it."""


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
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, UsageMistake) else 1) from None


def choose_device(device: Device) -> str:
    """The name that torch has for it; raises UsageMistake for CUDA where there is none."""
    import torch

    available = torch.cuda.is_available()
    if device is Device.cuda and not available:
        raise UsageMistake("--device cuda: no CUDA GPU is found here; use --device cpu.")
    return "cuda" if available and device is not Device.cpu else "cpu"


def tell_of_demo(what: str, option: str) -> None:
    """Say on stderr that a model of the demo is asked, which knows no photos."""
    typer.echo(f"Note: the demo's {what} is asked, which knows drawn persons only: for photos, {option}.", err=True)


@contextmanager
def memory_told(remedy: str) -> Iterator[None]:
    """Turn a lack of memory into an IGRError that names the remedy."""
    from ..restore.jobs import is_out_of_memory

    try:
        yield
    except IGRError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise IGRError(f"There was not enough memory: {remedy}.") from error
        raise


def load_segmenter(weights: Path, device: str) -> Segmenter:
    """A SAM 2 from a folder or a single file; raises IGRError."""
    from ..segmentation.segmenter import Segmenter

    return (Segmenter.from_folder if weights.is_dir() else Segmenter.from_file)(weights, device)
