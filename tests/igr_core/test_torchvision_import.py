"""The CUDA wheel of torchvision beside a CPU build of torch is told from wheels that fit."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec

import pytest

from igr_core import torchvision_import


@pytest.mark.parametrize(
    ("torch", "torchvision", "wanted"),
    [("2.13.0+cpu", "0.28.0", True), ("2.13.0+cpu", "0.28.0+cpu", False), ("2.13.0", "0.28.0", False)],
)
def test_only_unequal_builds_are_a_mismatch(
    monkeypatch: pytest.MonkeyPatch, torch: str, torchvision: str, wanted: bool
) -> None:
    versions = {"torch": torch, "torchvision": torchvision}
    monkeypatch.setattr(torchvision_import, "version", versions.__getitem__)
    assert torchvision_import.mismatched() is wanted


def test_no_torchvision_is_no_mismatch(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "torchvision":
            raise PackageNotFoundError(name)
        return "2.13.0+cpu"

    monkeypatch.setattr(torchvision_import, "version", version)
    assert torchvision_import.mismatched() is False


def test_nothing_is_loaded_before_torchvision_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_import, "mismatched", lambda: True)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    declared = []
    monkeypatch.setattr(torchvision_import, "_declared", lambda: declared.append(1))
    assert torchvision_import.prepare_import()
    finder = sys.meta_path[0]
    assert finder.find_spec("torch", None) is None and not declared
    assert finder.find_spec("torchvision", None) is None and declared == [1]
    assert finder not in sys.meta_path


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed: pip install torchvision")
def test_torchvision_and_transformers_can_be_imported_in_a_fresh_process() -> None:
    code = "import igr_core, torchvision; from transformers import CLIPVisionModelWithProjection"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
