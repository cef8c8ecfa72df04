"""ComfyUI's own frontend in Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igr_core.sampling.presets import PRESETS
from tests.support.host.server import Graph, Server
from tests.support.nodes.workflow_graph import PACK

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 120_000
"""Timeout for the page in milliseconds; shared machines are sometimes slow."""
VIEWPORT: ViewportSize = {"width": 2200, "height": 980}
LARGE_VIEWPORT: ViewportSize = {"width": 3400, "height": 1300}
SETTINGS = {
    # At its first start, the frontend opens the template browser by itself, at an unpredictable time.
    "Comfy.TutorialCompleted": True,
    # Screenshots of a whole graph must show its text, with nothing in front of it.
    "LiteGraph.Canvas.MinFontSizeForLOD": 0,
    "Comfy.Minimap.Visible": False,
}


def find_chromium() -> str | None:
    """A Chromium or Chrome on the PATH."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def open_frontend(server: Server, chromium: str) -> Iterator[Page]:
    """The frontend of a running server, loaded and idle, as shown to a returning user."""
    from playwright.sync_api import sync_playwright

    server.post("/settings", SETTINGS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        try:
            page = browser.new_page(viewport=VIEWPORT)
            page.set_default_timeout(PATIENCE)
            page.goto(server.url)
            page.wait_for_function("() => window.app?.extensionManager && window.app.graph?.nodes.length")
            page.get_by_role("button", name="Templates").first.wait_for()
            yield page
        finally:
            browser.close()


def run_workflow(page: Page, server: Server) -> dict[str, Any]:
    """Press Run, and wait until the run ends, which may be after its images appear: its entry in the history."""
    before = set(server.get("/history"))
    page.get_by_test_id("queue-button").click()
    for _ in range(PATIENCE // 100):
        history = server.get("/history")
        if new := set(history) - before:
            (prompt,) = new
            return history[prompt]
        page.wait_for_timeout(100)
    raise TimeoutError(f"The run did not end within {PATIENCE // 1000} seconds.")


def close_dialogs(page: Page) -> None:
    """Close all messages of an earlier workflow."""
    dialogs = page.get_by_role("dialog")
    for _ in range(50):
        if not dialogs.count():
            return
        page.keyboard.press("Escape")
        page.wait_for_timeout(200)
    raise AssertionError(f"A dialog does not go away: {dialogs.first.inner_text()}")


def open_template(page: Page, name: str) -> None:
    """Open a shipped workflow as a user does: template browser, the pack, the card."""
    close_dialogs(page)
    page.evaluate("() => window.app.graph.clear()")
    page.get_by_role("button", name="Templates").first.click()
    dialog = page.get_by_role("dialog").filter(has_text=PACK)
    dialog.get_by_text(PACK).first.click()
    dialog.get_by_text(name, exact=True).first.click()
    dialog.wait_for(state="hidden")
    page.wait_for_function("() => window.app.graph.nodes.some((node) => node.type.startsWith('IGR'))")


def add_by_search(page: Page, name: str) -> None:
    """Add a node to an empty canvas as a user does: search box, name, Enter, and a click in newer frontends."""
    close_dialogs(page)
    page.evaluate("() => window.app.graph.clear()")
    page.evaluate("() => window.app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    page.get_by_role("combobox").or_(page.get_by_role("dialog").get_by_role("textbox")).first.wait_for()
    page.wait_for_timeout(500)  # until the box has the focus
    page.keyboard.type(name, delay=20)
    found = page.get_by_role("dialog").get_by_text(name, exact=True)
    found.or_(page.get_by_role("option").filter(has_text=name)).first.wait_for()  # older frontends have no dialog
    page.wait_for_timeout(300)  # until the first result is highlighted
    page.keyboard.press("Enter")
    page.get_by_role("dialog").first.wait_for(state="hidden")
    page.mouse.click(VIEWPORT["width"] / 2, VIEWPORT["height"] / 2)
    page.wait_for_function("() => window.app.graph.nodes.length === 1")


def check_presets(page: Page) -> None:
    """A chosen preset of IGR Sample shows its settings in the widgets, and a changed setting selects custom."""
    add_by_search(page, "IGR Sample")
    read = "() => Object.fromEntries(window.app.graph.nodes.at(-1).widgets.map(({ name, value }) => [name, value]))"
    choose = """([name, value]) => {
        const widget = window.app.graph.nodes.at(-1).widgets.find((one) => one.name === name);
        widget.value = value;
        widget.callback?.(value);
    }"""
    assert page.evaluate(read)["preset"] == "custom"
    for preset, settings in PRESETS.items():
        page.evaluate(choose, ["preset", preset])
        shown = page.evaluate(read)
        assert shown["preset"] == preset
        assert {name: shown[name] for name in asdict(settings)} == asdict(settings)
    page.evaluate(choose, ["steps", 17])
    assert page.evaluate(read)["preset"] == "custom"


def api_form(page: Page, workflow: dict[str, Any]) -> Graph:
    """The prompt that the frontend would queue for a workflow in the UI's format, without node titles."""
    script = """async (workflow) => {
        await window.app.loadGraphData(workflow);
        return (await window.app.graphToPrompt()).output;
    }"""
    graph = page.evaluate(script, workflow)
    return {name: {"class_type": node["class_type"], "inputs": node["inputs"]} for name, node in graph.items()}


def shoot_graph(page: Page, path: Path) -> None:
    """Take a screenshot of the whole graph, large enough to be legible."""
    script = """() => {
        const {canvas, graph} = window.app, place = canvas.canvas.getBoundingClientRect();
        const boxes = [...graph.nodes, ...graph.groups].map((one) => one.boundingRect ?? one._bounding);
        const left = Math.min(...boxes.map((box) => box[0])), top = Math.min(...boxes.map((box) => box[1]));
        const right = Math.max(...boxes.map((box) => box[0] + box[2]));
        const bottom = Math.max(...boxes.map((box) => box[1] + box[3]));
        const [x, y] = canvas.ds.convertOffsetToCanvas([left, top]), scale = canvas.ds.scale;
        return {
            x: place.x + x - 16, y: place.y + y - 16,
            width: (right - left) * scale + 32, height: (bottom - top) * scale + 32,
        };
    }"""
    page.set_viewport_size(LARGE_VIEWPORT)
    page.evaluate("() => { window.app.canvas.deselectAll(); }")
    page.get_by_role("button", name="Fit View").first.click()
    page.wait_for_timeout(3000)
    page.screenshot(path=path, clip=page.evaluate(script), type="jpeg", quality=85)
    page.set_viewport_size(VIEWPORT)


def shoot_node(page: Page, path: Path) -> None:
    """Take a screenshot of the only node on the canvas, with a margin."""
    script = """() => {
        const canvas = window.app.canvas, [node] = window.app.graph.nodes;
        const place = canvas.canvas.getBoundingClientRect();
        const [x, y] = canvas.ds.convertOffsetToCanvas([node.pos[0], node.pos[1] - 52]);
        canvas.deselectAll();
        canvas.setDirty(true, true);
        return {x: place.x + x - 12, y: place.y + y - 12, width: node.size[0] + 24, height: node.size[1] + 76};
    }"""
    box = page.evaluate(script)
    page.wait_for_timeout(1500)
    page.screenshot(path=path, clip=box)
