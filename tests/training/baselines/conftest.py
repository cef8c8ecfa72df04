"""Weights folders of the methods, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.models import tiny_rivals


@pytest.fixture(scope="session")
def tryoffdiff_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_rivals.save_tryoffdiff(tmp_path_factory.mktemp("rivals") / "tryoffdiff")


@pytest.fixture(scope="session")
def tryoffdiff_v2_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_rivals.save_tryoffdiff_v2(tmp_path_factory.mktemp("rivals") / "tryoffdiff_v2")


@pytest.fixture(scope="session")
def tryoffanyone_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_rivals.save_tryoffanyone(tmp_path_factory.mktemp("rivals") / "tryoffanyone")
