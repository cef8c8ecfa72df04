"""The key that identifies a bundle, and numbers in its header that are not valid JSON."""

import dataclasses
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from igr_core.model.bundle import Bundle, save_bundle
from tests.support.models.tiny import INFO, stub_parts


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "tiny.safetensors", INFO, stub_parts())
    return tmp_path / "tiny.safetensors"


def test_the_key_of_a_bundle_changes_with_its_weights_and_not_with_its_place(saved: Path, tmp_path: Path):
    before, elsewhere = Bundle.open(saved).key(), tmp_path / "copy.safetensors"
    elsewhere.write_bytes(saved.read_bytes())
    assert Bundle.open(elsewhere).key() == before
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(saved)
    for name in (min(tensors), max(tensors)):
        save_file({**tensors, name: tensors[name] + 0.5}, elsewhere, metadata=metadata)
        assert Bundle.open(elsewhere).key() != before, name


def test_numbers_that_json_does_not_have_are_written_as_null(tmp_path: Path):
    path, bad = tmp_path / "odd.safetensors", float("nan")
    info = dataclasses.replace(INFO, training={"loss": [0.5, bad], "best": -bad}, scores={"a": {"b": float("inf")}})
    save_bundle(path, info, stub_parts())
    found = Bundle.open(path).info
    assert found.training == {"loss": [0.5, None], "best": None} and found.scores == {"a": {"b": None}}
