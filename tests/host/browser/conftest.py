"""Fixture for the click editor, shared by the tests in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.host.editor import marks, wait
from tests.support.host.frontend import open_template

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def editor(page: Page) -> Page:
    """The shipped workflow with its photo shown and nothing marked."""
    open_template(page, "mask_click")
    wait(page, ".photo")
    page.wait_for_timeout(700)  # wait until the canvas stops moving
    assert marks(page) == {}
    return page
