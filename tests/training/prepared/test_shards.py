"""Prepared shards as files: every problem is reported, and none of them kills the process."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from tests.support.training.prepared import write_prepared
from training.prepared.latents import PreparedPairs
from training.prepared.shards import Shard


def rewritten(folder: Path, **changes: torch.Tensor) -> Path:
    """A shard of four pairs with other tensors."""
    (path,) = write_prepared(folder, 4).iterdir()
    tensors = {name: value.clone() for name, value in load_file(path).items()}
    save_file(tensors | changes, path, {"settings": "{}", "names": json.dumps(["a", "b", "c", "d"])})
    return path


def test_rows_are_those_that_were_written(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "a")
    whole, shard = load_file(path), Shard(path)
    for name in shard.fields:
        assert torch.equal(shard.rows(name, range(4)), whole[name]) and shard.shapes[name] == whole[name].shape[1:]
        assert torch.equal(shard.rows(name, [2, 0]), whole[name][[2, 0]])
    assert torch.equal(shard.rows("mask", [2, 3], range(5, 9)), whole["mask"][2:].flatten(1)[:, 5:9])


@pytest.mark.parametrize("name", ["garment_latent", "person_latent", "mask", "image_features"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_value_that_is_not_finite_is_reported_with_its_pair(tmp_path: Path, name: str, value: float) -> None:
    tensor = torch.zeros(4, *Shard(rewritten(tmp_path / "shape")).shapes[name], dtype=torch.float16)
    tensor[2].flatten()[-1] = value
    path = rewritten(tmp_path / "a", **{name: tensor})
    pairs = PreparedPairs([path.parent])
    pairs.batch([0, 1, 3])
    with pytest.raises(IGRError, match=f"{path} has a {name} that is not finite in pair c: delete the shard"):
        pairs.batch([1, 2])


@pytest.mark.parametrize("value", [7.5, -3.0, torch.inf])
def test_a_correspondence_far_outside_the_view_is_reported_with_its_pair(tmp_path: Path, value: float) -> None:
    height, width = Shard(rewritten(tmp_path / "shape")).shapes["garment_latent"][1:]
    places = torch.full((4, 2, height, width), 0.5, dtype=torch.float16)
    places[1, 0, 0, 0], places[2, 1, 0, 0] = torch.nan, value
    path = rewritten(tmp_path / "a", correspondence=places)
    pairs = PreparedPairs([path.parent])
    pairs.batch([0, 1, 3])  # NaN: the photo does not show the garment there
    with pytest.raises(IGRError, match=f"{path} has a correspondence far outside the view in pair c: delete the shard"):
        pairs.batch([2])


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.0])
def test_a_shard_truncated_during_a_run_is_an_error(tmp_path: Path, keep: float) -> None:
    path = rewritten(tmp_path / "a")
    pairs = PreparedPairs([path.parent])
    pairs.batch([3])
    os.truncate(path, int(path.stat().st_size * keep))
    with pytest.raises(IGRError, match=f"{path} was changed while it was in use"):
        pairs.batch([3])
    path.unlink()
    with pytest.raises(IGRError, match=f"{path} could not be read"):
        pairs.batch([3])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"category": torch.tensor([0, 1, 2, 3], dtype=torch.uint8)}, "category 3 is not from 0 to 2"),
        ({"seed": torch.arange(3)}, "for 3 pairs"),
        ({"category": torch.zeros(4, 1, dtype=torch.uint8)}, "category has shape"),
        ({"mask": torch.zeros(4, 1, 8, 5).half()}, "mask has shape"),
        ({"mask": torch.zeros(4, 2, 8, 6).half()}, "must have size 1 in dimension 1"),
        ({"person_latent": torch.zeros(4, 4, 8).half()}, "person_latent has shape"),
        ({"correspondence": torch.zeros(4, 2, 6, 8).half()}, "correspondence has shape"),
        ({"correspondence": torch.zeros(3, 2, 8, 6).half()}, "correspondence has shape"),
        ({"garment_latent": torch.zeros(4, 4, 8, 6, dtype=torch.int32)}, "garment_latent has type I32"),
        ({"mask": torch.zeros(4, 1, 8, 6, dtype=torch.uint8)}, "mask has type U8"),
        ({"category": torch.full((4,), 1.5)}, "category has type F32"),
        ({"seed": torch.full((4,), torch.nan).half()}, "seed has type F16"),
        ({"seed": torch.tensor([0, 1, -5, 2])}, r"seed is negative \(-5\)"),
    ],
)
def test_tensors_that_do_not_belong_together_are_named_when_a_shard_is_opened(
    tmp_path: Path, changes: dict[str, torch.Tensor], words: str
) -> None:
    path = rewritten(tmp_path / "a", **changes)
    with pytest.raises(IGRError, match=f"{path} is not a complete shard .*{words}"):
        PreparedPairs([path.parent])


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[1]",
        b"{}",
        b"{" * 5000,
        json.dumps({"seed": {"dtype": "I64", "shape": [10**12], "data_offsets": [0, 8 * 10**12]}}).encode(),
        json.dumps({"seed": {"dtype": "I64", "shape": [-1], "data_offsets": [0, 8]}}).encode(),
        json.dumps({"__metadata__": {"settings": "{"}}).encode(),
    ],
)
def test_an_invalid_header_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "latents-000000000-4.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(IGRError, match=f"{path} is not a complete shard"):
        Shard(path)
    path.write_bytes((2**63).to_bytes(8, "little") + header)
    with pytest.raises(IGRError, match="header is longer than the file"):
        Shard(path)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"settings": "[]"}, "settings is not a mapping"),
        ({"settings": '"x"'}, "settings is not a mapping"),
        ({"settings": '{"data": 5}'}, "settings is not a mapping"),
        ({"settings": "[" * 200_000}, "settings is not valid JSON"),
        ({"names": "5"}, "names is not a list of names"),
        ({"names": "[1, 2, 3, 4]"}, "names is not a list of names"),
        ({"names": '["a"]'}, "names has 1 entries for 4 pairs"),
        ({"garments": '{"a": 1}'}, "garments is not a list of names"),
        ({"garments": '["a", null]'}, "garments has 2 entries for 4 pairs"),
    ],
)
def test_metadata_that_does_not_describe_the_pairs_is_refused(
    tmp_path: Path, metadata: dict[str, str], words: str
) -> None:
    path = rewritten(tmp_path / "a")
    tensors = {name: value.clone() for name, value in load_file(path).items()}
    save_file(tensors, path, {"settings": "{}"} | metadata)
    with pytest.raises(IGRError, match=f"{path} is not a complete shard .*{words}.*: delete it and prepare again"):
        PreparedPairs([path.parent])


def test_offsets_that_are_not_whole_numbers_are_refused(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "a")
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["mask"]["data_offsets"] = [float(place) for place in header["mask"]["data_offsets"]]
    written = json.dumps(header).encode()
    path.write_bytes(len(written).to_bytes(8, "little") + written + content[8 + size :])
    with pytest.raises(IGRError, match="is not a complete shard .*mask has the data_offsets"):
        Shard(path)


@pytest.mark.parametrize("value", [7.0, -0.5])
def test_a_mask_with_values_outside_its_range_is_reported_with_its_pair(tmp_path: Path, value: float) -> None:
    mask = torch.zeros(4, 1, 8, 6).half()
    mask[2, 0, 3, 3] = value
    path = rewritten(tmp_path / "a", mask=mask)
    with pytest.raises(IGRError, match=f"{path} has a mask with values outside 0 to 1 in pair c"):
        PreparedPairs([path.parent]).batch([1, 2])
