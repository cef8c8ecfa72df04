"""The device of a --device option, and the data type of networks on it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch

from igr_core import device
from igr_core.cli import shared
from igr_core.device import choose_device, dtype_for, has_bfloat16_units
from igr_core.errors import UsageError
from igr_core.included import INCLUDED_BUNDLE
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.view import make_view
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import PRESETS

EXAMPLES = Path(__file__).parents[2] / "nodes" / "examples"
CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


def test_device() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("nonsense", "cuda:77", "meta"):
        with pytest.raises(UsageError, match=f"--device {name}"):
            choose_device(name)


@pytest.mark.parametrize(
    ("found", "fast"),
    [
        ({"avx2": True, "avx512_f": True}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"bf16": True}, True),
        ({"amx_bf16": False}, False),
    ],
)
def test_bfloat16_units_are_detected_by_name(found: dict[str, bool], fast: bool) -> None:
    assert has_bfloat16_units(found) is fast


def test_a_torch_that_does_not_know_the_units_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("get_capabilities", "_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not has_bfloat16_units()


@pytest.mark.parametrize(("units", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_half_precision_where_the_hardware_is_faster(
    monkeypatch: pytest.MonkeyPatch, units: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(device, "has_bfloat16_units", lambda: units)
    assert dtype_for("auto", CPU) == dtype
    assert dtype_for("auto", GPU) == torch.float16
    assert dtype_for("auto", torch.device("mps")) == torch.float32
    assert dtype_for("bf16", CPU) == torch.bfloat16 and dtype_for("fp32", GPU) == torch.float32


def test_the_command_line_offers_the_same_data_types() -> None:
    """It has its own list, so that --help does not need torch."""
    assert get_args(shared.Precision) == get_args(device.Precision)


def test_fp16_is_refused_on_a_cpu() -> None:
    with pytest.raises(UsageError, match="--precision fp16 is slow on a CPU: use bf16, fp32 or auto"):
        dtype_for("fp16", CPU)


def test_half_precision_gives_the_same_image_to_the_eye() -> None:
    images = []
    for dtype in (torch.float32, torch.bfloat16):
        restorer = GarmentRestorer.from_bundle(INCLUDED_BUNDLE, dtype=dtype)
        model = restorer.info.model
        photo, mask = load_photo(EXAMPLES / "upper.webp"), load_mask(EXAMPLES / "upper_mask.png")
        view = make_view(photo, mask, model.native_size, model.view, model.image_encoder.image_size)
        images.append(restorer.restore(view, "upper", PRESETS["standard"]))
    assert images[1].dtype == torch.float32
    assert 0 < (images[0] - images[1]).square().mean() < 1e-4  # 40 dB
