"""Configs: round trip through JSON, and one sentence that names the field for every mistake."""

import dataclasses
import json

import pytest

from igr_core.errors import IGRError
from igr_core.model.config import ImagePromptConfig, ModelConfig, UNetConfig, VAEConfig, ViewConfig, from_json, to_json
from tests.support.models.tiny import MODEL


@pytest.mark.parametrize("config", [ModelConfig(), MODEL, dataclasses.replace(MODEL, garmnet=None, image_prompt=None)])
def test_json_round_trip(config: ModelConfig):
    assert from_json(ModelConfig, json.loads(json.dumps(to_json(config)))) == config


def test_defaults_are_the_paper():
    config = ModelConfig()
    assert config.native_size == (768, 1024) and config.size_step == 64
    assert config.noise.prediction_type == "epsilon" and config.view.mode == "whole"
    assert config.reference_position == "none" and config.prompt_tokens == 77
    assert config.garmnet == dataclasses.replace(config.denoiser, in_channels=5)


def test_missing_fields_take_their_defaults():
    assert from_json(ModelConfig, {}) == ModelConfig()
    assert from_json(ViewConfig, {"margin": 1}) == ViewConfig(margin=1.0)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (ModelConfig, {"prompt_token": 3}, ["unknown entries prompt_token", "prompt_tokens"]),
        (ModelConfig, {"prompt_tokens": "77"}, ["config.prompt_tokens", "int"]),
        (ModelConfig, {"prompt_tokens": True}, ["config.prompt_tokens", "int"]),
        (ModelConfig, {"denoiser": None}, ["config.denoiser", "mapping"]),
        (ModelConfig, {"denoiser": {"block_out_channels": 320}}, ["config.denoiser.block_out_channels", "list"]),
        (ModelConfig, {"native_size": [768]}, ["config.native_size", "1 entries", "2"]),
        (ModelConfig, {"native_size": [768, "x"]}, ["config.native_size[1]"]),
        (ModelConfig, {"noise": {"prediction_type": "x0"}}, ["prediction_type", "'epsilon'", "'v_prediction'"]),
        (ModelConfig, {"category_wording": {"upper": 3}}, ["config.category_wording.upper"]),
        (ModelConfig, [1], ["config", "mapping"]),
        (ImagePromptConfig, {"layout": "plus"}, ["config.layout", "'linear', 'resampler'"]),
        (VAEConfig, {"scaling_factor": "big"}, ["config.scaling_factor", "float"]),
    ],
)
def test_mistakes_name_the_field(kind, data, words):
    with pytest.raises(IGRError) as caught:
        from_json(kind, data)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: UNetConfig(attention_levels=(True,)), "one entry per level"),
        (lambda: UNetConfig(block_out_channels=(100, 640, 1280, 1280)), "width 100 must be a multiple of 32"),
        (lambda: ModelConfig(garmnet=UNetConfig()), "latent channels, for the mask"),
        (lambda: ModelConfig(garmnet=UNetConfig(in_channels=5, layers_per_block=1)), "denoiser's structure"),
        (lambda: ModelConfig(native_size=(700, 1024)), "multiples of 64"),
        (lambda: ModelConfig(native_size=(0, 1024)), r"native_size\[0\] is 0: use a number from 1 to 2,048"),
        (lambda: ModelConfig(category_wording={"upper": "a"}), "upper, lower, full, empty"),
    ],
)
def test_parts_that_do_not_fit_each_other(make, word):
    with pytest.raises(IGRError, match=word):
        make()
