"""Headers and tensors of bundles that would take minutes to read, or that torch cannot read, are rejected
immediately."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from igr_core.errors import IGRError
from igr_core.model.bundle import MAX_HEADER, MAX_TENSORS, METADATA_KEY, Bundle, save_bundle
from tests.support.models.tiny import INFO, stub_parts

BYTES_OF_8 = {"F4": 4, "F6_E2M3": 6, "F8_E8M0": 8, "C64": 64}
"""Bytes of 8 numbers, for types that safetensors supports but torch does not, or that are not used for weights."""


def changed(path: Path, change) -> Path:
    """A bundle whose header was changed; the tensors stay where they are."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    more = change(header, len(data) - 8 - length) or b""
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :] + more)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "tiny.safetensors", INFO, stub_parts())
    return tmp_path / "tiny.safetensors"


@pytest.mark.parametrize("dtype", BYTES_OF_8)
def test_numbers_that_torch_cannot_read_are_named(saved: Path, dtype: str):
    """They are not mistaken for a file that changed while it was read."""

    def add(header: dict, end: int) -> bytes:
        size = BYTES_OF_8[dtype]
        header["garmnet.extra"] = {"dtype": dtype, "shape": [8], "data_offsets": [end, end + size]}
        return bytes(size)

    with pytest.raises(IGRError, match=f"stores garmnet.extra as {dtype}, which is not supported: export the bundle"):
        Bundle.open(changed(saved, add))


def test_a_header_that_would_take_minutes_to_show_is_refused(saved: Path):
    def lengthen(header: dict, end: int) -> None:
        info = json.loads(header["__metadata__"][METADATA_KEY])
        header["__metadata__"][METADATA_KEY] = json.dumps(info | {"training": {"losses": [0] * MAX_HEADER}})

    with pytest.raises(
        IGRError, match="tiny.safetensors has a header of .* characters, but at most 1,000,000 are read"
    ):
        Bundle.open(changed(saved, lengthen))


def test_a_header_that_would_be_refused_is_not_written(tmp_path: Path):
    info = dataclasses.replace(INFO, scores={"ssim": [0.5] * MAX_HEADER})
    with pytest.raises(IGRError, match="was not written: its header would have .* describe the training"):
        save_bundle(tmp_path / "long.safetensors", info, stub_parts())
    assert not list(tmp_path.iterdir())


def test_a_bundle_of_too_many_tensors_is_refused_at_once(tmp_path: Path):
    path = tmp_path / "many.safetensors"
    save_file({f"denoiser.{number}": torch.zeros(0) for number in range(MAX_TENSORS + 1)}, path)
    with pytest.raises(IGRError, match="many.safetensors has 20,001 tensors, but a bundle has at most 20,000"):
        Bundle.open(path)
