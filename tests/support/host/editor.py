"""Read and operate Garment Segment's editor on a page of ComfyUI's frontend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

EDITOR = "window.app.graph.nodes.find((node) => node.type === 'IGRGarmentSegment').igrEditor"
SHIRT, TROUSERS = (400, 300), (300, 680)
"""Positions on the upper example person, which is 576×768 pixels."""


def value(page: Page, script: str) -> Any:
    """A property of the editor."""
    return page.evaluate(f"() => {EDITOR}.{script}")


def wait(page: Page, script: str) -> None:
    page.wait_for_function(f"() => {EDITOR}{script}")


def marks(page: Page) -> dict[str, Any]:
    """The widget's text, which the workflow stores."""
    text = value(page, "node.widgets.find((one) => one.name === 'points').value")
    return json.loads(text) if text else {}


def place(page: Page, point: tuple[float, float]) -> tuple[float, float]:
    """Screen position of a pixel of the photo."""
    script = f"""([x, y]) => {{
        const editor = {EDITOR}, seen = editor.canvas.getBoundingClientRect(), {{left, top, scale}} = editor.place();
        const zoom = seen.width / editor.canvas.clientWidth;
        return [seen.left + (left + (x + 0.5) * scale) * zoom, seen.top + (top + (y + 0.5) * scale) * zoom];
    }}"""
    x, y = page.evaluate(script, list(point))
    return x, y


def click(page: Page, point: tuple[float, float], button: Any = "left") -> None:
    page.mouse.click(*place(page, point), button=button)


def near(given: list[float], wanted: tuple[float, float]) -> bool:
    """Whether two positions agree within the precision of a pointer at this zoom."""
    return max(abs(one - other) for one, other in zip(given, wanted, strict=True)) < 4


def set_widget(page: Page, kind: str, name: str, given: str) -> None:
    script = """([kind, name, given]) => {
        const node = window.app.graph.nodes.find((node) => node.type === kind);
        const widget = node.widgets.find((one) => one.name === name);
        widget.value = given;
        widget.callback?.(given);
    }"""
    page.evaluate(script, [kind, name, given])


def status(page: Page) -> str:
    return value(page, "status.textContent")


def wait_for_status(page: Page, words: str) -> None:
    page.wait_for_function(f"(words) => {EDITOR}.status.textContent.includes(words)", arg=words)
