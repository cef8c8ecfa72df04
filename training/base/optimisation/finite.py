"""Check that values are finite before a step that would otherwise corrupt the weights."""

from __future__ import annotations

import math

from igr_core.errors import IGRError

from ..run.run_folder import RunFolder


def finite(value: float, what: str, step: int, run: RunFolder, remedy: str) -> float:
    """Return a finite value; raises IGRError otherwise, so that corrupted weights are never saved.

    `what` names the value of step `step`, the loss or the gradient's norm; `remedy` says what to change.
    """
    if not math.isfinite(value):
        raise IGRError(
            f"The {what} at step {step} is {value}: {remedy}; the last checkpoint in {run.checkpoints} is intact."
        )
    return value
