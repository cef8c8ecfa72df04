"""Garment Segment's editor in a real browser: the photo that it shows, the source of the photo, and its effect on the
marks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.host.editor import EDITOR, SHIRT, click, marks, set_widget, status, value, wait, wait_for_status
from tests.support.host.frontend import close_dialogs, run_workflow
from tests.support.host.graphs import SMALL_SEGMENTER
from tests.support.host.server import ROOT, Server

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_photo_swapped_after_clicking_is_reported(editor: Page) -> None:
    click(editor, SHIRT)
    wait(editor, ".mask")
    set_widget(editor, "IGRExamplePerson", "garment", "lower")
    wait_for_status(editor, "The photo has changed, but the marks have not")
    assert len(marks(editor)["positive"]) == 1
    other = {"positive": [[10, 10]], "size": [90, 120]}
    set_widget(editor, "IGRGarmentSegment", "points", json.dumps(other))
    wait_for_status(editor, "These marks belong to a 90×120 photo, but this one is 576×768")
    click(editor, SHIRT)
    assert marks(editor) == other and value(editor, "mask") is None
    editor.keyboard.press("c")
    click(editor, SHIRT)
    wait(editor, ".mask")


def small_graph(page: Page, file: str) -> None:
    """LoadImage, the segmenter and its preview, with an unconnected ImageInvert."""
    close_dialogs(page)
    script = """async ([model, file]) => {
        const {app} = window, {graph} = app;
        graph.clear();
        app.nodeOutputs = {};  // the new nodes get the ids of the old ones
        const [photo, flip, load, node, shown] = ["LoadImage", "ImageInvert", "IGRSegmenterLoad", "IGRGarmentSegment",
            "MaskPreview"].map((type) => window.LiteGraph.createNode(type));
        [photo, flip, load, node, shown].forEach((one, place) => { graph.add(one); one.pos = [400 * place, 200]; });
        photo.widgets.find((one) => one.name === "image").value = file;
        load.widgets[0].value = model;
        node.widgets.find((one) => one.name === "candidates").value = "merged";
        node.widgets.find((one) => one.name === "points").value = "";
        photo.connect(0, node, node.findInputSlot("person"));
        photo.connect(0, flip, 0);
        load.connect(0, node, node.findInputSlot("segmenter"));
        node.connect(0, shown, 0);
    }"""
    page.evaluate(script, [SMALL_SEGMENTER, file])


def run_again(page: Page, change: str) -> None:
    """Change `candidates`, so that the node runs again, and wait for the photo of that run."""
    set_widget(page, "IGRGarmentSegment", "candidates", change)
    before = value(page, "shown?.filename ?? null")
    page.get_by_test_id("queue-button").click()
    page.wait_for_function(f"(before) => ({EDITOR}.shown?.filename ?? before) !== before", arg=before)


def shown_pixel(page: Page, point: tuple[int, int]) -> list[int]:
    """Red, green, blue and alpha of the photo in the editor."""
    script = f"""([x, y]) => {{
        const {{photo}} = {EDITOR}, pen = new OffscreenCanvas(photo.naturalWidth, photo.naturalHeight).getContext("2d");
        pen.drawImage(photo, 0, 0);
        return [...pen.getImageData(x, y, 1, 1).data];
    }}"""
    return page.evaluate(script, list(point))


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparent_photos_are_shown_without_holes(page: Page, server: Server, suffix: str) -> None:
    with Image.open(ROOT / "nodes" / "examples" / "upper.webp") as photo:
        painted = photo.convert("RGB")
    alpha = Image.new("L", painted.size, 255)
    alpha.paste(0, (200, 300, 400, 600))  # as MaskEditor saves a painted garment
    painted.putalpha(alpha)
    painted.save(server.base / "input" / f"painted.{suffix}", lossless=True, exact=True)
    small_graph(page, f"painted.{suffix}")
    wait(page, ".photo?.naturalWidth === 576")
    red, green, blue, opaque = shown_pixel(page, SHIRT)
    assert opaque == 255 and max(abs(a - b) for a, b in zip((red, green, blue), painted.getpixel(SHIRT)[:3])) <= 2


def test_photos_of_loadimage_are_shown_and_others_after_a_run(page: Page, server: Server) -> None:
    with Image.open(ROOT / "nodes" / "examples" / "upper.webp") as photo:
        photo.resize((288, 384)).save(server.base / "input" / "clicked.png")
    small_graph(page, "clicked.png")
    wait(page, ".photo?.naturalWidth === 288")
    link = """() => {
        const [flip, node] = ["ImageInvert", "IGRGarmentSegment"].map(
            (type) => window.app.graph.nodes.find((one) => one.type === type));
        flip.connect(0, node, node.findInputSlot("person"));
    }"""
    page.evaluate(link)
    wait_for_status(page, "Run once to see the photo")
    set_widget(page, "IGRGarmentSegment", "points", '{"positive": [[144, 200]]}')
    run_again(page, "best")
    wait(page, ".photo?.naturalWidth === 288")
    wait(page, ".mask")
    assert "has changed" not in status(page)
    page.evaluate(f"() => {{ {EDITOR}.photo.first = true; }}")
    run_again(page, "largest")
    page.wait_for_timeout(1000)  # the editor checks the graph in the meantime
    assert value(page, "photo.first") and value(page, "mask !== null") and "has changed" not in status(page)
    click(page, (144, 260))
    click(page, (144, 200), "right")
    page.keyboard.press("Control+z")  # recreates the node, and keeps the results of the run
    wait(page, ".photo?.first === undefined && window.app")
    wait(page, ".marks.positive.length === 2")
    wait(page, ".photo?.naturalWidth === 288")
    assert "has changed" not in status(page)
    page.evaluate("async () => { await window.app.loadGraphData(window.app.graph.serialize()); }")
    wait_for_status(page, "Run once to see the photo")
    run_again(page, "smallest")
    wait(page, ".mask")
    assert "has changed" not in status(page)


def test_inside_a_subgraph_a_run_shows_the_photo(page: Page, server: Server) -> None:
    with Image.open(ROOT / "nodes" / "examples" / "upper.webp") as photo:
        photo.resize((288, 384)).save(server.base / "input" / "clicked.png")
    small_graph(page, "clicked.png")
    wait(page, ".photo?.naturalWidth === 288")
    wrap = """() => {
        const {graph} = window.app, node = graph.nodes.find((one) => one.type === "IGRGarmentSegment");
        const {subgraph} = graph.convertToSubgraph(new Set([node]));
        window.inner = () => subgraph.nodes.find((one) => one.type === "IGRGarmentSegment").igrEditor;
        window.inner().node.widgets.find((one) => one.name === "points").value = '{"positive": [[144, 200]]}';
    }"""
    page.evaluate(wrap)
    page.wait_for_function("() => window.inner().status.textContent.includes('Run once to see the photo')")
    page.get_by_test_id("queue-button").click()
    page.wait_for_function("() => window.inner().photo?.naturalWidth === 288")
    assert "cannot see which segmenter" in page.evaluate("() => window.inner().status.textContent")
    page.evaluate("() => { const {node} = window.inner(); node.disconnectInput(node.findInputSlot('person')); }")
    page.wait_for_function("() => window.inner().status.textContent.includes('Connect a photo to person')")


def test_a_run_that_stops_because_nothing_is_marked_shows_the_photo_first(page: Page, server: Server) -> None:
    with Image.open(ROOT / "nodes" / "examples" / "upper.webp") as photo:
        photo.resize((288, 384)).save(server.base / "input" / "clicked.png")
    small_graph(page, "clicked.png")
    link = """() => {
        const [flip, node] = ["ImageInvert", "IGRGarmentSegment"].map(
            (type) => window.app.graph.nodes.find((one) => one.type === type));
        flip.connect(0, node, node.findInputSlot("person"));
    }"""
    page.evaluate(link)
    wait_for_status(page, "Run once to see the photo")
    status = run_workflow(page, server)["status"]
    wait(page, ".photo?.naturalWidth === 288")
    assert status["status_str"] == "error" and "Nothing is marked in Garment Segment" in str(status["messages"])
    close_dialogs(page)
    click(page, (144, 200))
    wait(page, ".mask")
