"""Exceptions for problems that the user can fix."""

import sys


class IGRError(ValueError):
    """A problem the user can fix. The message names the file or input and says what to do."""


class UsageError(IGRError):
    """The command line is invalid, and nothing has been started."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that Python, the GPU or torch's CPU allocator (a plain RuntimeError) ran out of memory."""
    torch = sys.modules.get("torch")  # not imported, because every module imports this one and some must load quickly
    if isinstance(error, MemoryError) or torch is None:
        return isinstance(error, MemoryError)
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    text = str(error)  # Linux: "DefaultCPUAllocator: can't allocate memory"; Windows: "... not enough memory"
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "not enough memory" in text)
