"""The most recent values are kept, and changed files and photos are detected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tests.support.nodes.pack import part

cache = part("nodes.segmentation.cache")


def test_the_most_recently_used_values_are_kept() -> None:
    values = cache.Cache(2)
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    for key in ("a", "b", "a", "c", "a", "b"):
        assert values.take(key, lambda key=key: make(key)) == key.upper()
    assert made == ["a", "b", "c", "b"] and list(values) == ["a", "b"]


def test_a_value_that_cannot_be_made_leaves_the_others() -> None:
    values = cache.Cache(1)
    values.take("a", lambda: 1)
    with pytest.raises(ZeroDivisionError):
        values.take("b", lambda: 1 // 0)
    assert dict(values) == {"a": 1}


def test_the_state_of_a_file_changes_with_its_size_and_its_time(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    states = [cache.state(path)]
    path.write_bytes(b"three")
    os.utime(path, ns=(1, 1))
    states.append(cache.state(path))
    os.utime(path, ns=(2, 2))
    states.append(cache.state(path))
    assert len(set(states)) == 3 and cache.state(path) == states[-1]


def test_the_state_of_a_folder_changes_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = cache.state(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"one")
    assert cache.state(tmp_path) != before


def test_photos_are_reported_apart_by_size_and_by_their_pixels_at_8_bits() -> None:
    photo = torch.arange(24).reshape(1, 3, 2, 4) / 255
    assert cache.digest(photo) == cache.digest(photo + 1e-4) == cache.digest(photo.double())
    assert cache.digest(photo) != cache.digest(photo.reshape(1, 3, 4, 2))
    changed = photo.clone()
    changed[0, 0, 0, 0] += 0.01
    assert cache.digest(photo) != cache.digest(changed)
