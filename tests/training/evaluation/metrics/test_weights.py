"""Weights of the metrics' networks: search paths, the report on them, and recognition of the published files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.files import sha256
from tests.support.models.metric_weights import write_weights
from training.cli.app import app
from training.evaluation.metrics.weights import (
    ALEXNET,
    CLIP_B32,
    DISTS,
    FILES,
    INCEPTION_SCRIPT,
    LPIPS_ALEX,
    LPIPS_VGG,
    MissingWeights,
    WeightsFile,
    WeightsFolder,
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_names_and_hashes_are_those_of_the_address_that_the_installed_library_has(file: WeightsFile) -> None:
    if file.library == "pyiqa":
        pytest.importorskip("pyiqa", reason="NOT RUN: pyiqa is large, and left to those who score by tryoffdiff")
    address = file.address()
    assert address.startswith("https://") and address.endswith(f"/{file.name}")
    named = file.sha256[:8] if file.library == "pyiqa" else file.sha256  # the published name has 8 digits
    assert named in address or file is INCEPTION_SCRIPT


def test_a_missing_file_is_named_with_the_command_that_lists_sources(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"^alexnet-owt-7be5be79\.pth is missing .* training evaluate weights` "):
        WeightsFolder(tmp_path).path(ALEXNET)
    with pytest.raises(IGRError, match="nowhere is not a folder"):
        WeightsFolder(tmp_path / "nowhere")


def test_only_the_published_bytes_are_the_published_file(tmp_path: Path) -> None:
    folder = WeightsFolder(write_weights(tmp_path, [CLIP_B32]))
    assert not folder.published(CLIP_B32)
    digest = sha256(tmp_path / "checkpoints" / CLIP_B32.name)
    assert folder.published(replace(CLIP_B32, sha256=digest))
    assert folder.published(replace(CLIP_B32, sha256=digest[:8]))


def test_a_hash_is_that_of_the_files_current_content(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    path, folder = tmp_path / "checkpoints" / ALEXNET.name, WeightsFolder(tmp_path)
    path.write_bytes(b"one")
    before = folder.sha256(ALEXNET)
    path.write_bytes(b"other")
    os.utime(path, ns=(1, 1))
    assert folder.sha256(ALEXNET) == sha256(path) != before


def test_without_a_folder_the_libraries_own_caches_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / "cached.pt"
    cached.write_bytes(b"clip")
    file = replace(CLIP_B32, elsewhere=(tmp_path / "not there.pt", cached))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    assert WeightsFolder(None).path(file) == cached
    with pytest.raises(MissingWeights):
        WeightsFolder(tmp_path).path(file)


@pytest.mark.parametrize("file", [LPIPS_ALEX, LPIPS_VGG, DISTS], ids=lambda file: file.name)
def test_pyiqas_heads_are_the_files_that_torchmetrics_includes(file: WeightsFile, tmp_path: Path) -> None:
    found = replace(file, elsewhere=file.elsewhere[1:])  # without pyiqa's own cache
    assert "torchmetrics" in WeightsFolder(None).path(found).parts and WeightsFolder(None).published(found)
    assert len(file.sha256) == 64 and file.sha256.startswith(file.name.removesuffix(".pth").rpartition("-")[2])
    with pytest.raises(MissingWeights, match=file.name):
        WeightsFolder(tmp_path).path(file)


def test_the_hub_is_restored_after_use(tmp_path: Path) -> None:
    before = torch.hub.get_dir()
    with pytest.raises(KeyError), WeightsFolder(tmp_path).as_hub():
        assert torch.hub.get_dir() == str(tmp_path)
        raise KeyError
    assert torch.hub.get_dir() == before


def test_the_command_lists_every_file_its_state_hash_and_address(tmp_path: Path) -> None:
    write_weights(tmp_path, [CLIP_B32])
    done = CliRunner().invoke(app, ["evaluate", "weights", "--weights", str(tmp_path)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    for file in FILES:
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{file.name}: "))
        state = "exists, but is not the published file" if file is CLIP_B32 else "missing"
        try:
            address = file.address()
        except ImportError:
            address = f"pip install {file.library} to see where it is published"
        assert lines[at : at + 3] == [f"{file.name}: {state}", f"    sha256 {file.sha256}", f"    {address}"]
    assert lines[-1] == str(tmp_path / "checkpoints")
    done = CliRunner().invoke(app, ["evaluate", "weights", "--weights", str(tmp_path / "nowhere")])
    assert done.exit_code == 1 and "nowhere is not a folder" in done.output
