"""torch.compile beside the reference: runs with one are not compiled."""

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
    """Run what was compiled as it was before, in all threads, until the block ends.

    ComfyUI's TorchCompileModel takes a graph again without a look at the options that patches come in: it would go on
    without the reference, or with that of another call. Raises IGRError where this version of torch cannot switch
    compiled models back.
    """
    is_compiled = "torch_compile_kwargs" in model_options
    if "torch._dynamo" not in sys.modules:  # nothing can be compiled, and loading it takes seconds
        yield
    elif hasattr(torch.compiler, "set_stance"):
        if is_compiled:
            log.warning("IGR Apply: torch.compile is off in this run, because compiled models drop the reference.")
        with torch.compiler.set_stance("force_eager"):
            yield
    elif is_compiled:
        raise IGRError("Compiled models drop the reference: remove TorchCompileModel, or update torch to 2.6 or newer.")
    else:
        yield
