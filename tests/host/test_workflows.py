"""The shipped workflows, as queued by the frontend, run in the host."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from igr_core.flatten.model_file import load_flattener
from igr_core.included import INCLUDED_BUNDLE, INCLUDED_FLATTENER
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.view import make_view
from igr_core.restore.detailed import Detailing, restore_detailed
from igr_core.restore.finish import Finish, finish_garment
from igr_core.restore.flattened import restore_flat
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import PRESETS
from tests.support.host import graphs
from tests.support.host.graphs import POINTS, TINY_SAM, with_inputs
from tests.support.host.server import ROOT, Graph, PromptFailed, Server
from tests.support.host.thumbnails import PLUS, write_thumbnail

API_FORMS = ROOT / "tests" / "host" / "workflows"
EXAMPLES = ROOT / "nodes" / "examples"
NAMES = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
NEWER_NODES = {"garment_tryon", "mask_sam3"}
"""Workflows with nodes that the oldest supported ComfyUI lacks."""
USERS_OWN = {"ckpt_name", "unet_name", "clip_name", "vae_name", "photos", "masks"}
"""Inputs whose options are the user's files and folders."""


def api_form(name: str) -> Graph:
    return json.loads((API_FORMS / f"{name}.api.json").read_text(encoding="utf-8"))


def saved(server: Server, graph: Graph) -> dict[str, list[torch.Tensor]]:
    """Pictures (H, W, 3) in 0..1 by the prefix that each SaveImage gives them."""
    outputs = server.run(graph)["outputs"]
    saving = {name: node for name, node in graph.items() if node["class_type"] == "SaveImage"}
    return {str(node["inputs"]["filename_prefix"]): pictures_of(server, outputs[name]) for name, node in saving.items()}


def pictures_of(server: Server, output: dict[str, Any]) -> list[torch.Tensor]:
    """The pictures (H, W, 3) in 0..1 that a node has saved or shows."""
    files = [server.base / one["type"] / one["subfolder"] / one["filename"] for one in output["images"]]
    return [torch.from_numpy(np.array(Image.open(file).convert("RGB"))) / 255 for file in files]


def number_of(graph: Graph, kind: str) -> str:
    """Id of the only node of a type."""
    (number,) = (number for number, one in graph.items() if one["class_type"] == kind)
    return number


def example(name: str) -> torch.Tensor:
    """A shipped photo, (H, W, 3) in 0..1."""
    return load_photo(EXAMPLES / f"{name}.webp")[0].movedim(0, -1)


def covered(picture: torch.Tensor) -> float:
    """Fraction of the pixels that are not white."""
    return float((picture.amin(-1) < 0.9).float().mean())


@pytest.mark.parametrize("name", NAMES)
def test_every_node_and_value_is_known_to_the_host(server: Server, name: str) -> None:
    known = server.get("/object_info")
    graph = api_form(name)
    if name in NEWER_NODES and (newer := {node["class_type"] for node in graph.values()} - set(known)):
        pytest.skip(f"{name} NOT CHECKED: this ComfyUI is older than its nodes {', '.join(sorted(newer))}")
    for number, node in graph.items():
        kind = known[node["class_type"]]
        required, optional = kind["input"].get("required", {}), kind["input"].get("optional", {})
        assert set(required) <= set(node["inputs"]) <= set(required) | set(optional), (number, node["class_type"])
        for key, value in node["inputs"].items():
            _check_input(graph, known, key, value, {**required, **optional}[key])


def _check_input(graph: Graph, known: dict[str, Any], key: str, value: Any, spec: list[Any]) -> None:
    wanted = spec[0]
    if isinstance(value, list):
        given = known[graph[value[0]]["class_type"]]["output"][value[1]]
        same = given == wanted or "*" in (given, wanted) or {str(given), str(wanted)} == {"COMBO", str(wanted)}
        assert same, (key, given, wanted)
    elif key not in USERS_OWN and (isinstance(wanted, list) or wanted == "COMBO"):
        choices = wanted if isinstance(wanted, list) else spec[1]["options"]
        assert value in choices, (key, value, choices)


def test_the_main_workflow_gives_the_headless_image(server: Server) -> None:
    graph = api_form("garment_restore")
    (given,) = saved(server, graph)["garment"]
    restorer = GarmentRestorer.from_bundle(INCLUDED_BUNDLE)
    config = restorer.info.model
    photo, mask = load_photo(EXAMPLES / "upper.webp"), load_mask(EXAMPLES / "upper_mask.png")
    view = make_view(photo, mask, config.native_size, config.view, config.image_encoder.image_size)
    (restored,) = restore_flat(restorer, load_flattener(INCLUDED_FLATTENER), view, "upper", PRESETS["standard"], seed=0)
    opacity = restored.garment.laid_out((768, 1024)).opacity[None]
    expected, _ = finish_garment(restored.at((768, 1024))[None], Finish(), opacity)
    difference = (given - expected[0].movedim(0, -1)).abs()
    assert given.shape == expected[0].movedim(0, -1).shape
    assert float(difference.mean()) < 1 / 255 and float(difference.quantile(0.99)) < 4 / 255
    assert covered(given) > 0.1
    write_thumbnail("garment_restore", [photo[0].movedim(0, -1), given])


def test_the_garment_with_details_is_the_headless_one(server: Server) -> None:
    graph = api_form("garment_restore_detail")
    pictures = {name: some[0] for name, some in saved(server, graph).items()}
    restored, detailed, overlay = (pictures[f"garment_{name}"] for name in ("restored", "detailed", "overlay"))
    restorer = GarmentRestorer.from_bundle(INCLUDED_BUNDLE)
    config = restorer.info.model
    photo, mask = load_photo(EXAMPLES / "upper_closeup.webp"), load_mask(EXAMPLES / "upper_closeup_mask.png")
    view = make_view(photo, mask, config.native_size, config.view, config.image_encoder.image_size)
    expected = restore_detailed(restorer, [view], "upper", Detailing((768, 1024)), PRESETS["standard"])
    for given, wanted in ((restored, expected.candidates[0].image), (detailed, expected.image)):
        difference = (given - wanted[0].movedim(0, -1)).abs()
        assert float(difference.mean()) < 1 / 255 and float(difference.quantile(0.99)) < 4 / 255
    assert detailed.shape == (1024, 768, 3) and overlay.shape == restored.shape
    assert covered(detailed) > 0.1 and not torch.equal(overlay, restored)
    write_thumbnail("garment_restore_detail", [example("upper_closeup"), overlay, restored, detailed])


def test_more_candidates_are_shown_but_one_is_kept(server: Server) -> None:
    graph = api_form("garment_restore_detail")
    kinds = {one["class_type"]: name for name, one in graph.items()}
    graph = with_inputs(graph, kinds["RepeatLatentBatch"], amount=2)
    pictures = saved(server, with_inputs(graph, kinds["IGRSample"], steps=3))
    assert {name: len(some) for name, some in pictures.items()} == {
        "garment_overlay": 2,
        "garment_restored": 1,
        "garment_detailed": 1,
    }


def test_two_photos_become_one_garment(server: Server) -> None:
    graph = api_form("garment_restore_photos")
    pictures = saved(server, graph)
    garment, overlay = (pictures[name] for name in ("garment", "garment_overlay"))
    assert len(garment) == len(overlay) == 1 and garment[0].shape == overlay[0].shape
    assert covered(garment[0]) > 0.1
    person = next(name for name, one in graph.items() if one["class_type"] == "IGRExamplePerson")
    views = [name for name, one in graph.items() if one["class_type"] == "IGRGarmentView"]
    twice = {name: with_inputs(graph, name, person=[person, 0], mask=[person, 1])[name] for name in views}
    single = saved(server, {**graph, **twice})["garment"][0]  # the photo and itself, which counts once
    assert not torch.equal(garment[0], single)
    write_thumbnail(
        "garment_restore_photos", [example("upper"), PLUS, example("upper_closeup"), garment[0], overlay[0]]
    )


def test_a_folder_of_photos_becomes_a_folder_of_garments(server: Server) -> None:
    for name, source in (("anna", "upper"), ("bert", "outfit")):
        for folder, ending, mask in (("photos", ".webp", ""), ("masks", ".png", "_mask")):
            (server.base / "input" / folder).mkdir(exist_ok=True)
            found = EXAMPLES / f"{source}{'_upper' if mask and source == 'outfit' else ''}{mask}{ending}"
            shutil.copy(found, server.base / "input" / folder / f"{name}{ending}")
    graph = api_form("garment_restore_batch")
    graph = with_inputs(graph, number_of(graph, "IGRPhotoFolder"), photos="photos", masks="masks")
    pictures = [one for some in saved(server, graph).values() for one in some]
    assert len(pictures) == 2 and all(covered(one) > 0.1 for one in pictures)
    assert not torch.equal(*pictures)
    assert {path.name for path in (server.base / "output" / "garments").iterdir()} == {
        "anna_00001_.png",
        "bert_00001_.png",
        "report.csv",
    }


def test_the_main_workflow_finds_the_garment_without_a_mask(server: Server) -> None:
    graph = api_form("garment_restore")
    view = number_of(graph, "IGRGarmentView")
    assert graph[view]["inputs"].pop("mask") == [number_of(graph, "IGRExamplePerson"), 1]
    history = server.run(graph)["outputs"]
    assert "Mask found by igr-small parser" in history[view]["text"][0]


def test_the_batch_workflow_runs_on_the_examples(server: Server) -> None:
    graph = api_form("garment_restore_batch")
    graph = with_inputs(graph, number_of(graph, "IGRPhotoFolder"), save_to="from examples/")
    outputs = server.run(graph)["outputs"]
    pictures = pictures_of(server, outputs[number_of(graph, "SaveImage")])
    assert len(pictures) == 5 and all(covered(one) > 0.05 for one in pictures)
    (sheet,) = pictures_of(server, outputs[number_of(graph, "IGRContactSheet")])
    assert min(sheet.shape[:2]) > 800 and covered(sheet) > 0.1
    names = [line.split(":")[0] for line in outputs[number_of(graph, "IGRContactSheet")]["text"][0].splitlines()[:-1]]
    assert names == ["1. full", "2. lower", "3. outfit", "4. upper", "5. upper_closeup"]
    write_thumbnail("garment_restore_batch", [sheet[: len(sheet) * 2 // 3]])  # two of three rows
    done = server.run(graph)
    assert done["status"]["status_str"] == "success" and number_of(graph, "IGRContactSheet") not in done["outputs"]


def test_three_garments_come_out_of_two_photos(server: Server) -> None:
    pictures = saved(server, api_form("garment_restore_three_categories"))
    assert set(pictures) == {"garment_upper", "garment_lower", "garment_full"}
    assert all(covered(some[0]) > 0.05 for some in pictures.values())
    upper, lower, full = (pictures[f"garment_{name}"][0] for name in ("upper", "lower", "full"))
    write_thumbnail("garment_restore_three_categories", [example("outfit"), upper, lower, example("full"), full])


def test_the_tryon_workflow_restores_its_garment(server: Server) -> None:
    graph = api_form("garment_tryon")
    ends = [name for name, node in graph.items() if node["inputs"].get("filename_prefix") == "garment"]
    kept = _upstream(graph, ends)
    garment = saved(server, {name: graph[name] for name in kept})["garment"][0]
    assert covered(garment) > 0.1
    write_thumbnail("garment_tryon", [garment, PLUS, example("lower")])
    assert any(node["class_type"] == "ReferenceLatent" for name, node in graph.items() if name not in kept)


def test_clicks_become_a_garment(server: Server) -> None:
    graph = api_form("mask_click")
    (load,) = (name for name, one in graph.items() if one["class_type"] == "IGRSegmenterLoad")
    (click,) = (name for name, one in graph.items() if one["class_type"] == "IGRGarmentSegment")
    with pytest.raises(PromptFailed, match="Nothing is marked in Garment Segment"):
        server.run(with_inputs(graph, load, model=TINY_SAM))
    graph = with_inputs(graph, click, points=POINTS)
    graph["overlay"] = graphs.node("SaveImage", images=[click, 1], filename_prefix="overlay")
    pictures = saved(server, graph)
    garment, overlay = pictures["garment"][0], pictures["overlay"][0]
    assert covered(garment) > 0.05 and overlay.shape[:2] == example("upper").shape[:2]
    write_thumbnail("mask_click", [overlay, garment])


def test_a_category_becomes_a_garment(server: Server) -> None:
    graph = api_form("mask_by_category")
    kinds = {one["class_type"]: name for name, one in graph.items()}
    overlay = [kinds["IGRGarmentByCategory"], 2]
    graph["overlay"] = graphs.node("SaveImage", images=overlay, filename_prefix="overlay")
    pictures = saved(server, graph)
    garment, overlay = pictures["garment"][0], pictures["overlay"][0]
    assert covered(garment) > 0.05 and overlay.shape[:2] == example("upper").shape[:2]
    kept = (overlay - example("upper")).abs().amax(-1) < 4 / 255
    own = load_mask(EXAMPLES / "upper_mask.png")[0, 0] >= 0.5
    assert (kept & own).sum() / (kept | own).sum() > 0.8
    write_thumbnail("mask_by_category", [overlay, garment])


def test_the_mask_of_a_word_becomes_a_garment(server: Server) -> None:
    """The weights of SAM 3 are a download of several gigabytes, so the example's own mask replaces its output."""
    graph = api_form("mask_sam3")
    kinds = {one["class_type"]: name for name, one in graph.items()}
    assert graph[kinds["IGRGarmentView"]]["inputs"]["mask"] == [kinds["SAM3_Detect"], 0]
    graph = with_inputs(graph, kinds["IGRGarmentView"], mask=[kinds["IGRExamplePerson"], 1])
    kept = _upstream(graph, [kinds["SaveImage"]])
    assert not {"SAM3_Detect", "CheckpointLoaderSimple"} & {graph[name]["class_type"] for name in kept}
    garment = saved(server, {name: graph[name] for name in kept})["garment"][0]
    assert covered(garment) > 0.1
    write_thumbnail("mask_sam3", [example("upper"), garment])


def _upstream(graph: Graph, ends: list[str]) -> set[str]:
    found = set(ends)
    for name in ends:
        sources = [value[0] for value in graph[name]["inputs"].values() if isinstance(value, list)]
        found |= _upstream(graph, sources)
    return found
