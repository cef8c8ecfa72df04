"""Folders of models: only their own .safetensors are read, and a model that is too large is rejected before it is
built.
"""

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from igr_core.segmentation import human_parser
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.labels import ATR
from igr_core.segmentation.sam2_prompt import Prompt
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
        ({"depths": [10**6, 1, 1, 1]}, r"depths\[0\] is 1000000: use a number from 0 to 256"),
        ({"num_encoder_blocks": -1}, "num_encoder_blocks is -1"),
        ({"hidden_sizes": [10**9, 8, 16, 16]}, r"hidden_sizes\[0\] is 1000000000"),
        ({"hidden_sizes": [8, 8, 16, 65536]}, "weights, but its config.json needs"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
        ({"id2label": {"hat": "hat"}}, "id2label keys that are not integers"),
        ({"strides": [0, 2, 2, 2]}, "cannot be loaded as a human parser"),
        ({"depths": [60, 60, 60, 60]}, "describes a model with 244 blocks, more than the 128 supported"),
        ({"hidden_sizes": [8] * 257}, "hidden_sizes has 257 entries"),
        ({"auxiliary_num_convs": 10**6}, "auxiliary_num_convs is 1000000"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
        ({"transformers_weights": "../other.safetensors.index.json"}, "specifies a separate weight file"),
    ],
)
def test_configs_out_of_range_are_named(parser: Path, fields: dict[str, Any], words: str) -> None:
    change_config(parser, **fields)
    refused(parser, words)


STAGES = ("sr_ratios", "hidden_sizes", "patch_sizes", "strides", "num_attention_heads", "mlp_ratios")


@pytest.mark.parametrize("stages", [4, 40])
def test_models_that_take_long_to_build_are_refused_before_that(
    parser: Path, stages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(human_parser, "load_folder", lambda *_: pytest.fail("the model was built"))
    change_config(parser, num_encoder_blocks=stages, depths=[256] * stages, **{name: [1] * stages for name in STAGES})
    refused(parser, r"describes a model with [0-9,]+ blocks")


ONLINE = {
    "name of a repository": {"model_type": "upernet", "backbone": "microsoft/resnet-50"},
    "pretrained": {"model_type": "upernet", "use_pretrained_backbone": True},
    "timm": {"model_type": "upernet", "use_timm_backbone": True},
    "hybrid": {"model_type": "dpt", "is_hybrid": True},
    "inside another": {"model_type": "upernet", "backbone_config": {"model_type": "dpt", "backbone": "a/b"}},
    "timm inside": {"model_type": "upernet", "backbone_config": {"model_type": "timm_backbone"}},
    "code inside": {
        "model_type": "upernet",
        "backbone_config": {"model_type": "bert", "auto_map": {"AutoBackbone": "a/b--c.D"}},
    },
}


@pytest.mark.parametrize("case", ONLINE)
def test_configs_with_external_parts_are_rejected_without_network_access(
    case: str, parser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **_: asked.append(words))
    change_config(parser, **ONLINE[case])
    refused(parser, "so part of the model is not in the folder: use a model that is complete")
    assert not asked


def test_entries_for_parts_that_are_not_used_are_fine(parser: Path) -> None:
    change_config(parser, backbone=None, use_pretrained_backbone=False, use_timm_backbone=False, is_hybrid=False)
    assert HumanParser.from_folder(parser).names == ATR


def test_weights_that_the_config_does_not_use_are_named(
    parser: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    change_config(parser, sr_ratios=[0, 1, 1, 1])
    refused(parser, r"has \d+ weights that its config.json does not use, such as .*sequence_reduction")
    change_config(parser, sr_ratios=[8, 4, 2, 1])
    weights = load_file(parser / "model.safetensors")
    save_file({**weights, "\x1b[31mred": torch.zeros(1)}, parser / "model.safetensors", metadata={"format": "pt"})
    refused(parser, "has 1 weight that its config.json does not use")
    save_file({**weights, "old.position_ids": torch.zeros(1)}, parser / "model.safetensors", metadata={"format": "pt"})
    assert HumanParser.from_folder(parser).names == ATR
    assert "\x1b" not in capfd.readouterr().err and "LOAD REPORT" not in caplog.text


def test_models_that_would_take_gigabytes_for_a_photo_are_refused(parser: Path) -> None:
    """Attention over 1,024 x 1,024 tokens of a photo that is not downscaled."""
    change_config(parser, strides=[1, 1, 1, 1], sr_ratios=[8, 4, 2, 1])
    (parser / "preprocessor_config.json").write_text(json.dumps({"size": 512}))
    refused(parser, "needs a tensor of [0-9,]+ GB for one photo, more than the limit of 4 GB")


@pytest.mark.parametrize("shard", ["pytorch_model.bin", "../model.safetensors", "/tmp/model.safetensors", None])
def test_an_index_names_only_safetensors_of_the_folder(parser: Path, shard: str | None) -> None:
    weights = load_file(parser / "model.safetensors")
    (parser / "model.safetensors").rename(parser / "part.safetensors")
    torch.save(weights, parser / "pytorch_model.bin")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, shard)}
    (parser / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(parser, "use a model whose weights are .safetensors files in the same folder")
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


def test_loading_draws_no_progress_bar_and_keeps_those_of_others(
    parser: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    logging.enable_progress_bar()
    HumanParser.from_folder(parser)
    assert "%" not in capfd.readouterr().err
    assert logging.is_progress_bar_enabled()


def test_a_config_of_too_many_entries_is_refused_before_transformers_reads_it(parser: Path) -> None:
    change_config(parser, more={f"entry{number}": 1 for number in range(20_000)})
    refused(parser, "config.json has more than 20,000 entries: copy the model's whole folder again")


def test_unnamed_outputs_in_a_config_are_overridden(parser: Path, tmp_path: Path) -> None:
    photo = torch.rand(1, 3, 40, 30)
    expected = HumanParser.from_folder(parser).parse(photo)
    change_config(parser, return_dict=False)
    assert torch.equal(HumanParser.from_folder(parser).parse(photo), expected)
    folder = save_sam2(tmp_path / "sam2")
    change_config(folder, return_dict=False)
    segmenter = Segmenter.from_folder(folder)
    assert segmenter.masks(segmenter.embed(photo), Prompt(positive=((9, 9),)))[0].shape[-2:] == (40, 30)


@pytest.mark.parametrize("side", [63, 48])
def test_a_segmenter_whose_parts_do_not_fit_each_other_is_refused_when_it_is_loaded(side: int, tmp_path: Path) -> None:
    folder = save_sam2(tmp_path / "sam2")
    config = json.loads((folder / "config.json").read_text())
    config["prompt_encoder_config"]["image_size"] = side
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(IGRError, match="sam2 cannot be loaded as SAM 2 .*: copy the folder again"):
        Segmenter.from_folder(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pipe_in_a_folder_is_refused_instead_of_waiting_for_its_end(parser: Path, name: str) -> None:
    (parser / name).unlink()
    os.mkfifo(parser / name)
    refused(parser, f"{name} is not a file")
