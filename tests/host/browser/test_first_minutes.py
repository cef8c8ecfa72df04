"""A user's first minutes in the browser: templates open completely, Run produces a garment, and help is one click away.
With IGR_UPDATE=1, the API forms in tests/host/workflows and the images of README and help pages are regenerated, and
the thumbnails by test_workflows.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.host.frontend import (
    VIEWPORT,
    add_by_search,
    api_form,
    check_presets,
    close_dialogs,
    open_template,
    run_workflow,
    shoot_graph,
    shoot_node,
)
from tests.support.host.server import ROOT, UPDATE, Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

WORKFLOWS = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
NODES = sorted(path.stem for path in (ROOT / "web" / "docs").glob("*.md"))
SHOWN_AT_WORK = {"IGRGarmentSegment"}
"""Nodes whose image is captured by another test, with contents."""
COMPLAINTS = re.compile(r"missing (?:node|model)|went wrong", re.IGNORECASE)


@pytest.mark.parametrize("name", ["garment_restore", "garment_restore_detail", "garment_restore_photos"])
def test_the_template_runs_and_shows_the_garment(page: Page, server: Server, name: str) -> None:
    open_template(page, name)
    assert not COMPLAINTS.search(page.inner_text("body"))
    assert run_workflow(page, server)["status"]["status_str"] == "success"
    page.wait_for_function(
        "() => window.app.graph.nodes.every((node) => node.type !== 'SaveImage' || node.imgs?.length)"
    )
    assert not COMPLAINTS.search(page.inner_text("body"))
    if UPDATE and name == "garment_restore":
        shoot_graph(page, ROOT / "docs" / "comfyui.jpg")


def test_a_preset_shows_its_settings_and_a_changed_setting_is_custom(page: Page) -> None:
    check_presets(page)


def skip_without_sam3(server: Server, name: str) -> None:
    if name == "mask_sam3" and not server.get("/object_info/SAM3_Detect"):
        pytest.skip("NOT RUN: this version of ComfyUI has no SAM 3 nodes")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_node_of_a_workflow_is_missing(page: Page, server: Server, name: str) -> None:
    skip_without_sam3(server, name)
    open_template(page, name)
    script = """() => {
        const known = window.LiteGraph.registered_node_types;
        return window.app.graph.nodes.map((node) => node.type).filter((type) => !(type in known));
    }"""
    assert page.evaluate(script) == []
    assert "missing node" not in page.inner_text("body").lower()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_api_form_matches_the_frontends_export_of_the_workflow(page: Page, server: Server, name: str) -> None:
    skip_without_sam3(server, name)
    exported = api_form(page, json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8")))
    kept = ROOT / "tests" / "host" / "workflows" / f"{name}.api.json"
    if UPDATE:
        kept.write_text(json.dumps(exported, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert exported == json.loads(kept.read_text(encoding="utf-8"))


def test_the_blueprint_is_found_by_search_and_runs(page: Page, server: Server) -> None:
    add_by_search(page, "Restore Garment (virtual try-off)")
    script = """() => {
        const {graph} = window.app, [restore] = graph.nodes;
        const [person, save] = ["IGRExamplePerson", "SaveImage"].map((type) => window.LiteGraph.createNode(type));
        for (const node of [person, save]) graph.add(node);
        const input = (name) => restore.inputs.findIndex((one) => one.name === name);
        person.connect(0, restore, input("photo"));
        person.connect(1, restore, input("mask"));
        restore.connect(0, save, 0);
    }"""
    page.evaluate(script)
    assert run_workflow(page, server)["status"]["status_str"] == "success"
    page.wait_for_function(
        "() => window.app.graph.nodes.every((node) => node.type !== 'SaveImage' || node.imgs?.length)"
    )


SEARCHED = {
    "virtual try-off": "Restore Garment (virtual try-off)",
    "try off": "Restore Garment (virtual try-off)",
    "ghost mannequin": "IGR Sample",
    "outfit": "Garment by Category",
    "cutout": "Garment Finish",
    "catalogue": "IGR Photo Folder",
}
"""Search words, and the node that should be listed first."""
OFFERED = {"flat lay": "IGR Sample", "dress": "Garment by Category", "sam2": "IGR Load Segmenter"}
"""Search words that resemble the names of ComfyUI's own nodes, which the frontend lists before any alias."""


@pytest.mark.parametrize("typed", [*SEARCHED, *OFFERED])
def test_search_finds_the_right_node(page: Page, server: Server, typed: str) -> None:
    if "search_aliases" not in server.get("/object_info")["KSampler"]:
        pytest.skip("NOT RUN: this ComfyUI has no search aliases")
    close_dialogs(page)
    page.evaluate("() => window.app.graph.clear()")
    page.evaluate("() => window.app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    page.get_by_role("dialog").get_by_role("combobox").or_(page.get_by_role("textbox")).first.wait_for()
    page.keyboard.type(typed, delay=20)
    wanted = {**SEARCHED, **OFFERED}[typed]
    page.get_by_role("dialog").get_by_text(wanted, exact=True).first.wait_for()
    if typed in OFFERED:
        return page.keyboard.press("Escape")
    page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    page.get_by_role("dialog").first.wait_for(state="hidden")
    page.mouse.click(VIEWPORT["width"] / 2, VIEWPORT["height"] / 2)
    page.wait_for_function("() => window.app.graph.nodes.length === 1")
    assert page.evaluate("() => window.app.graph.nodes[0].title") == wanted


@pytest.mark.parametrize("name", NODES)
def test_help_is_a_click_away(page: Page, name: str) -> None:
    script = """(type) => {
        // Not clear(): the frontend hands the values of an earlier node on to the next one with the same id.
        for (const earlier of [...window.app.graph.nodes]) window.app.graph.remove(earlier);
        const node = window.LiteGraph.createNode(type);
        window.app.graph.add(node);
        node.pos = [600, 300];
        node.size[0] = Math.max(node.size[0], 240);  // so that the picture shows the whole title
        window.app.canvas.ds.scale = 1;
        window.app.canvas.ds.offset = [0, 0];
    }"""
    close_dialogs(page)
    page.evaluate(script, name)
    if UPDATE and name not in SHOWN_AT_WORK:
        (ROOT / "web" / "docs" / "img").mkdir(exist_ok=True)
        shoot_node(page, ROOT / "web" / "docs" / "img" / f"{name}.png")
    select = """() => {  // again, should the frontend have been busy with the node before
        window.app.canvas.selectNode(window.app.graph.nodes[0]);
        return document.querySelector("[data-testid=info-button]") !== null;
    }"""
    page.wait_for_function(select, polling=500)
    page.get_by_test_id("info-button").click()
    text = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
    sentence = next(line for line in text.splitlines() if line and not line.startswith(("#", "!", "|")))
    page.get_by_text(sentence.split("`")[0].split("*")[0][:40].strip()).first.wait_for()
    page.wait_for_function(
        """(name) => [...document.querySelectorAll('img')].some(
            (picture) => picture.src.includes(name) && picture.complete && picture.naturalWidth > 0
        )""",
        arg=f"docs/img/{name}.png",
    )
