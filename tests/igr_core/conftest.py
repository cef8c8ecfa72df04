"""Bundles of the tiny model, for the tests in this folder."""

from pathlib import Path

import pytest

from igr_core.model.bundle import save_bundle
from tests.support.models.tiny import INFO, save_runnable, stub_parts


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete bundle with random weights."""
    return save_runnable(tmp_path_factory.mktemp("bundle") / "tiny.safetensors")


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """A bundle that can be opened, but is too incomplete to run."""
    save_bundle(tmp_path / "stub.safetensors", INFO, stub_parts())
    return tmp_path / "stub.safetensors"
