"""A page in a real browser, for tests of the pages that the project writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.host.frontend import CHROMIUM_FLAGS, find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page


@contextmanager
def browser_page() -> Iterator[Page]:
    """An empty page of 1300×800 pixels in Chromium; the test is skipped if it is not installed."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing: the page is not tested")
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("No Chromium or Chrome on the PATH: the page is not tested")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        try:
            yield browser.new_page(viewport={"width": 1300, "height": 800})
        finally:
            browser.close()
