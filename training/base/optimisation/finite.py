"""Check that values are finite before a step that would otherwise corrupt the weights."""

from __future__ import annotations

import math

from igr_core.errors import IGRError

from ..run.checkpoints import has_checkpoint
from ..run.run_folder import RunFolder


def finite(value: float, what: str, step: int, run: RunFolder, remedy: str) -> float:
    """Return the value if it is finite; raises IGRError otherwise, so that corrupted weights are never saved.

    In the message, `what` names the value (the loss or the gradient norm), and `remedy` is what to do.
    """
    if not math.isfinite(value):
        saved = f"the last checkpoint in {run.checkpoints} is intact"
        if not has_checkpoint(run):
            saved = f"{run.path} has no checkpoint yet, so the run will start again"
        raise IGRError(f"The {what} at step {step} is {value}: {remedy}; {saved}.")
    return value
