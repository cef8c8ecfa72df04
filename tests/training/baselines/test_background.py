"""RMBG-1.4's network, narrow and with seeded weights, and the fingerprint of its authors' own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from igr_core.errors import IGRError
from tests.support.models.tiny_rivals import photo, seeded
from training.baselines.background import IsNet, foreground, on_white, read_isnet

AUTHORS = [[83, 176, 72, 58, 76, 41, 57, 63], [75, 184, 108, 99, 94, 47, 52, 38]]
"""Opacities of two images, computed by BriaRMBG and RMBGPipe with an eighth of their channels."""


@pytest.fixture(scope="module")
def net() -> IsNet:
    net = IsNet(8)
    net.load_state_dict(seeded(net, 9))
    return net.eval()


@pytest.mark.parametrize("number", [0, 1])
def test_opacities_are_those_of_the_authors_code(net: IsNet, number: int) -> None:
    opacity = foreground(net, photo(number))
    values = np.asarray(opacity).flatten()
    assert opacity.size == photo(number).size
    found = values[:: len(values) // 8][:8].astype(int)
    assert np.abs(found - AUTHORS[number]).max() <= 1  # rounding may depend on the machine
    assert values.min() == 0 and values.max() == 255


def test_the_published_widths(net: IsNet) -> None:
    with torch.device("meta"):
        published = IsNet(64)
    assert 43_000_000 < sum(one.numel() for one in published.parameters()) < 45_000_000
    assert published.stage4d.get_submodule("rebnconv2d").conv_s1.weight.shape == (128, 256, 3, 3)  # type: ignore[union-attr]


def test_soft_edges_are_darkened_as_in_the_authors_code() -> None:
    image, opacity = Image.new("RGB", (3, 1), (200, 100, 0)), Image.new("L", (3, 1))
    for x, value in enumerate((0, 128, 255)):
        opacity.putpixel((x, 0), value)
    pixels = np.asarray(on_white(image, opacity)).astype(int)
    assert pixels[0, 0].tolist() == [255, 255, 255] and pixels[0, 2].tolist() == [200, 100, 0]
    half = 128 / 255
    assert np.abs(pixels[0, 1] - [255 * (1 - half) + value * half * half for value in (200, 100, 0)]).max() <= 2


def test_damaged_weights_are_named(tmp_path: Path, net: IsNet) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"other": torch.zeros(1)}, path)
    with pytest.raises(IGRError, match=r"model.safetensors is not RMBG-1.4, because it lacks conv_in.weight"):
        read_isnet(path)
    tensors = dict(net.state_dict())
    del tensors["stage3.rebnconv2.bn_s1.running_mean"]
    save_file(tensors, path)
    with pytest.raises(IGRError, match=r"lacks stage3.rebnconv2.bn_s1.running_mean"):
        read_isnet(path)


def test_nan_is_reported() -> None:
    net = IsNet(8)
    net.load_state_dict(seeded(net, 9) | {"side1.bias": torch.full((1,), torch.nan)})
    with pytest.raises(IGRError, match="NaN"):
        foreground(net.eval(), photo(0))
