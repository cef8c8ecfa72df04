"""Garment Segment's editor in a real browser: clicks on the photo become marks, a mask and a restored garment.

Over 400 lines, as all of it is about one editor and shares its page and its helpers.
"""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from igr_core.clicks import parse_clicks
from igr_core.errors import IGRError
from tests.support.frontend import close_dialogs, open_template
from tests.support.graphs import DEMO, TINY_SAM
from tests.support.server import ROOT, UPDATE, Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

EDITOR = "window.app.graph.nodes.find((node) => node.type === 'IGRGarmentSegment').igrEditor"
SHIRT, TROUSERS = (290, 400), (270, 700)
"""Places on the upper example person, who is 576×768 pixels."""


def value(page: Page, script: str) -> Any:
    """Something of the editor's."""
    return page.evaluate(f"() => {EDITOR}.{script}")


def wait(page: Page, script: str) -> None:
    page.wait_for_function(f"() => {EDITOR}{script}")


def marks(page: Page) -> dict[str, Any]:
    """What the widget says, which is what the workflow carries."""
    text = value(page, "node.widgets.find((one) => one.name === 'points').value")
    return json.loads(text) if text else {}


def place(page: Page, point: tuple[float, float]) -> tuple[float, float]:
    """Where a pixel of the photo is on the screen."""
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
    """Within what a pointer can tell at this zoom."""
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


def shown_mask(page: Page) -> Image.Image:
    """The mask that lies over the photo, white and transparent."""
    script = f"""() => {{
        const {{mask}} = {EDITOR}, sheet = document.createElement("canvas");
        [sheet.width, sheet.height] = [mask.width, mask.height];
        sheet.getContext("2d").drawImage(mask, 0, 0);
        return sheet.toDataURL("image/png").split(",")[1];
    }}"""
    return Image.open(BytesIO(base64.b64decode(page.evaluate(script))))


def overlap(shown: Image.Image, truth: Path) -> float:
    """Intersection over union of a transparent mask with one on disk."""
    with Image.open(truth) as file:
        inside, wanted = np.asarray(shown.getchannel("A")) > 127, np.asarray(file.convert("L")) > 127
    return float((inside & wanted).sum() / (inside | wanted).sum())


@pytest.fixture
def editor(page: Page) -> Page:
    """The shipped workflow, its photo shown, nothing marked."""
    open_template(page, "mask_click")
    wait(page, ".photo")
    page.wait_for_timeout(700)  # the canvas comes to rest
    assert marks(page) == {}
    return page


@pytest.mark.parametrize("model", [TINY_SAM, DEMO])
def test_two_clicks_give_a_mask_and_run_gives_the_garment(editor: Page, server: Server, model: str) -> None:
    set_widget(editor, "IGRSegmenterLoad", "model", model)
    if model == TINY_SAM:  # its weights are random: all that it offers together is something
        set_widget(editor, "IGRGarmentSegment", "candidates", "merged")
    click(editor, SHIRT)
    click(editor, TROUSERS, "right")
    wait(editor, ".mask")
    given = marks(editor)
    assert len(given["positive"]) == len(given["negative"]) == 1 and given["size"] == [576, 768]
    assert near(given["positive"][0], SHIRT) and near(given["negative"][0], TROUSERS) and given["box"] is None
    wait_for_status(editor, "scores")
    assert value(editor, "mask.width") == 576
    if model == DEMO:  # what is clicked on is what is selected
        assert overlap(shown_mask(editor), ROOT / "nodes" / "examples" / "upper_mask.png") >= 0.85
    before = set(server.get("/history"))
    editor.get_by_test_id("queue-button").click()
    editor.wait_for_function("() => window.app.graph.nodes.find((node) => node.type === 'SaveImage').imgs?.length")
    (new,) = set(server.get("/history")) - before
    history = server.get(f"/history/{new}")[new]
    assert history["status"]["status_str"] == "success"
    (saved,) = (
        one for output in history["outputs"].values() for one in output.get("images", []) if one["type"] == "output"
    )
    with Image.open(server.base / "output" / saved["subfolder"] / saved["filename"]) as garment:
        low, high = garment.convert("L").getextrema()
        assert low < 200 < high  # something on white
    if UPDATE and model == DEMO:
        shoot_editor(editor)


def shoot_editor(page: Page) -> None:
    """Take the picture of the help page: the node with marks and mask."""
    script = f"""() => {{
        const {{canvas}} = window.app, node = {EDITOR}.node, seen = canvas.canvas.getBoundingClientRect();
        canvas.deselectAll();
        canvas.ds.scale = 1;
        canvas.ds.offset = [400 - node.pos[0], 160 - node.pos[1]];
        canvas.setDirty(true, true);
        return {{x: seen.x + 388, y: seen.y + 96, width: node.size[0] + 24, height: node.size[1] + 76}};
    }}"""
    box = page.evaluate(script)
    page.wait_for_timeout(1500)
    page.screenshot(path=ROOT / "web" / "docs" / "img" / "IGRGarmentSegment.png", clip=box)


def test_a_drag_draws_a_box_and_a_second_one_takes_its_place(editor: Page) -> None:
    for corners in (((150, 300), (400, 600)), ((420, 620), (160, 310))):
        editor.mouse.move(*place(editor, corners[0]))
        editor.mouse.down()
        editor.mouse.move(*place(editor, (300, 500)), steps=4)
        editor.mouse.move(*place(editor, corners[1]), steps=4)
        editor.mouse.up()
    left, top, right, bottom = marks(editor)["box"]
    assert near([left, top], (160, 310)) and near([right, bottom], (420, 620))
    assert marks(editor)["positive"] == []
    wait(editor, ".mask")


def test_the_keyboard_does_it_all(editor: Page) -> None:
    click(editor, SHIRT)
    click(editor, TROUSERS, "right")
    editor.keyboard.press("z")
    assert len(marks(editor)["positive"]) == 1 and marks(editor)["negative"] == []
    click(editor, (250, 300))
    editor.mouse.move(*place(editor, SHIRT))
    editor.keyboard.press("Delete")
    (left,) = marks(editor)["positive"]
    assert near(left, (250, 300))
    editor.keyboard.press("c")
    assert marks(editor) == {} and value(editor, "mask") is None
    editor.keyboard.press("ArrowRight")
    editor.keyboard.press("Shift+ArrowDown")
    editor.keyboard.press("Enter")
    editor.keyboard.press("ArrowLeft")
    editor.keyboard.press("Space")
    given = marks(editor)
    assert given["positive"][0][0] > 288 and given["positive"][0][1] > 384 and len(given["negative"]) == 1
    assert editor.evaluate("() => window.app.graph.nodes.length") == 14  # Delete took no node away


@pytest.mark.parametrize("focus", ["editor", "graph"])
def test_the_graphs_undo_takes_marks_back_and_gives_them_again(editor: Page, focus: str) -> None:
    click(editor, TROUSERS, "right")
    click(editor, SHIRT)
    click(editor, (250, 300), "right")
    kept = marks(editor)
    if focus == "graph":
        editor.evaluate("() => document.activeElement.blur()")
    editor.keyboard.press("Control+z")
    wait(editor, ".marks.negative.length === 1")
    wait(editor, ".mask")
    assert marks(editor) == {**kept, "negative": kept["negative"][:1]}
    editor.keyboard.press("Control+y")
    wait(editor, ".marks.negative.length === 2")
    wait(editor, ".mask")
    assert marks(editor) == kept
    for left in ((1, 1), (0, 1)):  # Z knows which mark was the last, also in an editor that undo has made anew
        editor.evaluate(f"() => {EDITOR}.canvas.focus()")
        editor.keyboard.press("z")
        assert (len(marks(editor)["positive"]), len(marks(editor)["negative"])) == left


def test_shift_or_a_long_press_leaves_out_as_the_right_button_does(editor: Page) -> None:
    editor.keyboard.down("Shift")
    click(editor, SHIRT)
    editor.keyboard.up("Shift")
    assert near(marks(editor)["negative"][0], SHIRT) and marks(editor)["positive"] == []
    finger = editor.context.new_cdp_session(editor)
    for point, held in ((TROUSERS, 900), ((250, 300), 50)):
        x, y = place(editor, point)
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        editor.wait_for_timeout(held)
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait(editor, ".marks.positive.length === 1")
    given = marks(editor)
    assert near(given["negative"][1], TROUSERS) and near(given["positive"][0], (250, 300))


def test_quick_clicks_are_one_question_at_a_time_and_the_last_counts(editor: Page) -> None:
    bodies: list[Any] = []
    under_way, most = 0, 0

    def follow(request: Any, change: int) -> None:
        nonlocal under_way, most
        if request.url.endswith("/igr/segment"):
            under_way += change
            most = max(most, under_way)
            if change > 0:
                bodies.append(request.post_data_json)

    listeners = {"request": lambda request: follow(request, 1), "requestfinished": lambda request: follow(request, -1)}
    for event, listener in listeners.items():
        editor.on(event, listener)
    for step in range(6):
        click(editor, (SHIRT[0] + 5 * step, SHIRT[1]))
    wait(editor, ".mask")
    editor.wait_for_function(f"() => !{EDITOR}.asking")
    for event, listener in listeners.items():
        editor.remove_listener(event, listener)
    assert most == 1 and len(bodies) < 6
    assert bodies[-1]["points"] == marks(editor) and len(bodies[-1]["points"]["positive"]) == 6


def test_without_a_segmenter_no_mask_is_left(editor: Page) -> None:
    click(editor, SHIRT)
    wait(editor, ".mask")
    editor.evaluate(f"() => {{ const {{node}} = {EDITOR}; node.disconnectInput(node.findInputSlot('segmenter')); }}")
    wait_for_status(editor, "Connect IGR Load Segmenter")
    assert value(editor, "mask") is None


def test_the_side_panel_leaves_the_editor_its_width(editor: Page) -> None:
    panel = f"""() => {{  // what the frontend does where its side panel is open at the start
        {EDITOR}.node.widgets.find((one) => one.name === 'editor').width = 900;
        window.app.canvas.setDirty(true, true);
    }}"""
    editor.evaluate(panel)
    editor.wait_for_timeout(1000)
    width = value(editor, "root.getBoundingClientRect().width")
    assert width <= value(editor, "node.size[0]") * editor.evaluate("() => window.app.canvas.ds.scale")


def test_clicks_outside_the_photo_mark_nothing(editor: Page) -> None:
    for point in ((-12, 300), (590, 300)):
        click(editor, point)
        assert marks(editor) == {} and "outside the photo" in status(editor)


def test_fifty_points_are_kept_and_one_more_is_refused(editor: Page) -> None:
    fifty = {"positive": [[100 + i, 400] for i in range(50)], "negative": [], "box": None, "size": [576, 768]}
    set_widget(editor, "IGRGarmentSegment", "points", json.dumps(fifty))
    wait(editor, ".marks.positive.length === 50")
    click(editor, SHIRT)
    assert "50 points already" in status(editor) and len(marks(editor)["positive"]) == 50
    editor.keyboard.press("z")
    assert len(marks(editor)["positive"]) == 49


def test_a_photo_swapped_after_clicking_is_told(editor: Page) -> None:
    click(editor, SHIRT)
    wait(editor, ".mask")
    set_widget(editor, "IGRExamplePerson", "garment", "lower")
    wait_for_status(editor, "The photo has changed, the marks have not")
    assert len(marks(editor)["positive"]) == 1
    other = {"positive": [[10, 10]], "size": [90, 120]}
    set_widget(editor, "IGRGarmentSegment", "points", json.dumps(other))
    wait_for_status(editor, "These marks belong to a photo of 90×120, this one is 576×768")
    click(editor, SHIRT)
    assert marks(editor) == other and value(editor, "mask") is None
    editor.keyboard.press("c")
    click(editor, SHIRT)
    wait(editor, ".mask")


def test_a_missing_checkpoint_is_named(editor: Page) -> None:
    set_widget(editor, "IGRSegmenterLoad", "model", "gone.safetensors")
    click(editor, SHIRT)
    wait_for_status(editor, "models/sam2 has no gone.safetensors")
    assert len(marks(editor)["positive"]) == 1 and value(editor, "mask") is None


def test_the_workflow_carries_the_marks(editor: Page) -> None:
    click(editor, SHIRT)
    kept = marks(editor)
    editor.evaluate("async () => { await window.app.loadGraphData(window.app.graph.serialize()); }")
    wait(editor, ".mask")
    assert marks(editor) == kept
    queued = editor.evaluate("async () => (await window.app.graphToPrompt()).output")
    (inputs,) = (node["inputs"] for node in queued.values() if node["class_type"] == "IGRGarmentSegment")
    assert json.loads(inputs["points"]) == kept
    assert set(inputs) == {"person", "segmenter", "candidates", "points"}


def test_text_that_is_no_mark_is_told_and_kept(editor: Page) -> None:
    bad = ("by hand", "5", "[1]", "null", '{"points": []}', '{"positive": ""}', '{"positive": [[5, 1e10]]}')
    for text in (*bad, '{"box": 3}', '{"positive": [[5, 5]], "size": "large"}'):
        with pytest.raises(IGRError):
            parse_clicks(text)
        set_widget(editor, "IGRGarmentSegment", "points", "")
        wait(editor, ".seen.points === ''")
        set_widget(editor, "IGRGarmentSegment", "points", text)
        wait_for_status(editor, "cannot be read")
        click(editor, SHIRT)
        editor.keyboard.press("z")
        assert value(editor, "node.widgets.find((one) => one.name === 'points').value") == text
        assert "cannot be read" in status(editor)
    editor.keyboard.press("c")
    assert "cannot be read" not in status(editor)
    click(editor, SHIRT)
    assert len(marks(editor)["positive"]) == 1


def small_graph(page: Page, file: str) -> None:
    """LoadImage, the segmenter and its preview; ImageInvert stands by."""
    close_dialogs(page)
    script = """async ([model, file]) => {
        const {app} = window, {graph} = app;
        graph.clear();
        const [photo, flip, load, node, shown] = ["LoadImage", "ImageInvert", "IGRSegmenterLoad", "IGRGarmentSegment",
            "MaskPreview"].map((type) => window.LiteGraph.createNode(type));
        [photo, flip, load, node, shown].forEach((one, place) => { graph.add(one); one.pos = [400 * place, 200]; });
        photo.widgets.find((one) => one.name === "image").value = file;
        load.widgets[0].value = model;
        node.widgets.find((one) => one.name === "candidates").value = "merged";
        photo.connect(0, node, node.findInputSlot("person"));
        photo.connect(0, flip, 0);
        load.connect(0, node, node.findInputSlot("segmenter"));
        node.connect(0, shown, 0);
    }"""
    page.evaluate(script, [DEMO, file])


def run_again(page: Page, change: str) -> None:
    """Change `candidates`, so that the node runs anew, and wait for the photo that the run gives."""
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
    page.wait_for_timeout(1000)  # the editor looks at the graph meanwhile
    assert value(page, "photo.first") and value(page, "mask !== null") and "has changed" not in status(page)
    click(page, (144, 260))
    click(page, (144, 200), "right")
    page.keyboard.press("Control+z")  # makes the node anew, and keeps what the run gave
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
    assert "does not see which segmenter" in page.evaluate("() => window.inner().status.textContent")
    page.evaluate("() => { const {node} = window.inner(); node.disconnectInput(node.findInputSlot('person')); }")
    page.wait_for_function("() => window.inner().status.textContent.includes('Connect a photo to person')")
