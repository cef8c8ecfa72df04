"""Stop a training as a user would, in the middle of a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest


@contextmanager
def stopped_at_call(module: ModuleType, function: str, call: int) -> Iterator[None]:
    """Press Ctrl+C at the `call`-th call of a module's function; the code inside must be ended by it."""
    real, calls = getattr(module, function), 0

    def stopped(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, function, stopped)
        yield


def logged(run: Any) -> list[str]:
    """Rows of a run folder's metrics, without times and speeds."""
    return [
        row for row in (run / "metrics.csv").read_text().splitlines() if "seconds" not in row and ",speed/" not in row
    ]
