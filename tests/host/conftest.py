"""One ComfyUI server for all host tests; without a host they are skipped, and say why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host.graphs import TINY
from tests.host.server import Server, find_host, running_server
from tests.igr_core.tiny import save_runnable


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the host tests on one worker of pytest-xdist: they share the server."""
    for item in items:
        if config.pluginmanager.hasplugin("xdist") and "tests/host/" in item.path.as_posix():
            item.add_marker(pytest.mark.xdist_group("host"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with the tiny bundle in models/igr beside the demo."""
    found = find_host()
    if isinstance(found, str):
        pytest.skip(f"HOST TESTS NOT RUN: {found}")
    base = tmp_path_factory.mktemp("comfy")
    for name in ("models/igr", "input/photos", "input/masks"):
        (base / name).mkdir(parents=True)
    save_runnable(base / "models" / "igr" / TINY)
    with running_server(*found, base) as running:
        yield running
