"""What every training command shares: mistakes told in one sentence, the device, and stopping at a step's end."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from igr_core.errors import IGRError


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the command with status 1 and one line on a mistake that the user can mend; also a decorator."""
    try:
        yield
    except IGRError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(1) from None


def choose_device(name: str) -> torch.device:
    """The device of a --device option; `auto` is CUDA where there is one. IGRError for one that is not there."""
    if name == "auto":
        own = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # of several processes, each has its card
        return torch.device(own if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros((), device=name).device
    except (RuntimeError, AssertionError) as error:
        raise IGRError(f"--device {name} cannot be used ({str(error).splitlines()[0]}): try cpu.") from error


def command_line() -> str:
    """The command as it was typed, whatever path Python made of the module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = ["-m", spec.name.removesuffix(".__main__")] if spec is not None else [Path(sys.argv[0]).name]
    return shlex.join(["python", *module, *sys.argv[1:]])


class StopRequest:
    """While it is entered, the first Ctrl-C or SIGTERM only asks to stop; the loop looks at the end of a step.

    The second one acts as it would without. Handlers are put back on leaving; other threads than the main one, where
    Python allows no handlers, change nothing.
    """

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received = 0
        """Number of the signal that came; 0 for none."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in self.signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        for each, handler in self._before.items():
            signal.signal(each, handler)
