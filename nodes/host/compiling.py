"""Turn torch.compile off in runs with a reference."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ...igr_core.errors import IGRError

log = logging.getLogger(__name__)


@contextmanager
def uncompiled(model_options: dict[str, Any]) -> Iterator[None]:
    """Run compiled models eagerly, in all threads, within the context.

    Models compiled by ComfyUI's TorchCompileModel are reused without checking the options that contain patches, so they
    would run without the reference, or with another call's reference. Raises IGRError if this version of torch cannot
    run compiled models eagerly.
    """
    is_compiled = "torch_compile_kwargs" in model_options
    if "torch._dynamo" not in sys.modules:  # nothing has been compiled, and the import takes seconds
        yield
    elif hasattr(torch.compiler, "set_stance"):
        if is_compiled:
            log.warning("IGR Apply: torch.compile is off in this run, because compiled models ignore the reference.")
        with torch.compiler.set_stance("force_eager"):
            yield
    elif is_compiled:
        raise IGRError(
            "Compiled models ignore the reference: remove TorchCompileModel, or update torch to 2.6 or newer."
        )
    else:
        yield
