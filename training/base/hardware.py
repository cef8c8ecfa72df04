"""Use bfloat16 where the CPU or GPU computes it fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .train_config import Precision

_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16")
"""torch's names for instructions that multiply bfloat16 matrices faster than float32 ones."""


def has_bfloat16_units(capabilities: Mapping[str, Any] | None = None) -> bool:
    """Whether this CPU multiplies bfloat16 matrices faster than float32 ones."""
    if capabilities is None:
        known = getattr(torch.cpu, "get_capabilities", None)
        if known is None:  # before torch 2.10
            return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        capabilities = known()
    return any(capabilities.get(name, False) for name in _BFLOAT16_UNITS)


def is_fast_in_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 on a device; on older GPUs, which emulate it, it is many times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return has_bfloat16_units()


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 if `precision` is bf16, or if it is auto and bfloat16 is fast on the device."""
    wanted = precision == "bf16" or (precision == "auto" and is_fast_in_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)
