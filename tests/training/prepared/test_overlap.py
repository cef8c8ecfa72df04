"""Pairs that two folders share are found by their latents."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.support.training.prepared import write_prepared
from training.prepared import overlap
from training.prepared.latents import PreparedPairs


def changed(folder: Path, like: Path, **changes: Tensor) -> PreparedPairs:
    """The pairs of a folder with other tensors, and with other seeds, which are their names."""
    (path,) = like.iterdir()
    tensors = {name: value.clone() for name, value in load_file(path).items()}
    folder.mkdir()
    save_file({"seed": tensors["seed"] + 500, **tensors, **changes}, folder / path.name, {"settings": "{}"})
    return PreparedPairs([folder])


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return write_prepared(tmp_path / "train", 16)


@pytest.fixture
def tensors(trained: Path) -> dict[str, Tensor]:
    (path,) = trained.iterdir()
    return load_file(path)


def test_a_pair_that_was_encoded_again_or_renamed_is_found(
    trained: Path, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    rounded = {name: tensors[name].bfloat16().half() for name in ("garment_latent", "person_latent")}
    own = changed(tmp_path / "own", trained, seed=tensors["seed"] + 500, **rounded)
    assert own.shared_with(PreparedPairs([trained])) == ("500", "0")


def test_the_same_garment_or_the_same_photo_alone_is_another_pair(
    trained: Path, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    for name in ("garment_latent", "person_latent"):
        own = changed(tmp_path / name, trained, **{name: tensors[name].flip(-1).contiguous()})
        assert own.shared_with(PreparedPairs([trained])) is None


def test_pairs_that_only_share_their_middle_are_others(
    trained: Path, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    """As garments in another fabric, where it is not in the middle."""
    other = tensors["garment_latent"].clone()
    other[:, 1:] *= 1.1
    own = changed(tmp_path / "own", trained, garment_latent=other)
    assert own.shared_with(PreparedPairs([trained])) is None


def test_every_part_of_every_shard_is_compared(
    trained: Path, tensors: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlap, "_AT_ONCE", 3)
    fresh = write_prepared(tmp_path / "fresh", 4, seed=3, start=90)
    (path,) = fresh.iterdir()
    mixed = {name: value.clone() for name, value in load_file(path).items()}
    for name in ("garment_latent", "person_latent"):
        mixed[name][3] = tensors[name][13]
    save_file(mixed, path, {"settings": "{}"})
    own, others = PreparedPairs([write_prepared(tmp_path / "more", 2, seed=4), fresh]), PreparedPairs([trained])
    assert own.shared_with(others) == ("93", "13") and others.shared_with(own) == ("13", "93")
    assert PreparedPairs([fresh], limit=3).shared_with(others) is None


def test_pairs_of_another_size_are_others(trained: Path, tmp_path: Path) -> None:
    size = {"garment_latent": (4, 16, 12), "person_latent": (4, 16, 12), "mask": (1, 16, 12)}
    own = PreparedPairs([write_prepared(tmp_path / "large", 16, settings={}, **size)])
    assert own.shared_with(PreparedPairs([trained])) is None


def test_values_that_are_not_finite_are_left_to_the_check_of_the_pairs(
    trained: Path, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    broken = torch.full_like(tensors["garment_latent"], torch.nan)
    assert changed(tmp_path / "own", trained, garment_latent=broken).shared_with(PreparedPairs([trained])) is None
