"""The click editor, for every test of this folder that asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.host.editor import marks, wait
from tests.support.host.frontend import open_template

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def editor(page: Page) -> Page:
    """The shipped workflow, its photo shown, nothing marked."""
    open_template(page, "mask_click")
    wait(page, ".photo")
    page.wait_for_timeout(700)  # the canvas comes to rest
    assert marks(page) == {}
    return page
