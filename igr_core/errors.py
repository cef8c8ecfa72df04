"""Exceptions for problems that the user can fix."""


class IGRError(ValueError):
    """A problem the user can fix. The message names the file or input and says what to do."""


class UsageError(IGRError):
    """The command line is invalid, and nothing has been started."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python, the GPU or torch's CPU allocator (a plain RuntimeError) ran out of memory."""
    import torch  # imported here, because every module imports this one and some must load quickly

    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error)  # Linux: "DefaultCPUAllocator: can't allocate memory"; Windows: "... not enough memory"
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "not enough memory" in text)
