"""Bundles that cannot be saved: parts that do not match the config, and folders that do not exist."""

import dataclasses
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.model.bundle import save_bundle
from igr_core.model.config import UNetConfig
from tests.support.models.tiny import INFO, MODEL, stub_parts


def test_wrong_image_encoder_width(tmp_path: Path):
    encoder = dataclasses.replace(MODEL.image_encoder, projection_dim=24)
    info = dataclasses.replace(INFO, model=dataclasses.replace(MODEL, image_encoder=encoder))
    with pytest.raises(IGRError, match="width 16, but its image encoder outputs 24"):
        save_bundle(tmp_path / "wrong.safetensors", info, stub_parts())
    assert not list(tmp_path.iterdir())


def test_conv_in_of_another_config(tmp_path: Path):
    wide = UNetConfig(block_out_channels=(64, 64), attention_levels=(True, True), cross_attention_dim=32)
    model = dataclasses.replace(MODEL, denoiser=wide, garmnet=dataclasses.replace(wide, in_channels=5))
    with pytest.raises(IGRError, match=r"denoiser.conv_in.weight is 32×4×3×3 instead of 64×4×3×3"):
        save_bundle(tmp_path / "wrong.safetensors", dataclasses.replace(INFO, model=model), stub_parts())


def test_unknown_part_and_odd_provenance_are_not_saved(tmp_path: Path):
    path = tmp_path / "odd.safetensors"
    with pytest.raises(IGRError, match="text_encoder"):
        save_bundle(path, INFO, stub_parts() | {"text_encoder": {}})
    with pytest.raises(IGRError, match="JSON"):
        save_bundle(path, dataclasses.replace(INFO, training={"path": Path(".")}), stub_parts())
    assert not list(tmp_path.iterdir())


def test_folder_that_does_not_exist(tmp_path: Path):
    with pytest.raises(IGRError, match="Could not write .*another folder"):
        save_bundle(tmp_path / "none" / "tiny.safetensors", INFO, stub_parts())
