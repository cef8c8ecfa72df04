"""Helpers shared by the commands: error messages, device selection and model loading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import IGRError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from ..segmentation.segmenter import Segmenter

Find = Callable[[str, "Tensor"], Callable[[], "tuple[Tensor, str]"]]
"""Finds a mask in two stages: given a device and a photo (1, 3, H, W), checks the request and returns the function that
does the work, which returns the mask (1, 1, H, W) on the CPU and its description."""
Device = Literal["auto", "cpu", "cuda"]
DeviceOption = Annotated[Device, typer.Option(help="Device to run on; auto uses a GPU if there is one.")]


@contextmanager
def one_sentence() -> Iterator[None]:
    """Print an IGRError as one sentence on stderr and exit: with 2 for an invalid command, otherwise with 1."""
    try:
        yield
    except IGRError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


def choose_device(device: Device) -> str:
    """Name of the torch device; raises UsageError if CUDA is requested but not available."""
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UsageError("--device cuda: no CUDA GPU was found; use --device cpu.")
    return "cuda" if available and device != "cpu" else "cpu"


def note_demo_model(what: str, option: str) -> None:
    """Note on stderr that a demo model is used, which was not trained on photos."""
    typer.echo(f"Note: the demo {what} only works on drawn people; for photos, use {option}.", err=True)


@contextmanager
def explain_out_of_memory(remedy: str) -> Iterator[None]:
    """Turn an out-of-memory error into an IGRError that names the remedy."""
    from ..restore.jobs import is_out_of_memory

    try:
        yield
    except IGRError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise IGRError(f"Out of memory: {remedy}.") from error
        raise


def load_segmenter(weights: Path, device: str) -> Segmenter:
    """Load SAM 2 from a folder or a single file; raises IGRError."""
    from ..segmentation.segmenter import Segmenter

    return (Segmenter.from_folder if weights.is_dir() else Segmenter.from_file)(weights, device)
