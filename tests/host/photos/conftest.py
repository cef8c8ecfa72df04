"""Fixture for tests with folders of photos."""

from __future__ import annotations

import pytest


@pytest.fixture
def case(request: pytest.FixtureRequest) -> str:
    """A unique name for the folders of a test, below input and output."""
    return request.node.name.split("[")[0]
