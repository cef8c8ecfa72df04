"""One ComfyUI server for all host tests; without a host, they are skipped with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from igr_core.restore.restorer import GarmentRestorer
from tests.support.host.frontend import find_chromium, open_frontend
from tests.support.host.graphs import TINY, TINY_PARSER, TINY_SAM
from tests.support.host.server import Server, find_host, running_server
from tests.support.models.tiny import save_runnable
from tests.support.models.tiny_parser import save_parser
from tests.support.models.tiny_sam2 import save_sam2

if TYPE_CHECKING:
    from playwright.sync_api import Page


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the host tests on one worker of pytest-xdist: they share the server."""
    for item in items:
        if config.pluginmanager.hasplugin("xdist") and "tests/host/" in item.path.as_posix():
            item.add_marker(pytest.mark.xdist_group("host"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with the tiny models in addition to the included ones."""
    found = find_host()
    if isinstance(found, str):
        pytest.skip(f"HOST TESTS NOT RUN: {found}")
    base = tmp_path_factory.mktemp("comfy")
    for name in ("models/igr", "input/photos", "input/masks"):
        (base / name).mkdir(parents=True)
    save_runnable(base / "models" / "igr" / TINY)
    save_sam2(base / "models" / "sam2" / TINY_SAM)
    save_parser(base / "models" / "human_parsing" / TINY_PARSER, sees=("upper-clothes", "dress", "pants"))
    with running_server(*found, base) as running:
        yield running


@pytest.fixture(scope="session")
def restorer(server: Server) -> GarmentRestorer:
    """The server's tiny bundle in this process."""
    return GarmentRestorer.from_bundle(server.base / "models" / "igr" / TINY)


@pytest.fixture(scope="module")
def page(server: Server) -> Iterator[Page]:
    """The frontend of the server in Chromium."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("BROWSER TESTS NOT RUN: no Chromium on the PATH")
    with open_frontend(server, chromium) as opened:
        yield opened
