"""The host's description of the pack: every node is listed, and all of its inputs and outputs are explained."""

from __future__ import annotations

from tests.support.host.server import Server
from tests.support.nodes.node_schemas import DISPLAY_NAMES


def test_every_node_is_listed_and_explained(server: Server) -> None:
    known = server.get("/object_info")
    assert {name: known[name]["display_name"] for name in DISPLAY_NAMES if name in known} == DISPLAY_NAMES
    newer = "search_aliases" in known["KSampler"]
    for name in DISPLAY_NAMES:
        node = known[name]
        assert node["description"] and node["category"].startswith("IGR"), name
        inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
        assert not [key for key, (_, *options) in inputs.items() if not (options and options[0].get("tooltip"))], name
        assert len(node["output_tooltips"]) == len(node["output"]) and all(node["output_tooltips"]), name
        if newer:
            assert len(node["search_aliases"]) >= 3, name


def test_the_pack_loads_without_a_complaint(server: Server) -> None:
    assert "igr-garment-restoration" in server.boot_log
    assert "IMPORT FAILED" not in server.boot_log and "Traceback" not in server.boot_log


def test_bundles_of_the_model_folder_are_offered(server: Server) -> None:
    options = server.get("/object_info/IGRLoad")["IGRLoad"]["input"]["required"]["bundle"]
    assert "tiny.safetensors" in str(options)
