"""Folders of models: only their own .safetensors are read, and a model that is too large is rejected before it is
built.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.labels import ATR
from igr_core.segmentation.segmenter import Segmenter
from tests.support.models.tiny_parser import change_config, save_parser
from tests.support.models.tiny_sam2 import save_sam2


@pytest.fixture
def parser(tmp_path: Path) -> Path:
    return save_parser(tmp_path / "parser")


def refused(folder: Path, words: str) -> None:
    with pytest.raises(IGRError, match=words) as caught:
        HumanParser.from_folder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"depths": [10**6, 1, 1, 1]}, r"depths\[0\] is 1000000: give a number from 0 to 256"),
        ({"num_encoder_blocks": -1}, "num_encoder_blocks is -1"),
        ({"hidden_sizes": [10**9, 8, 16, 16]}, r"hidden_sizes\[0\] is 1000000000"),
        ({"hidden_sizes": [8, 8, 16, 65536]}, "weights, but its config.json needs"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
        ({"id2label": {"hat": "hat"}}, "id2label keys that are not integers"),
        ({"strides": [0, 2, 2, 2]}, "cannot be loaded as a human parser"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
        ({"transformers_weights": "../other.safetensors.index.json"}, "specifies a separate weight file"),
    ],
)
def test_configs_out_of_range_are_named(parser: Path, fields: dict[str, Any], words: str) -> None:
    change_config(parser, **fields)
    refused(parser, words)


def test_models_that_would_take_gigabytes_for_a_photo_are_refused(parser: Path) -> None:
    """Attention over 1,024 x 1,024 tokens of a photo that is not downscaled."""
    change_config(parser, strides=[1, 1, 1, 1], sr_ratios=[8, 4, 2, 1])
    (parser / "preprocessor_config.json").write_text(json.dumps({"size": 512}))
    refused(parser, "needs [0-9,]+ GB for one photo")


@pytest.mark.parametrize("shard", ["pytorch_model.bin", "../model.safetensors", "/tmp/model.safetensors", None])
def test_an_index_names_only_safetensors_of_the_folder(parser: Path, shard: str | None) -> None:
    weights = load_file(parser / "model.safetensors")
    (parser / "model.safetensors").rename(parser / "part.safetensors")
    torch.save(weights, parser / "pytorch_model.bin")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, shard)}
    (parser / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(parser, "only .safetensors files in the same folder are supported")
    index["weight_map"] = dict.fromkeys(weights, "part.safetensors")
    (parser / "model.safetensors.index.json").write_text(json.dumps(index))
    assert HumanParser.from_folder(parser).names == ATR


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation"])
def test_a_folder_cannot_name_the_attention_that_is_run(parser: Path, name: str) -> None:
    change_config(parser, **{name: "kernels-community/flash-attn"})
    assert HumanParser.from_folder(parser).model.config._attn_implementation == "eager"


def test_a_segmenter_folder_cannot_either(tmp_path: Path) -> None:
    folder = save_sam2(tmp_path / "sam2")
    change_config(folder, attn_implementation="kernels-community/flash-attn")
    assert Segmenter.from_folder(folder).model.config._attn_implementation == "sdpa"
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["backbone_config"]["blocks_per_stage"] = [1, 10**6, 2, 1]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(IGRError, match=r"blocks_per_stage\[1\] is 1000000"):
        Segmenter.from_folder(folder)


def test_weights_with_nan_are_named(parser: Path) -> None:
    weights = load_file(parser / "model.safetensors")
    weights["decode_head.classifier.bias"][3] = torch.nan
    save_file(weights, parser / "model.safetensors", metadata={"format": "pt"})
    refused(parser, "NaN or infinite values in decode_head.classifier.bias")


def test_adapters_are_refused(parser: Path) -> None:
    shutil.copy(parser / "config.json", parser / "adapter_config.json")
    refused(parser, "adapter merged into the weights")


def test_weights_that_are_integers_are_named(parser: Path) -> None:
    weights = load_file(parser / "model.safetensors")
    weights["decode_head.classifier.bias"] = torch.ones_like(weights["decode_head.classifier.bias"], dtype=torch.int32)
    save_file(weights, parser / "model.safetensors", metadata={"format": "pt"})
    refused(parser, "stores decode_head.classifier.bias as I32: get the model in fp16 or fp32")
