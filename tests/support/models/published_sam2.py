"""SAM 2 as Meta publishes it: names and shapes of its modules, and a tiny model's weights under those names.

Written down from the modules of the package sam2 1.1.0 (sam2/modeling) and its configs; DIGESTS, which come from the
package's own state dicts, verify them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)

from igr_core.segmentation.sam2_checkpoint import Build

Version = Literal["2", "2.1"]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Trunk:
    """The entries of a config's image_encoder.trunk."""

    embed_dim: int
    num_heads: int
    stages: tuple[int, ...]
    global_att_blocks: tuple[int, ...]
    window_pos_embed_bkg_spatial_size: tuple[int, int]
    window_spec: tuple[int, ...] = (8, 4, 14, 7)


TRUNKS = {
    "tiny": Trunk(96, 1, (1, 2, 7, 2), (5, 7, 9), (7, 7)),
    "small": Trunk(96, 1, (1, 2, 11, 2), (7, 10, 13), (7, 7)),
    "base_plus": Trunk(112, 2, (2, 3, 16, 3), (12, 16, 20), (14, 14)),
    "large": Trunk(144, 2, (2, 6, 36, 4), (23, 33, 43), (7, 7), (8, 4, 16, 8)),
}
DIGESTS: dict[tuple[str, Version], tuple[int, str]] = {
    ("tiny", "2"): (468, "417cab218e486c02d7eef5a9e077f7aa"),
    ("small", "2"): (516, "90d5286e9dbd10796aed330129d6ccf6"),
    ("base_plus", "2"): (612, "d7b9b479dd8647c7cc07d696712ff36b"),
    ("large", "2"): (900, "b6faabb5b4985120736e56c6502c87d6"),
    ("tiny", "2.1"): (471, "9e447ec9aeee79271ac401442f4e538e"),
    ("small", "2.1"): (519, "fe4e7feebbb1fb57802a955a0416fb33"),
    ("base_plus", "2.1"): (615, "72ae5317042e4cbf6209fe709edad9d0"),
    ("large", "2.1"): (903, "64df169900f0d0ca34a00402a4bcd365"),
}
"""Tensors in the state dict, and digest() of their names and shapes."""

DOLL_TRUNK = Trunk(8, 1, (1, 1, 2, 1), (3,), (2, 2), (4, 4, 2, 2))
DOLL = Build("doll", 8, (1, 1, 2, 1), 1, (4, 4, 2, 2), (3,), side=128)
"""A SAM 2 with a tiny trunk and the heads of the published models."""

HF_TRUNK, HF_NECK = "vision_encoder.backbone", "vision_encoder.neck"
POINTS, POSITIONS = "prompt_encoder.point_embed.weight", "shared_image_embedding.positional_embedding"


class Rows:
    """Tensors by Meta's name: their shape, and their name in transformers where Sam2Model has them."""

    def __init__(self) -> None:
        self.shapes: Shapes = {}
        self.names: dict[str, str | None] = {}

    def add(self, name: str, shape: tuple[int, ...], theirs: str | None = None) -> None:
        self.shapes[name], self.names[name] = shape, theirs

    def layer(self, name: str, weight: tuple[int, ...], theirs: str | None = None, transposed: bool = False) -> None:
        """Weight and bias of a linear layer, a convolution or (one axis) a norm."""
        self.add(f"{name}.weight", weight, theirs and f"{theirs}.weight")
        self.add(f"{name}.bias", (weight[1] if transposed else weight[0],), theirs and f"{theirs}.bias")

    def mlp(self, name: str, widths: tuple[int, ...], theirs: str | None = None) -> None:
        """MLP of sam2_utils: layers.0, layers.1 ... in a row."""
        between = [f"layers.{number}" for number in range(len(widths) - 3)]
        for number, part in enumerate(["proj_in", *between, "proj_out"]):
            self.layer(f"{name}.layers.{number}", (widths[number + 1], widths[number]), theirs and f"{theirs}.{part}")

    def attention(self, name: str, width: int, inner: int, keys: int | None = None, theirs: str | None = None) -> None:
        """Attention of sam/transformer.py."""
        for part, shape in (
            ("q_proj", (inner, width)),
            ("k_proj", (inner, keys or width)),
            ("v_proj", (inner, keys or width)),
        ):
            self.layer(f"{name}.{part}", shape, theirs and f"{theirs}.{part}")
        self.layer(f"{name}.out_proj", (width, inner), theirs and f"{theirs}.o_proj")


def rows(trunk: Trunk, version: Version) -> Rows:
    """Every tensor of SAM2Base, as built from its config."""
    found = Rows()
    _image_encoder(found, trunk)
    _prompt_encoder(found)
    _mask_decoder(found)
    _memory(found, version)
    found.add("no_mem_embed", (1, 1, 256), "no_memory_embedding")
    return found


def _image_encoder(found: Rows, trunk: Trunk) -> None:
    name, width = "image_encoder.trunk", trunk.embed_dim
    background, window = trunk.window_pos_embed_bkg_spatial_size, trunk.window_spec[0]
    found.add(f"{name}.pos_embed", (1, width, *background), f"{HF_TRUNK}.pos_embed")
    found.add(f"{name}.pos_embed_window", (1, width, window, window), f"{HF_TRUNK}.pos_embed_window")
    found.layer(f"{name}.patch_embed.proj", (width, 3, 7, 7), f"{HF_TRUNK}.patch_embed.projection")
    block, widths = 0, []
    for stage, count in enumerate(trunk.stages):
        for place in range(count):
            wider = width * 2 if stage and not place else width
            ours, theirs = f"{name}.blocks.{block}", f"{HF_TRUNK}.blocks.{block}"
            found.layer(f"{ours}.norm1", (width,), f"{theirs}.layer_norm1")
            found.layer(f"{ours}.attn.qkv", (3 * wider, width), f"{theirs}.attn.qkv")
            found.layer(f"{ours}.attn.proj", (wider, wider), f"{theirs}.attn.proj")
            found.layer(f"{ours}.norm2", (wider,), f"{theirs}.layer_norm2")
            found.mlp(f"{ours}.mlp", (wider, 4 * wider, wider), f"{theirs}.mlp")
            if wider != width:
                found.layer(f"{ours}.proj", (wider, width), f"{theirs}.proj")
            width, block = wider, block + 1
        widths.insert(0, width)
    for number, width in enumerate(widths):
        found.layer(f"image_encoder.neck.convs.{number}.conv", (256, width, 1, 1), f"{HF_NECK}.convs.{number}")


def _prompt_encoder(found: Rows) -> None:
    name, theirs = "sam_prompt_encoder", "prompt_encoder"
    found.add(f"{name}.pe_layer.positional_encoding_gaussian_matrix", (2, 128), POSITIONS)
    for number in range(4):
        found.add(f"{name}.point_embeddings.{number}.weight", (1, 256), POINTS)
    for part in ("not_a_point_embed", "no_mask_embed"):
        found.add(f"{name}.{part}.weight", (1, 256), f"{theirs}.{part}.weight")
    for number, part, shape in (
        (0, "conv1", (4, 1, 2, 2)),
        (1, "layer_norm1", (4,)),
        (3, "conv2", (16, 4, 2, 2)),
        (4, "layer_norm2", (16,)),
        (6, "conv3", (256, 16, 1, 1)),
    ):
        found.layer(f"{name}.mask_downscaling.{number}", shape, f"{theirs}.mask_embed.{part}")


def _mask_decoder(found: Rows) -> None:
    name, theirs = "sam_mask_decoder", "mask_decoder"
    for number in range(2):
        layer = f"transformer.layers.{number}"
        found.attention(f"{name}.{layer}.self_attn", 256, 256, theirs=f"{theirs}.{layer}.self_attn")
        for part in ("cross_attn_token_to_image", "cross_attn_image_to_token"):
            found.attention(f"{name}.{layer}.{part}", 256, 128, theirs=f"{theirs}.{layer}.{part}")
        for norm in range(1, 5):
            found.layer(f"{name}.{layer}.norm{norm}", (256,), f"{theirs}.{layer}.layer_norm{norm}")
        found.mlp(f"{name}.{layer}.mlp", (256, 2048, 256), f"{theirs}.{layer}.mlp")
    last = "transformer.final_attn_token_to_image"
    found.attention(f"{name}.{last}", 256, 128, theirs=f"{theirs}.{last}")
    found.layer(f"{name}.transformer.norm_final_attn", (256,), f"{theirs}.transformer.layer_norm_final_attn")
    for part, count in (("iou_token", 1), ("mask_tokens", 4), ("obj_score_token", 1)):
        found.add(f"{name}.{part}.weight", (count, 256), f"{theirs}.{part}.weight")
    found.layer(f"{name}.output_upscaling.0", (256, 64, 2, 2), f"{theirs}.upscale_conv1", transposed=True)
    found.layer(f"{name}.output_upscaling.1", (64,), f"{theirs}.upscale_layer_norm")
    found.layer(f"{name}.output_upscaling.3", (64, 32, 2, 2), f"{theirs}.upscale_conv2", transposed=True)
    found.layer(f"{name}.conv_s0", (32, 256, 1, 1), f"{theirs}.conv_s0")
    found.layer(f"{name}.conv_s1", (64, 256, 1, 1), f"{theirs}.conv_s1")
    for head, last in (
        *((f"output_hypernetworks_mlps.{number}", 32) for number in range(4)),
        ("iou_prediction_head", 4),
        ("pred_obj_score_head", 1),
    ):
        found.mlp(f"{name}.{head}", (256, 256, 256, last), f"{theirs}.{head}")


def _memory(found: Rows, version: Version) -> None:
    """Tensors that only videos need, whose names in transformers are not those of Sam2Model."""
    found.add("maskmem_tpos_enc", (7, 1, 1, 64))
    found.add("no_mem_pos_enc", (1, 1, 256))
    found.add("no_obj_ptr", (1, 256))
    found.layer("mask_downsample", (1, 1, 4, 4))
    found.mlp("obj_ptr_proj", (256, 256, 256, 256))
    for number in range(4):
        layer = f"memory_attention.layers.{number}"
        found.attention(f"{layer}.self_attn", 256, 256)
        found.attention(f"{layer}.cross_attn_image", 256, 256, keys=64)
        found.layer(f"{layer}.linear1", (2048, 256))
        found.layer(f"{layer}.linear2", (256, 2048))
        for norm in range(1, 4):
            found.layer(f"{layer}.norm{norm}", (256,))
    found.layer("memory_attention.norm", (256,))
    for number, (into, out) in enumerate(((1, 4), (4, 16), (16, 64), (64, 256))):
        found.layer(f"memory_encoder.mask_downsampler.encoder.{3 * number}", (out, into, 3, 3))
        found.layer(f"memory_encoder.mask_downsampler.encoder.{3 * number + 1}", (out,))
    found.layer("memory_encoder.mask_downsampler.encoder.12", (256, 256, 1, 1))
    found.layer("memory_encoder.pix_feat_proj", (256, 256, 1, 1))
    for number in range(2):
        layer = f"memory_encoder.fuser.layers.{number}"
        found.add(f"{layer}.gamma", (256,))
        found.layer(f"{layer}.dwconv", (256, 1, 7, 7))
        found.layer(f"{layer}.norm", (256,))
        found.layer(f"{layer}.pwconv1", (1024, 256))
        found.layer(f"{layer}.pwconv2", (256, 1024))
    found.layer("memory_encoder.out_proj", (64, 256, 1, 1))
    if version == "2.1":
        found.add("no_obj_embed_spatial", (1, 64))
        found.layer("obj_ptr_tpos_proj", (64, 256))


def digest(shapes: Shapes) -> str:
    """The first half of the hash of all names and shapes."""
    text = json.dumps({name: list(shape) for name, shape in shapes.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def build_doll() -> Sam2Model:
    """Transformers' own classes with random weights, the same at each call and large enough that prompts matter."""
    torch.manual_seed(0)
    trunk = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[128, 128],
        window_positional_embedding_background_size=[2, 2],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        window_size_per_stage=[4, 4, 2, 2],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=trunk,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    )
    prompts = Sam2PromptEncoderConfig(image_size=128)
    model = Sam2Model(
        Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=Sam2MaskDecoderConfig())
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0, 1.4 / weight[0].numel() ** 0.5 if weight.ndim > 1 else 0.2)
            if "norm" in name and name.endswith("weight"):
                weight.add_(1)
        twin = model.shared_image_embedding.positional_embedding
        model.prompt_encoder.shared_embedding.positional_embedding.copy_(twin)
    return model.eval()


def meta_state(model: Sam2Model, version: Version = "2.1", video: bool = True) -> dict[str, Tensor]:
    """The tiny model's weights as Meta would store them; tensors that only videos need are random."""
    state, found = model.state_dict(), rows(DOLL_TRUNK, version)
    weights = {}
    for name, theirs in found.names.items():
        if theirs is None and video:
            weights[name] = torch.randn(found.shapes[name])
        elif theirs == POINTS:
            number = int(name.split(".")[2])
            weights[name] = state[POINTS][number : number + 1].clone()
        elif theirs is not None:
            weights[name] = state[theirs].clone()
    return weights


def write(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def write_empty(path: Path, shapes: Shapes) -> Path:
    """A sparse file with these names and shapes in fp16, as long as a real one, which takes no disk space."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as handle:
        handle.write(len(text).to_bytes(8, "little") + text)
        handle.truncate(8 + len(text) + end)
    return path
