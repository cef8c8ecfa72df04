"""The device of a --device option."""

from __future__ import annotations

import pytest
import torch

from igr_core.device import choose_device
from igr_core.errors import UsageError


def test_device() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("nonsense", "cuda:77", "meta"):
        with pytest.raises(UsageError, match=f"--device {name}"):
            choose_device(name)
