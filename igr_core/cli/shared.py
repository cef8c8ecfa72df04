"""Helpers shared by the commands: error messages, the device option and model loading."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import IGRError, UsageError, is_out_of_memory
from ..processes import check_log_level
from ..text import one_line, plain

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..segmentation.segmenter import Segmenter

Find = Callable[["torch.device", "Tensor"], Callable[[], "tuple[Tensor, str]"]]
"""Finds a mask in two stages: given a device and a photo (1, 3, H, W), checks the request and returns a function that
computes the mask (1, 1, H, W), on the CPU, and its description."""
DeviceOption = Annotated[
    str,
    typer.Option(metavar="DEVICE", help="Device to run on: cpu, cuda, cuda:1 ...; auto uses a GPU if there is one."),
]
_OF_THE_SYSTEM = {
    getattr(errno, name)
    for name in ("ENAMETOOLONG", "EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EIO", "ELOOP")
    if hasattr(errno, name)
}
_LONGEST_SHOWN = 200


def echo(text: str, err: bool = False) -> None:
    """Print text to stdout or stderr; it may contain file names."""
    typer.echo(plain(text), err=err)


def echo_line(text: str, err: bool = False) -> None:
    """Print one line to stdout or stderr; it may contain file names. Line breaks are escaped."""
    typer.echo(one_line(text), err=err)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Print an IGRError as one sentence on stderr, and exit with 2 for an invalid command line or with 1 otherwise.

    File system errors, such as a name that is too long, are reported in the same way.
    """
    try:
        check_log_level()
        yield
    except IGRError as error:
        echo_line(f"Error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None
    except OSError as error:
        if error.errno not in _OF_THE_SYSTEM:
            raise
        if error.filename is None:
            what = "The output cannot be printed" if _is_of_printing(error) else "A file cannot be used"
            echo_line(f"Error: {what} ({error.strerror}): check the disk and its free space.", err=True)
            raise typer.Exit(1) from None
        name = os.fsdecode(error.filename)
        shown = name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}…"
        echo_line(
            f"Error: {shown} cannot be used ({error.strerror}): check the file's name, its permissions and the disk.",
            err=True,
        )
        raise typer.Exit(1) from None


def _is_of_printing(error: OSError) -> bool:
    """Whether an error was raised by a library that prints."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).partition(".")[0] in ("click", "rich", "typer")


def note_included_model(what: str, option: str) -> None:
    """Print a note on stderr that the included model in use was not trained on photos."""
    typer.echo(f"Note: the included {what} was not trained on photos; for photos, use {option}.", err=True)


@contextmanager
def explain_out_of_memory(remedy: str) -> Iterator[None]:
    """Turn an out-of-memory error into an IGRError that names the remedy."""
    try:
        yield
    except IGRError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise IGRError(f"Out of memory: {remedy}.") from error
        raise


def load_segmenter(weights: Path, device: torch.device) -> Segmenter:
    """Load SAM 2 from a folder or a single file; raises IGRError."""
    from ..segmentation.segmenter import Segmenter

    return (Segmenter.from_folder if weights.is_dir() else Segmenter.from_file)(weights, device)
