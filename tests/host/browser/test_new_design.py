"""The editor and the notes in the frontend's new node design (Nodes 2.0)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.host.editor import EDITOR, SHIRT, TROUSERS, click, marks, value, wait
from tests.support.host.frontend import check_presets, open_template
from tests.support.host.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

SETTING = "Comfy.VueNodes.Enabled"
NODE = f"document.querySelector(`[data-node-id='${{{EDITOR}.node.id}}']`)"
"""The node's element on the page."""


@pytest.fixture
def page_in_new_design(page: Page, server: Server) -> Iterator[Page]:
    """The workflow mask_click in the new design; skipped for frontends without one."""
    if not page.evaluate(f"() => window.app.extensionManager.setting.get('{SETTING}') !== undefined"):
        pytest.skip("NOT RUN: this frontend has no Nodes 2.0")
    page.evaluate(f"async () => {{ await window.app.extensionManager.setting.set('{SETTING}', true); }}")
    try:
        open_template(page, "mask_click")
        wait(page, ".photo")
        wait(page, ".root.isConnected")
        wait(page, ".canvas.clientHeight > 200")  # older frontends give widgets no height
        yield page
    finally:
        page.evaluate(f"async () => {{ await window.app.extensionManager.setting.set('{SETTING}', false); }}")


def test_the_graphs_undo_leaves_the_editor_on_its_node(page_in_new_design: Page) -> None:
    page = page_in_new_design
    click(page, SHIRT)
    click(page, TROUSERS, "right")
    page.keyboard.press("Control+z")
    wait(page, ".marks.negative.length === 0")
    wait(page, ".root.isConnected")
    wait(page, ".mask")
    assert page.evaluate("() => document.querySelectorAll('.igr-segment').length") == 1
    click(page, (250, 300))  # the mark reaches the editor that writes the workflow
    assert len(marks(page)["positive"]) == 2


def test_the_raw_points_are_hidden(page_in_new_design: Page) -> None:
    page = page_in_new_design
    click(page, SHIRT)
    assert len(marks(page)["positive"]) == 1
    script = f"""() => {{
        const node = {NODE}, fields = [...node.querySelectorAll("input, textarea")];
        return [node.innerText, ...fields.map((one) => one.value)].join(" ");
    }}"""
    text = page.evaluate(script)
    assert "positive" not in text and "candidates" in text


def test_notes_stay_on_the_node_when_the_run_is_over(page_in_new_design: Page) -> None:
    page = page_in_new_design
    show = f"() => {EDITOR}.node.onExecuted({{igr_notes: [{{text: 'The mask is small.', warning: true}}]}})"
    page.evaluate(show)
    page.get_by_text("The mask is small.").first.wait_for()
    page.evaluate("() => window.app.api.dispatchCustomEvent?.('execution_success', {prompt_id: 'x'})")
    page.wait_for_timeout(500)
    assert page.get_by_text("The mask is small.").first.is_visible()
    assert value(page, "root.isConnected")


def test_presets_show_their_settings(page_in_new_design: Page) -> None:
    check_presets(page_in_new_design)
