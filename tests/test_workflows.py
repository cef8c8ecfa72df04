"""The shipped workflows and the subgraph blueprints are complete, readable, and consistent with nodes/."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from igr_core.sampling.presets import PRESETS
from tests.support.nodes.node_schemas import ROOT, Input, our_schemas
from tests.support.nodes.workflow_graph import (
    BLUEPRINT,
    NOTES,
    PACK,
    SLOT,
    WIDGET,
    Box,
    Canvas,
    Link,
    crossing,
    load_canvases,
    overlap,
    passes,
)

WORKFLOWS = (
    "garment_restore",
    "garment_restore_batch",
    "garment_restore_detail",
    "garment_restore_photos",
    "garment_restore_three_categories",
    "garment_tryon",
    "mask_by_category",
    "mask_click",
    "mask_sam3",
)
FILES = [*sorted((ROOT / "workflows").glob("*.json")), *sorted((ROOT / "subgraphs").glob("*.json"))]
CANVASES = [canvas for path in FILES for canvas in load_canvases(path)]
GAP = 20
"""Pixels between nodes."""
FARTHEST = 6000
"""Maximum distance in pixels from the origin on a canvas."""
FAR_WIRES = {
    "CLIP",
    "COMBO",
    "CONDITIONING",
    "IGR_ADAPTER",
    "IGR_EVIDENCE",
    "IGR_FLAT",
    "IGR_VIEW",
    "INT",
    "LATENT",
    "MODEL",
    "VAE",
}
"""Types of links that lead from one node to several columns; only these links may cross others."""
LARGEST = (2200, 1100)
"""Maximum width and height of a workflow in pixels, so that all of it is legible on a 1080p screen."""
VALUES: dict[str, tuple[type, ...]] = {
    "INT": (int,),
    "FLOAT": (int, float),
    "STRING": (str,),
    "BOOLEAN": (bool,),
    "COMBO": (str,),
    "BOUNDING_BOX": (dict,),
}

every_canvas = pytest.mark.parametrize("canvas", CANVASES, ids=lambda canvas: canvas.name)


# Complaints ------------------------------------------------------------------------------------------------------


def loose_ends(canvas: Canvas) -> list[str]:
    """Links whose ends do not refer to each other, or have different types."""
    found = []
    named = {(link.id, link.origin, link.origin_slot, "out") for link in canvas.links if link.origin > 0}
    named |= {(link.id, link.target, link.target_slot, "in") for link in canvas.links if link.target > 0}
    slots = set()
    for number, node in canvas.nodes.items():
        for slot, output in enumerate(node["outputs"]):
            slots |= {(wire, number, slot, "out") for wire in output["links"] or []}
        slots |= {(one["link"], number, slot, "in") for slot, one in enumerate(node["inputs"]) if one["link"]}
    borders = {-10: canvas.data.get("inputs", []), -20: canvas.data.get("outputs", [])}
    for border, listed in borders.items():
        for slot, one in enumerate(listed):
            there = {link.id for link in canvas.links if (border, slot) in _ends(link)}
            found += [f"{one['name']} names {one['linkIds']}, not {there}"] if set(one["linkIds"]) != there else []
    found += [f"wire {one} is known at one end only" for one in named ^ slots]
    for link in canvas.links:
        output = (borders[-10] if link.origin == -10 else canvas.nodes[link.origin]["outputs"])[link.origin_slot]
        taken = (borders[-20] if link.target == -20 else canvas.nodes[link.target]["inputs"])[link.target_slot]
        if not output["type"] == link.type == taken["type"]:
            found.append(f"wire {link.id} is {link.type} from {output['type']} to {taken['type']}")
    for number, dot in canvas.reroutes.items():
        wires = {link.id for link in canvas.links if number in canvas.way(link)}
        found += [f"reroute {number} names {dot['linkIds']}, not {wires}"] if set(dot["linkIds"]) != wires else []
    return found


def _ends(link: Link) -> tuple[tuple[int, int], tuple[int, int]]:
    return (link.origin, link.origin_slot), (link.target, link.target_slot)


def strangers(canvas: Canvas) -> list[str]:
    """Nodes that do not exist, or whose slots and values are not those of their schema."""
    found = []
    for number, node in canvas.nodes.items():
        name = f"{node['type']} {number}"
        try:
            schema = canvas.kind(node)
        except KeyError:
            found.append(f"{name} does not exist")
            continue
        values = node["widgets_values"]
        if schema is None:
            continue
        ours = schema.inputs if node["type"] in canvas.subgraphs else (*schema.sockets, *schema.widgets)
        if [(one["name"], one["type"], "widget" in one) for one in node["inputs"]] != [
            (one.name, one.type, one.is_widget) for one in ours
        ]:
            found.append(f"{name} has other inputs than its schema")
        if [(one["name"], one["type"]) for one in node["outputs"]] != list(schema.outputs):
            found.append(f"{name} has other outputs than its schema")
        kinds = [kind for one in schema.widgets for kind in (VALUES[one.type], *_parts(one))]
        if len(values) != len(kinds):
            found.append(f"{name} has {len(values)} values for {len(kinds)} widgets")
        found += [
            f"{name} has the value {value!r}"
            for value, kind in zip(values, kinds, strict=False)
            if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind)
        ]
        if {"randomize", "increment", "decrement"} & {value for value in values if isinstance(value, str)}:
            found.append(f"{name} draws another seed each time")
    return found


def _parts(widget: Input) -> list[tuple[type, ...]]:
    """Types of the values that follow a widget's own: a seed's control, a box's numbers."""
    return [(str,) if widget.control else (int,)] * (widget.value_count - 1)


def crowding(canvas: Canvas) -> list[str]:
    """Nodes that overlap, are outside the canvas or are too small for their contents."""
    found = []
    for one, other in itertools.combinations(canvas.nodes.values(), 2):
        if overlap(canvas.box(one), canvas.box(other), GAP):
            found.append(f"nodes {one['id']} and {other['id']} are closer than {GAP}")
    for number, node in canvas.nodes.items():
        if max(map(abs, canvas.box(node))) > FARTHEST:
            found.append(f"node {number} lies off the canvas")
        schema = canvas.kind(node)
        if schema is None:
            least = (320, 200)
        else:
            rows = max(len(schema.sockets), len(schema.outputs), 1)
            least = (140, SLOT * rows + 6 + (WIDGET * schema.value_count + 8 if schema.widgets else 0))
        if node["size"][0] < least[0] or node["size"][1] < least[1]:
            found.append(f"node {number} is {node['size']}, smaller than {least}")
    return found


def untidy_groups(canvas: Canvas) -> list[str]:
    """Groups that overlap or cut a node, and nodes outside all groups, except notes."""
    found = []
    boxes = {group["title"]: _bounds(group["bounding"]) for group in canvas.groups}
    found += [f"no title: {group}" for group in canvas.groups if not group["title"].strip()]
    found += [f"{a} and {b} overlap" for a, b in itertools.combinations(boxes, 2) if overlap(boxes[a], boxes[b])]
    for number, node in canvas.nodes.items():
        box = canvas.box(node)
        touched = [title for title, bounds in boxes.items() if overlap(bounds, box)]
        whole = [title for title in touched if _within(box, boxes[title])]
        if touched != whole or len(whole) != (node["type"] not in NOTES):
            found.append(f"node {number} is wholly in {whole} and partly in {touched}")
    for title, bounds in boxes.items():
        if not any(_within(canvas.box(node), bounds) for node in canvas.nodes.values()):
            found.append(f"{title} is empty")
    return found


def _bounds(bounding: list[float]) -> Box:
    x, y, width, height = bounding
    return (x, y, x + width, y + height)


def _within(box: Box, bounds: Box) -> bool:
    return bounds[0] <= box[0] and bounds[1] <= box[1] and box[2] <= bounds[2] and box[3] <= bounds[3]


def tangles(canvas: Canvas) -> list[str]:
    """Links that run backwards, under a node, or across another link."""
    found = []
    paths = {link.id: canvas.path(link) for link in canvas.links}
    for link in canvas.links:
        way = paths[link.id]
        if any(right[0] < left[0] for left, right in zip(way, way[1:], strict=False)):
            found.append(f"wire {link.id} goes backwards")
        for number, node in canvas.nodes.items():
            if number not in (link.origin, link.target) and passes(way, canvas.box(node)):
                found.append(f"wire {link.id} runs under node {number}")
    for one, other in itertools.combinations(canvas.links, 2):
        if not {one.type, other.type} & FAR_WIRES and crossing(paths[one.id], paths[other.id]):
            found.append(f"wires {one.id} ({one.type}) and {other.id} ({other.type}) cross")
    return found


def poor_notes(canvas: Canvas) -> list[str]:
    """Notes without a title or with almost no text."""
    notes = [node for node in canvas.nodes.values() if node["type"] in NOTES]
    return [
        f"note {node['id']} says nothing"
        for node in notes
        if not node.get("title", "").strip() or len(node["widgets_values"][0].split()) < 10
    ]


# Workflows -------------------------------------------------------------------------------------------------------


def test_the_workflows_are_those_of_the_template_browser() -> None:
    assert [path.stem for path in sorted((ROOT / "workflows").glob("*.json"))] == list(WORKFLOWS)
    assert [path.stem for path in sorted((ROOT / "workflows").glob("*.jpg"))] == list(WORKFLOWS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_what_the_frontend_reads(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["version"] == 0.4
    assert {"nodes", "links", "groups", "config", "extra", "last_node_id", "last_link_id"} <= set(data)
    canvases = load_canvases(path)
    nodes = [number for canvas in canvases for number in canvas.nodes]
    wires = [link.id for canvas in canvases for link in canvas.links]
    assert sorted(set(nodes)) == sorted(nodes) and max(nodes) <= data["last_node_id"]
    assert sorted(set(wires)) == sorted(wires) and max(wires) <= data["last_link_id"]


@every_canvas
@pytest.mark.parametrize("complaints", [loose_ends, strangers, crowding, tangles, poor_notes])
def test_there_are_no_complaints(canvas: Canvas, complaints: Callable[[Canvas], list[str]]) -> None:
    assert complaints(canvas) == []


@every_canvas
def test_groups_hold_whole_nodes(canvas: Canvas) -> None:
    if not (ROOT / "subgraphs" / canvas.name).exists():  # the root of a blueprint is one node and nothing else
        assert untidy_groups(canvas) == []


@every_canvas
def test_nodes_are_numbered_in_running_order(canvas: Canvas) -> None:
    assert sorted(node["order"] for node in canvas.nodes.values()) == list(range(len(canvas.nodes)))
    for link in canvas.links:
        if link.origin > 0 and link.target > 0:
            assert canvas.nodes[link.origin]["order"] < canvas.nodes[link.target]["order"]


def test_every_node_has_a_place_in_a_workflow() -> None:
    used = {node["type"] for canvas in CANVASES for node in canvas.nodes.values()}
    assert set(our_schemas()) <= used


@every_canvas
def test_missing_nodes_lead_to_the_pack(canvas: Canvas) -> None:
    for node in canvas.nodes.values():
        if node["type"] in our_schemas():
            assert node["properties"]["cnr_id"] == PACK


def test_each_workflow_says_how_to_use_it() -> None:
    for canvas in CANVASES:
        if canvas.name.removesuffix(".json") in WORKFLOWS:
            assert any(node["type"] in NOTES for node in canvas.nodes.values()), canvas.name


def test_files_to_download_are_named_in_a_note() -> None:
    for canvas in CANVASES:
        notes = "".join(node["widgets_values"][0] for node in canvas.nodes.values() if node["type"] in NOTES)
        for node in canvas.nodes.values():
            for model in node["properties"].get("models", []):
                assert model["name"] in node["widgets_values"]
                assert f"[{model['name']}]({model['url']})" in notes and f"models/{model['directory']}" in notes


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_fit_on_a_screen(name: str) -> None:
    canvas = load_canvases(ROOT / "workflows" / f"{name}.json")[0]
    boxes = [*map(canvas.box, canvas.nodes.values()), *(_bounds(group["bounding"]) for group in canvas.groups)]
    width = max(box[2] for box in boxes) - min(box[0] for box in boxes)
    height = max(box[3] for box in boxes) - min(box[1] for box in boxes)
    assert width <= LARGEST[0] and height <= LARGEST[1], (width, height)


# The complaints themselves ---------------------------------------------------------------------------------------


def swap_type(data: dict[str, Any]) -> None:
    data["links"][0]["type"] = "AUDIO"


def forget_an_end(data: dict[str, Any]) -> None:
    next(node for node in data["nodes"] if node["type"] == "VAEDecode")["inputs"][0]["link"] = None


def rename_a_node(data: dict[str, Any]) -> None:
    next(node for node in data["nodes"] if node["type"] == "IGRSample")["type"] = "IGRSampler"


def drop_a_value(data: dict[str, Any]) -> None:
    next(node for node in data["nodes"] if node["type"] == "IGRSample")["widgets_values"].pop(1)


def lose_the_control_of_the_seed(data: dict[str, Any]) -> None:
    values = next(node for node in data["nodes"] if node["type"] == "IGRSample")["widgets_values"]
    values[:] = [values[0], *values[2:], "extra"]


def pile_up(data: dict[str, Any]) -> None:
    data["nodes"][3]["pos"] = list(data["nodes"][2]["pos"])


def shrink(data: dict[str, Any]) -> None:
    next(node for node in data["nodes"] if node["type"] == "IGRGarmentView")["size"][1] = 100


def move_a_group(data: dict[str, Any]) -> None:
    data["groups"][0]["bounding"][0] += 100


def turn_the_sampler_round(data: dict[str, Any]) -> None:
    sample = next(node for node in data["nodes"] if node["type"] == "IGRSample")
    sample["pos"] = [sample["pos"][0] - 1500, sample["pos"][1]]


def run_under_a_node(data: dict[str, Any]) -> None:
    note = next(node for node in data["nodes"] if node["type"] == "IGRLoad")
    note["pos"] = next(node for node in data["nodes"] if node["type"] == "IGRGarmentView")["pos"]
    note["pos"] = [note["pos"][0], note["pos"][1] - 350]


def empty_a_note(data: dict[str, Any]) -> None:
    next(node for node in data["nodes"] if node["type"] in NOTES)["widgets_values"] = [""]


@pytest.mark.parametrize(
    ("damage", "complaints"),
    [
        (swap_type, loose_ends),
        (forget_an_end, loose_ends),
        (rename_a_node, strangers),
        (drop_a_value, strangers),
        (lose_the_control_of_the_seed, strangers),
        (pile_up, crowding),
        (shrink, crowding),
        (move_a_group, untidy_groups),
        (turn_the_sampler_round, tangles),
        (run_under_a_node, tangles),
        (empty_a_note, poor_notes),
    ],
    ids=lambda one: one.__name__,
)
def test_damage_is_reported(
    damage: Callable[[dict[str, Any]], None], complaints: Callable[[Canvas], list[str]]
) -> None:
    whole = load_canvases(BLUEPRINT)[1]
    data = copy.deepcopy(whole.data)
    damage(data)
    assert complaints(whole) == [] and complaints(Canvas("damaged", data, []))


def test_crossings_are_detected() -> None:
    across, along = [(0.0, 0.0), (10.0, 10.0)], [(0.0, 10.0), (5.0, 6.0), (10.0, 0.0)]
    assert crossing(across, along) and not crossing(across, [(0.0, 0.0), (10.0, 20.0)])
    assert passes(across, (3, 4, 6, 7)) and not passes(across, (6, 0, 9, 3))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_sampling_settings_are_those_of_the_standard_preset(path: Path) -> None:
    standard, found = PRESETS["standard"], 0
    content = json.loads(path.read_text(encoding="utf-8"))
    graphs = content.get("definitions", {}).get("subgraphs", [])
    for node in [*content["nodes"], *(node for graph in graphs for node in graph["nodes"])]:
        if node["type"] == "IGRSample":
            steps, guidance = node["widgets_values"][2:4]
            assert (steps, guidance) == (standard.steps, standard.guidance)
            found += 1
        elif node["type"] in {graph["id"] for graph in graphs}:
            values = node["widgets_values"]
            if standard.guidance in values:  # other subgraphs have no guidance
                assert values[values.index(standard.guidance) - 1] == standard.steps
    assert found > 0
