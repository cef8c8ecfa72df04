"""The subgraph blueprints: one node each, described, and the same in every workflow that holds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.nodes.node_schemas import ROOT, our_words
from tests.support.nodes.workflow_graph import BLUEPRINT, load_canvases

DETAILS = ROOT / "subgraphs" / "Restore Garment with Details.json"
PHOTOS = ROOT / "subgraphs" / "Restore Garment from Two Photos.json"
BLUEPRINTS = {
    BLUEPRINT: (("garment", "IMAGE"), ("mask", "MASK"), ("view", "IGR_VIEW")),
    DETAILS: (("garment", "IMAGE"), ("restored", "IMAGE"), ("overlay", "IMAGE"), ("report", "STRING")),
    PHOTOS: (("garment", "IMAGE"), ("overlay", "IMAGE"), ("report", "STRING")),
}
"""Every blueprint and its outputs."""
OWN_INPUTS = {
    DETAILS: {"candidates": "INT", "width": "INT", "height": "INT"},
    PHOTOS: {"other_photo": "IMAGE", "other_mask": "MASK"},
}
"""Inputs of a blueprint that the others lack."""
USED_BY = {"garment_restore_detail": DETAILS, "garment_restore_photos": PHOTOS}
"""Workflows that contain a blueprint other than the first."""
WORKFLOWS = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))


def test_every_blueprint_is_listed() -> None:
    assert set(BLUEPRINTS) == set((ROOT / "subgraphs").glob("*.json"))


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_blueprint_is_one_node_named_like_its_file(blueprint: Path) -> None:
    root, inside = load_canvases(blueprint)
    assert [node["type"] for node in root.nodes.values()] == [inside.data["id"]]
    assert inside.data["name"] == blueprint.stem and inside.data["description"]
    inputs = {one["name"]: one["type"] for one in inside.data["inputs"]}
    assert {"photo": "IMAGE", "mask": "MASK", "category": "COMBO", "without_mask": "COMBO"}.items() <= inputs.items()
    assert {"seed": "INT", "steps": "INT", "guidance": "FLOAT"}.items() <= inputs.items()
    assert OWN_INPUTS.get(blueprint, {}).items() <= inputs.items()
    assert tuple((one["name"], one["type"]) for one in inside.data["outputs"]) == BLUEPRINTS[blueprint]


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_blueprint_describes_itself(blueprint: Path) -> None:
    extra = json.loads(blueprint.read_text(encoding="utf-8"))["extra"]
    assert len(extra["BlueprintSearchAliases"]) >= 3
    _, inside = load_canvases(blueprint)
    for one in (*inside.data["inputs"], *inside.data["outputs"]):  # its info page names every socket
        assert f"**{one['name']}**" in extra["BlueprintDescription"], one["name"]


def test_search_finds_the_blueprint_by_its_name() -> None:
    """Its name contains what people type, because v0.29.0 does not read the aliases of a pack's blueprints."""
    extra = json.loads(BLUEPRINT.read_text(encoding="utf-8"))["extra"]
    assert "virtual try-off" in BLUEPRINT.stem and "virtual try-off" in extra["BlueprintSearchAliases"]
    assert not [name for name, words in our_words().items() if any("try" in one for one in words.search_aliases)]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_hold_the_same_subgraph_as_their_blueprint(name: str) -> None:
    blueprint = USED_BY.get(name, BLUEPRINT)

    def inside(path: Path) -> list[Any]:
        data = next(one for one in load_canvases(path) if one.data.get("name") == blueprint.stem).data
        kept = [data[key] for key in ("name", "nodes", "links", "groups", "reroutes")]
        return kept + [[(one["name"], one["linkIds"]) for one in data[key]] for key in ("inputs", "outputs")]

    assert inside(ROOT / "workflows" / f"{name}.json") == inside(blueprint)
