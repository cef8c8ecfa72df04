"""SAM 2 in one file: the published names and shapes of all sizes, the same masks, and rejected files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import SamConfig, SamModel

from igr_core.errors import IGRError
from igr_core.segmentation.sam2_checkpoint import BUILDS, load_checkpoint, read_checkpoint
from igr_core.segmentation.sam2_prompt import Prompt
from igr_core.segmentation.segmenter import Segmenter
from tests.support.models.published_sam2 import (
    DIGESTS,
    DOLL,
    TRUNKS,
    Version,
    build_doll,
    digest,
    meta_state,
    rows,
    write,
    write_empty,
)

DOLLS = (*BUILDS, DOLL)
PROMPTS = (
    Prompt(positive=((70, 40), (20, 60)), negative=((5, 5),)),
    Prompt(box=(30, 20, 120, 80)),
    Prompt(positive=((70, 40),), mask=torch.zeros(1, 1, 90, 150).index_fill(3, torch.arange(40, 90), 1)),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sam2") / "doll.safetensors", meta_state(build_doll()))


def state_of(path: Path) -> dict[str, Tensor]:
    return load_checkpoint(path, DOLLS).state_dict()


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def refused(path: Path, *words: str) -> str:
    with pytest.raises(IGRError) as caught:
        load_checkpoint(path, DOLLS)
    said = str(caught.value)
    assert str(path) in said and "\n" not in said
    for word in words:
        assert word in said
    return said


# Names and shapes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "version"), DIGESTS)
def test_published_files_are_mapped_completely(tmp_path: Path, size: str, version: Version) -> None:
    """Exactly the image tensors of Meta's model are mapped to Sam2Model on the meta device."""
    shapes = rows(TRUNKS[size], version).shapes
    assert (len(shapes), digest(shapes)) == DIGESTS[size, version]  # as the package sam2 itself builds it
    found = read_checkpoint(write_empty(tmp_path / "file.safetensors", shapes))
    trunk = TRUNKS[size]
    assert (found.layout, found.version, found.build.name) == ("original", version, size)
    assert found.build.heads == trunk.num_heads and found.build.windows == trunk.window_spec
    assert found.build.global_blocks == trunk.global_att_blocks and found.build.blocks == trunk.stages
    assert found.background == trunk.window_pos_embed_bkg_spatial_size and found.build.side == 1024
    used = {source for parts in found.sources.values() for source in parts}
    assert used == {name for name, theirs in rows(trunk, version).names.items() if theirs is not None}


def test_a_published_size_loads_with_its_own_config(tmp_path: Path) -> None:
    model = load_checkpoint(write_empty(tmp_path / "tiny.safetensors", rows(TRUNKS["tiny"], "2.1").shapes))
    blocks = model.vision_encoder.backbone.blocks
    assert [block.window_size for block in blocks] == [8, 8, 4, 4, 14, 0, 14, 0, 14, 0, 14, 7]
    assert [block.attn.num_attention_heads for block in blocks] == [1, 2, 2, *[4] * 7, 8, 8]
    assert model.prompt_encoder.input_image_size == 1024
    assert model.backbone_feature_sizes == [[256, 256], [128, 128], [64, 64]]


# The same masks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", PROMPTS, ids=("points", "box", "mask"))
def test_a_file_in_metas_layout_gives_the_masks_of_transformers_own(original: Path, prompt: Prompt) -> None:
    photo = torch.randint(0, 256, (1, 3, 90, 150), generator=torch.Generator().manual_seed(1)) / 255
    direct, loaded = Segmenter(build_doll()), Segmenter(load_checkpoint(original, DOLLS))
    (masks, scores), (expected, trust) = (one.masks(one.embed(photo), prompt) for one in (loaded, direct))
    assert 0 < expected.mean() < 1 and torch.equal(masks, expected) and torch.equal(scores, trust)


def test_every_weight_is_where_it_belongs(original: Path) -> None:
    model = load_checkpoint(original, DOLLS)
    assert same(model.state_dict(), build_doll().state_dict()) and not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_load_in_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    halves = {name: value.to(dtype) for name, value in meta_state(build_doll()).items()}
    found = state_of(write(tmp_path / "half.safetensors", halves))
    assert same(found, {name: value.to(dtype).float() for name, value in build_doll().state_dict().items()})


@pytest.mark.parametrize(("version", "video", "told"), [("2", True, "2"), ("2.1", True, "2.1"), ("2.1", False, None)])
def test_tensors_for_videos_are_optional(tmp_path: Path, version: Version, video: bool, told: str) -> None:
    path = write(tmp_path / "doll.safetensors", meta_state(build_doll(), version, video))
    assert read_checkpoint(path, DOLLS).version == told
    assert same(state_of(path), build_doll().state_dict())


@pytest.mark.parametrize("left_out", ["shared_image_embedding", "prompt_encoder.shared_embedding", None])
def test_transformers_layout_in_one_file(tmp_path: Path, left_out: str | None) -> None:
    """model.safetensors of a published folder, with the video model's memory and only one name of the shared matrix."""
    state = {name: value.clone() for name, value in build_doll().state_dict().items()}
    state.pop(f"{left_out}.positional_embedding", None)
    state |= {"memory_attention.layer_norm.weight": torch.ones(256), "no_object_pointer": torch.ones(1, 256)}
    path = write(tmp_path / "model.safetensors", state | {"occlusion_spatial_embedding_parameter": torch.ones(1, 64)})
    found = read_checkpoint(path, DOLLS)
    assert (found.layout, found.version) == ("transformers", "2.1")
    assert same(state_of(path), build_doll().state_dict())


def test_a_segmenter_from_a_file(tmp_path: Path) -> None:
    path = write_empty(tmp_path / "tiny.safetensors", rows(TRUNKS["tiny"], "2").shapes)
    segmenter = Segmenter.from_file(path, "cpu")
    assert segmenter.device == torch.device("cpu") and segmenter.model.dtype == torch.float32
    assert not segmenter.model.training


# Rejected files --------------------------------------------------------------------------------------------------


def test_incomplete_files(tmp_path: Path) -> None:
    whole, path = meta_state(build_doll()), tmp_path / "doll.safetensors"

    def changed(**changes: Tensor | None) -> Path:
        kept = {name: value for name, value in whole.items() if name not in changes}
        return write(path, kept | {name: value for name, value in changes.items() if value is not None})

    bias = "sam_mask_decoder.conv_s0.bias"
    point = "sam_prompt_encoder.point_embeddings.2.weight"
    missing = "is missing 1 tensor of SAM 2 doll, such as mask_decoder.conv_s0.bias"
    refused(changed(**{bias: None}), missing, "download the file again")
    refused(changed(**{point: None}), "has 3 tensors that SAM 2 doll does not have", "point_embeddings.0.weight")
    refused(changed(extra=torch.ones(1)), "has 1 tensor that SAM 2 doll does not have, such as extra")
    refused(changed(**{bias: torch.ones(31)}), "its sam_mask_decoder.conv_s0.bias is 31 instead of 32")
    refused(changed(**{point: torch.ones(1, 255)}), "is not SAM 2 doll", "instead of 4×256")
    refused(changed(**{"image_encoder.trunk.pos_embed": torch.ones(())}), "pos_embed is a scalar instead of 1×8×7×7")
    for value in (float("nan"), float("inf")):
        refused(
            changed(**{bias: torch.full((32,), value)}), f"NaN or infinite values in {bias}", "download the file again"
        )
    refused(changed(**{bias: torch.ones(32, dtype=torch.int8)}), f"stores {bias} as I8", "in fp16 or fp32")


def test_sizes_that_were_never_published(tmp_path: Path, original: Path) -> None:
    with pytest.raises(IGRError, match=r"unknown size \(5 blocks, 8 channels\): use one of tiny, small, base_plus"):
        load_checkpoint(original)
    shapes = rows(TRUNKS["tiny"], "2").shapes
    first = "image_encoder.trunk.patch_embed.proj.weight"
    refused(write_empty(tmp_path / "scalar.safetensors", shapes | {first: ()}), "12 blocks, 0 channels")


def test_pickles_are_refused_with_a_way_to_convert_them(tmp_path: Path) -> None:
    """The command in the message works unchanged on the format that Meta publishes: {"model": tensors}."""
    for name, new_format in (("doll.pt", True), ("old doll.pth", False), ("renamed.safetensors", True)):
        path = tmp_path / name
        torch.save({"model": meta_state(build_doll())}, path, _use_new_zipfile_serialization=new_format)
        said = refused(path, "is a pickle", "Kijai/sam2-safetensors", "convert it by running this in its folder")
        command = re.search(r"python (-c .+)$", said)
        assert command is not None
        if name == "doll.pt":
            subprocess.run([sys.executable, *shlex.split(command[1])], cwd=tmp_path, check=True)
            assert same(state_of(tmp_path / "doll.safetensors"), build_doll().state_dict())


def test_other_models(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    with torch.device("meta"):
        first = SamModel(SamConfig()).state_dict()
    refused(write_empty(path, {name: tuple(value.shape) for name, value in first.items()}), "the first SAM")
    first_names = ("image_encoder.blocks.0.attn.qkv.weight", "mask_decoder.mask_tokens.weight")
    refused(write_names(path, *first_names), "the first SAM")
    refused(write_names(path, "lora_unet_down_blocks_0.lora_up.weight"), "seems to be a LoRA", "sam2.1_hiera_small")
    refused(write_names(path, "something.weight"), "is not SAM 2: its tensors have other names", "sam2.1_hiera_small")


def write_names(path: Path, *names: str) -> Path:
    save_file({name: torch.ones(2) for name in names}, path)
    return path


def test_files_that_are_not_sam2(tmp_path: Path, original: Path) -> None:
    refused(tmp_path / "none.safetensors", "does not exist: check the path")
    refused(tmp_path, "is a folder: specify the .safetensors file")
    refused(Path(os.devnull), "is not a file: choose a .safetensors file")
    for name, content, word in (
        ("half", original.read_bytes()[:-100], "truncated or damaged"),
        ("empty", b"", "it is empty"),
        ("pointer", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("page", b"<!doctype html>", "a web page"),
        ("text", b"not a model at all", "not a safetensors file; use a published file"),
    ):
        (tmp_path / f"{name}.safetensors").write_bytes(content)
        refused(tmp_path / f"{name}.safetensors", "cannot be read as SAM 2", word)
