"""Garment Segment's editor in a real browser: clicks on the photo become marks, a mask and a restored garment."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from igr_core.segmentation.clicks import parse_clicks
from tests.support.host.editor import (
    EDITOR,
    SHIRT,
    TROUSERS,
    click,
    marks,
    near,
    place,
    set_widget,
    status,
    value,
    wait,
    wait_for_status,
)
from tests.support.host.frontend import run_workflow
from tests.support.host.graphs import SMALL_SEGMENTER, TINY_SAM
from tests.support.host.server import ROOT, UPDATE, Server

if TYPE_CHECKING:
    from playwright.sync_api import Page


def shown_mask(page: Page) -> Image.Image:
    """The mask that is shown over the photo, white and transparent."""
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


@pytest.mark.parametrize("model", [TINY_SAM, SMALL_SEGMENTER])
def test_two_clicks_give_a_mask_and_run_gives_the_garment(editor: Page, server: Server, model: str) -> None:
    set_widget(editor, "IGRSegmenterLoad", "model", model)
    if model == TINY_SAM:  # the weights are random, but all candidates together give a mask
        set_widget(editor, "IGRGarmentSegment", "candidates", "merged")
    click(editor, SHIRT)
    click(editor, TROUSERS, "right")
    wait(editor, ".mask")
    given = marks(editor)
    assert len(given["positive"]) == len(given["negative"]) == 1 and given["size"] == [576, 768]
    assert near(given["positive"][0], SHIRT) and near(given["negative"][0], TROUSERS) and given["box"] is None
    wait_for_status(editor, "scores")
    assert value(editor, "mask.width") == 576
    if model == SMALL_SEGMENTER:  # the clicked part is selected
        assert overlap(shown_mask(editor), ROOT / "nodes" / "examples" / "upper_mask.png") >= 0.85
    history = run_workflow(editor, server)
    editor.wait_for_function("() => window.app.graph.nodes.find((node) => node.type === 'SaveImage').imgs?.length")
    assert history["status"]["status_str"] == "success"
    (saved,) = (
        one for output in history["outputs"].values() for one in output.get("images", []) if one["type"] == "output"
    )
    with Image.open(server.base / "output" / saved["subfolder"] / saved["filename"]) as garment:
        low, high = garment.convert("L").getextrema()
        assert low < 200 < high  # the garment, on white
    if UPDATE and model == SMALL_SEGMENTER:
        shoot_editor(editor)


def shoot_editor(page: Page) -> None:
    """Capture the image of the help page: the node with marks and mask."""
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


def test_a_drag_draws_a_box_and_a_second_one_replaces_it(editor: Page) -> None:
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


def test_everything_can_be_done_by_keyboard(editor: Page) -> None:
    count = editor.evaluate("() => window.app.graph.nodes.length")
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
    assert editor.evaluate("() => window.app.graph.nodes.length") == count  # Delete did not remove a node


@pytest.mark.parametrize("focus", ["editor", "graph"])
def test_the_graphs_undo_and_redo_apply_to_marks(editor: Page, focus: str) -> None:
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
    for left in ((1, 1), (0, 1)):  # Z removes the last mark, also in an editor that was recreated by undo
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
    asked: list[Any] = []
    held: list[Any] = []

    def hold_the_first(route: Any) -> None:
        asked.append(route.request.post_data_json)
        held.append(route) if len(asked) == 1 else route.continue_()

    editor.route("**/igr/segment", hold_the_first)
    click(editor, SHIRT)
    while not held:
        editor.wait_for_timeout(50)
    for step in range(1, 6):
        click(editor, (SHIRT[0] + 5 * step, SHIRT[1]))
    assert len(asked) == 1
    held[0].continue_()
    editor.wait_for_function(f"() => !{EDITOR}.requesting")
    wait(editor, ".mask")
    editor.unroute("**/igr/segment")
    assert len(asked) == 2
    assert asked[-1]["points"] == marks(editor) and len(asked[-1]["points"]["positive"]) == 6


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
    wait_for_status(editor, "scores")
    click(editor, SHIRT)
    assert "already 50 points" in status(editor) and len(marks(editor)["positive"]) == 50
    editor.keyboard.press("z")
    assert len(marks(editor)["positive"]) == 49


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


def test_text_that_is_not_a_mark_is_reported_and_kept(editor: Page) -> None:
    bad = ("by hand", "5", "[1]", "null", '{"points": []}', '{"positive": ""}', '{"positive": [[5, 1e10]]}')
    for text in (*bad, '{"box": 3}', '{"positive": [[5, 5]], "size": "large"}'):
        with pytest.raises(IGRError):
            parse_clicks(text)
        set_widget(editor, "IGRGarmentSegment", "points", "")
        wait(editor, ".seen.points === ''")
        set_widget(editor, "IGRGarmentSegment", "points", text)
        wait_for_status(editor, "is not valid")
        click(editor, SHIRT)
        editor.keyboard.press("z")
        assert value(editor, "node.widgets.find((one) => one.name === 'points').value") == text
        assert "is not valid" in status(editor)
    editor.keyboard.press("c")
    assert "is not valid" not in status(editor)
    click(editor, SHIRT)
    assert len(marks(editor)["positive"]) == 1


def drag(page: Page, start: tuple[float, float], end: tuple[float, float], button: Any = "left") -> None:
    page.mouse.move(*place(page, start))
    page.mouse.down(button=button)
    page.mouse.move(*place(page, end), steps=8)
    page.mouse.up(button=button)


def test_brush_and_eraser_paint_a_mask_that_the_run_uses(editor: Page, server: Server) -> None:
    editor.get_by_role("button", name="Brush").first.click()
    drag(editor, (200, 300), (400, 300))
    drag(editor, (300, 300), (300, 500))
    editor.get_by_role("button", name="Eraser").first.click()
    drag(editor, (390, 300), (410, 300))
    given = marks(editor)
    assert [one["add"] for one in given["strokes"]] == [True, True, False] and given["positive"] == []
    assert value(editor, "mask") is None  # the segmenter was not needed
    editor.keyboard.press("z")
    assert len(marks(editor)["strokes"]) == 2
    editor.keyboard.press("p")
    click(editor, SHIRT)
    wait(editor, ".mask")
    wait_for_status(editor, "scores")
    assert parse_clicks(json.dumps(marks(editor))).has_marks and len(marks(editor)["strokes"]) == 2


def test_zoom_keeps_clicks_on_their_pixels(editor: Page) -> None:
    before = value(editor, "place().scale")
    x, y = place(editor, SHIRT)
    editor.mouse.move(x, y)
    editor.keyboard.down("Control")
    for _ in range(4):
        editor.mouse.wheel(0, -100)
    editor.keyboard.up("Control")
    wait(editor, f".place().scale > {2 * before}")
    assert near(list(place(editor, SHIRT)), (x, y))
    editor.mouse.click(x, y)
    assert near(marks(editor)["positive"][0], SHIRT)
    editor.keyboard.press("0")
    assert value(editor, "place().scale") == before


def test_long_messages_are_not_clipped(editor: Page) -> None:
    editor.evaluate(f"() => {EDITOR}.say('word '.repeat(60))")
    assert editor.evaluate(f"() => getComputedStyle({EDITOR}.status).overflowY") == "auto"
