"""The batch workflow shows its contact sheet and report in both node designs, and its wires have the pack's colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.host.editor import set_widget
from tests.support.host.frontend import open_template
from tests.support.host.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

SETTING = "Comfy.VueNodes.Enabled"
SHEET = "window.app.graph.nodes.find((node) => node.type === 'IGRContactSheet')"


@pytest.fixture(params=["classic", "new"])
def design(page: Page, request: pytest.FixtureRequest) -> Iterator[str]:
    """One of the frontend's node designs; skipped for frontends that do not have it."""
    if request.param == "new" and not page.evaluate(
        f"() => window.app.extensionManager.setting.get('{SETTING}') !== undefined"
    ):
        pytest.skip("NOT RUN: this frontend has no Nodes 2.0")
    switch = f"async (on) => {{ await window.app.extensionManager.setting.set('{SETTING}', on); }}"
    page.evaluate(switch, request.param == "new")
    yield request.param
    page.evaluate(switch, False)


def test_the_sheet_and_the_report_are_shown(page: Page, server: Server, design: str) -> None:
    open_template(page, "garment_restore_batch")
    set_widget(page, "IGRPhotoFolder", "save_to", f"shown in {design} design/")
    page.get_by_test_id("queue-button").click()
    report = page.get_by_text(f"Report: output/shown in {design} design/report.csv (5 garments).")
    report.first.wait_for(state="attached")
    page.wait_for_function(f"() => {SHEET}.widgets.some((widget) => widget.name === 'igr_notes')")
    assert (server.base / "output" / f"shown in {design} design" / "report.csv").is_file()
    if design == "classic":
        page.wait_for_function(f"() => {SHEET}.imgs?.[0]?.naturalWidth > 800")
        return
    heights = f"""() => {{
        const node = document.querySelector(`[data-node-id="${{{SHEET}.id}}"]`);
        const image = [...node.querySelectorAll("img")].find((one) => one.naturalWidth > 800);
        const parts = image ? [image, node.querySelector(".igr-notes"), node] : [];
        return parts.map((one) => one.getBoundingClientRect().height);
    }}"""
    page.wait_for_function(f"() => ({heights})()[0]")
    image, notes, node = page.evaluate(heights)
    assert image > node / 2 > notes > 0


def test_the_wires_have_the_packs_colours(page: Page) -> None:
    open_template(page, "garment_restore_batch")
    colours = page.evaluate("() => ({...window.app.canvas.constructor.link_type_colors})")
    ours = {kind: colour for kind, colour in colours.items() if kind.startswith("IGR_")}
    assert len(ours) >= 6 and all(colour.startswith("#") for colour in ours.values()), ours
