"""The device that a command runs on, and the data type in which networks compute on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

from .errors import UsageError
from .processes import launched_processes

Precision = Literal["auto", "fp32", "fp16", "bf16"]
"""Data types by name; `auto`: the fastest that the hardware computes."""
_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16")
"""torch's names for instructions that multiply bfloat16 matrices faster than float32 ones."""


def choose_device(name: str) -> torch.device:
    """The device selected by a --device value such as cpu or cuda:1; `auto` selects a GPU if there is one.

    Raises UsageError for a device that does not exist or cannot be used.
    """
    if name == "auto":
        own = f"cuda:{launched_processes().local_rank}"  # each process of a distributed run uses its own GPU
        return torch.device(own if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: no CUDA GPU was found; use --device cpu.")
    try:
        place = torch.zeros((), device=name).device
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name} cannot be used ({str(error).splitlines()[0]}): try cpu.") from error
    if place.type == "meta":
        raise UsageError(f"--device {name} cannot be used, because it computes no values: try cpu.")
    return place


def dtype_for(precision: Precision, device: torch.device) -> torch.dtype:
    """The data type of a network's weights and activations on a device.

    `auto` is float16 on CUDA GPUs, bfloat16 on CPUs with instructions for it, and float32 elsewhere. Raises UsageError
    for fp16 on a CPU.
    """
    if precision == "auto":
        if device.type == "cuda":
            return torch.float16
        return torch.bfloat16 if device.type == "cpu" and has_bfloat16_units() else torch.float32
    if precision == "fp16" and device.type == "cpu":
        raise UsageError("--precision fp16 is slow on a CPU: use bf16, fp32 or auto.")
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


def has_bfloat16_units(capabilities: Mapping[str, Any] | None = None) -> bool:
    """Whether this CPU multiplies bfloat16 matrices faster than float32 ones."""
    known = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is None and known is None:  # before torch 2.10; torch 2.4 has neither
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, lambda: False)() for name in names)
    found: Mapping[str, Any] = known() if capabilities is None else capabilities
    return any(found.get(name, False) for name in _BFLOAT16_UNITS)


def is_fast_in_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 on a device; on older GPUs, which emulate it, it is many times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return has_bfloat16_units()
