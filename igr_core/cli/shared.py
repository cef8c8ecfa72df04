"""Helpers shared by the commands: error messages, the device option and model loading."""

from __future__ import annotations

import errno
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from ..errors import IGRError, UsageError, is_out_of_memory
from ..processes import broken_library, check_docstrings, import_failure
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
Precision = Literal["auto", "fp32", "fp16", "bf16"]
"""Data types of networks, as in igr_core.device."""
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        help="Data type to compute in; auto uses half precision on GPUs and on CPUs with instructions for bfloat16."
    ),
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

    File system errors, such as a name that is too long, are reported in the same way, and so are libraries that cannot
    be imported, for example because of an environment variable.
    """
    try:
        check_docstrings()
        yield
    except IGRError as error:
        _exit_with(error)
    except OSError as error:
        if error.errno not in _OF_THE_SYSTEM:
            _explain_import(error)
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
    except Exception as error:
        _explain_import(error)
        raise


def _explain_import(error: Exception) -> None:
    """Exit with one sentence on stderr if an error is that of a library that cannot be imported."""
    if (failure := import_failure(error) or broken_library(error)) is not None:
        _exit_with(failure)


def _exit_with(error: IGRError) -> NoReturn:
    echo_line(f"Error: {error}", err=True)
    raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


def _is_of_printing(error: OSError) -> bool:
    """Whether an error was raised by a library that prints."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).partition(".")[0] in ("click", "rich", "typer")


def note_included_model(what: str, option: str) -> None:
    """Print a note on stderr that the included model in use was not trained on photos."""
    typer.echo(f"Note: the included {what} was not trained on photos; for photos, use {option}.", err=True)


def note_ignored(names: Sequence[str]) -> None:
    """Print a note on stderr about the files in a folder of photos that are not images, if there are any."""
    if names:
        echo_line(f"Note: these files were skipped because they are not images: {', '.join(names)}.", err=True)


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


@contextmanager
def stopped_by_signal() -> Iterator[None]:
    """Raise KeyboardInterrupt, as Ctrl-C does, when the process is terminated (SIGTERM) or its terminal is closed
    (SIGHUP)."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    try:
        for number in (getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # nohup ignores SIGHUP
                before[number] = signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def load_segmenter(weights: Path, device: torch.device) -> Segmenter:
    """Load SAM 2 from a folder or a single file; raises IGRError if this fails."""
    from ..segmentation.segmenter import Segmenter

    return (Segmenter.from_folder if weights.is_dir() else Segmenter.from_file)(weights, device)
