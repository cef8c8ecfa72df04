"""The smallest real human parser: a SegFormer with random weights and the labels of a published one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from igr_core.segmentation.labels import ATR, LabelNames


def build_parser(names: LabelNames = ATR, sees: Sequence[str] = ()) -> SegformerForSemanticSegmentation:
    """A parser with random weights, the same at each call; with `sees`, it finds only the labels with these names."""
    torch.manual_seed(0)
    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        id2label=dict(enumerate(names.labels)),
        label2id={label: number for number, label in enumerate(names.labels)},
    )
    model = SegformerForSemanticSegmentation(config).eval()
    if sees:
        bias = model.decode_head.classifier.bias
        assert bias is not None
        bias.data[list(names.numbers(sees))] += 5
    return model


def save_parser(
    folder: Path, names: LabelNames = ATR, sees: Sequence[str] = (), size: tuple[int, int] = (64, 48)
) -> Path:
    """Write the parser as a folder in transformers' layout, for photos stretched to a height and a width."""
    build_parser(names, sees).save_pretrained(folder)
    settings = {"size": {"height": size[0], "width": size[1]}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def change_config(folder: Path, **fields: object) -> None:
    """Change entries of a folder's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
