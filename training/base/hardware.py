"""Train in bfloat16 where the CPU or GPU is faster with it."""

from __future__ import annotations

import torch

from igr_core.device import is_fast_in_bfloat16

from .train_config import Precision


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 if `precision` is bf16, or if it is auto and bfloat16 is fast on the device."""
    wanted = precision == "bf16" or (precision == "auto" and is_fast_in_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)
