"""Garment Segment in the host: the mask equals that of the segmenter alone, and each mistake is reported in one
sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import Sam2Config, Sam2Model

from igr_core.photo.images import load_photo
from igr_core.segmentation.candidates import CHOICES, Choice, choose
from igr_core.segmentation.clicks import parse_clicks
from igr_core.segmentation.segmenter import Segmenter
from igr_core.segmentation.strokes import Stroke, apply_strokes
from tests.support.host.graphs import POINTS, TINY_SAM, node, segment, with_inputs
from tests.support.host.masks import differing, mask_of
from tests.support.host.server import ROOT, Graph, PromptFailed, PromptRefused, Server, host_with_gpu, running_server
from tests.support.models.tiny_sam2 import save_sam2

PHOTO = ROOT / "nodes" / "examples" / "upper.webp"
SIZE = (576, 768)
BOX = {"x": 150, "y": 200, "width": 250, "height": 300}


def own_mask(server: Server, which: Choice, points: str = POINTS, **prompt: object) -> torch.Tensor:
    """Result of the segmenter without the host."""
    segmenter = Segmenter.from_folder(server.base / "models" / "sam2" / TINY_SAM)
    embedding = segmenter.embed(load_photo(PHOTO))
    asked = parse_clicks(points).prompt(SIZE, **prompt)  # pyright: ignore[reportArgumentType]
    return choose(*segmenter.masks(embedding, asked), which)


def without_points(**inputs: object) -> Graph:
    return segment(points="", **inputs)


@pytest.mark.parametrize("which", CHOICES)
def test_clicks_give_the_segmenters_own_mask(server: Server, which: str) -> None:
    given, own = mask_of(server, segment(candidates=which)), own_mask(server, which)
    assert 0 < own.mean() < 1 and differing(given, own) < 1e-3


def test_the_hosts_box_and_a_rough_mask_are_used_as_prompts(server: Server) -> None:
    if "PrimitiveBoundingBox" in server.get("/object_info"):
        graph = {**without_points(box=["box", 0]), "box": node("PrimitiveBoundingBox", **BOX)}
        own = own_mask(server, "largest", "", box=(150.0, 200.0, 399.0, 499.0))
        assert differing(mask_of(server, graph), own) < 1e-3
        drawn = segment(points='{"box": [10, 10, 90, 90]}', box=["box", 0]) | {"box": graph["box"]}
        assert differing(mask_of(server, drawn), own_mask(server, "largest", '{"box": [10, 10, 90, 90]}')) < 1e-3
    rough = torch.from_numpy(np.array(Image.open(PHOTO.with_name("upper_mask.png")).convert("L")))[None, None] / 255
    own = own_mask(server, "largest", "", rough=rough)
    assert differing(mask_of(server, without_points(rough=["person", 1])), own) < 1e-3


def detected(boxes: object, **inputs: object) -> Graph:
    """One photo, and boxes in the format of a detector."""
    return {
        **segment(**{"points": "", "box": ["boxes", 0], **inputs}),
        "boxes": node("ProbeBoxes", boxes=json.dumps(boxes)),
    }


def test_the_detectors_most_confident_box_is_used_clipped_to_the_photo(server: Server) -> None:
    large = {**BOX, "width": 400, "height": 500, "score": 0.3}
    found = {"x": -0.3, "y": 200, "width": 400.3, "height": 600, "label": "person", "score": 0.8}
    own = own_mask(server, "largest", "", box=(0.0, 200.0, 399.0, 767.0))
    assert differing(mask_of(server, detected([[large, found]])), own) < 1e-3
    with pytest.raises(PromptFailed, match="IGRGarmentSegment.*The box input has no box for the photo: lower the"):
        server.run(detected([[]]))
    assert differing(mask_of(server, detected([[]], points=POINTS)), own_mask(server, "largest")) < 1e-3


def test_every_photo_of_a_batch_has_its_own_boxes(server: Server) -> None:
    other = {**BOX, "y": 400, "height": 200}
    batch = {"many": node("RepeatImageBatch", image=["person", 0], amount=2)}
    given = mask_of(server, detected([[BOX], [other]], person=["many", 0]) | batch)
    for number, box in enumerate(((150.0, 200.0, 399.0, 499.0), (150.0, 400.0, 399.0, 599.0))):
        assert differing(given[number, None], own_mask(server, "largest", "", box=box)) < 1e-3
    with pytest.raises(PromptFailed, match="IGRGarmentSegment.*The box input has no box for photo 2"):
        server.run(detected([[BOX, other], []], person=["many", 0]) | batch)


def test_a_drawn_box_takes_precedence_over_an_invalid_one(server: Server) -> None:
    points = '{"box": [10, 10, 90, 90]}'
    away = {"x": 900, "y": 900, "width": 50, "height": 50}
    given = mask_of(server, detected([[away]], points=points))
    assert differing(given, own_mask(server, "largest", points)) < 1e-3


def test_a_long_batch_can_be_stopped(server: Server) -> None:
    graph = detected({"x": 30, "y": 40, "width": 80, "height": 90}, person=["many", 0])
    graph["small"] = node(
        "ImageScale", image=["person", 0], upscale_method="bilinear", width=144, height=192, crop="disabled"
    )
    graph["many"] = node("RepeatImageBatch", image=["small", 0], amount=2000)
    server.run(with_inputs(graph, "many", amount=1))  # loads the required models
    assert server.interrupt(graph, seconds=1) == "IGRGarmentSegment"
    assert server.run(segment())["status"]["status_str"] == "success"


def test_the_photo_and_the_scores_are_for_the_editor(server: Server) -> None:
    graph = segment(points='{"positive": [[281, 303]]}')  # v0.8.0 returns nothing for a cached node
    shown = server.run(graph)["outputs"]["segment"]
    (photo,) = shown["igr_photo"]
    with Image.open(server.base / "temp" / photo["filename"]) as picture:
        assert photo["type"] == "temp" and picture.size == SIZE
    assert shown["text"][0].startswith("scores ") and "used" in shown["text"][0] and "images" not in shown


def test_a_painted_mask_is_the_editors_and_strokes_correct_a_clicked_one(server: Server) -> None:
    brush = {"add": True, "radius": 40, "points": [[288, 300], [288, 500]]}
    painted = mask_of(server, segment(points=json.dumps({"strokes": [brush], "size": [576, 768]})))
    expected = apply_strokes(torch.zeros(1, 1, 768, 576), [Stroke(True, 40.0, ((288.0, 300.0), (288.0, 500.0)))])
    assert differing(painted, expected) == 0
    eraser = {**brush, "add": False}
    clicked, erased = (
        mask_of(server, segment(points=json.dumps({**json.loads(POINTS), "strokes": strokes})))
        for strokes in ([], [eraser])
    )
    assert differing(erased, clicked * (1 - expected)) == 0


def test_a_batch_takes_one_rough_mask_per_photo(server: Server) -> None:
    graph = {
        **without_points(person=["persons", 0], rough=["masks", 0]),
        "other": node("IGRExamplePerson", garment="lower"),
        "persons": node("ImageBatch", image1=["person", 0], image2=["other", 0]),
        "one": node("MaskToImage", mask=["person", 1]),
        "two": node("MaskToImage", mask=["other", 1]),
        "both": node("ImageBatch", image1=["one", 0], image2=["two", 0]),
        "masks": node("ImageToMask", image=["both", 0], channel="red"),
    }
    both = mask_of(server, graph)
    assert differing(both[:1], mask_of(server, without_points(rough=["person", 1]))) < 1e-3
    alone = with_inputs(without_points(rough=["person", 1]), "person", garment="lower")
    assert differing(both[1:], mask_of(server, alone)) < 1e-3
    with pytest.raises(PromptFailed, match="one photo, but 2 photos are connected: process the photos one"):
        server.run(with_inputs(graph, "segment", points=POINTS))


RUN_ERRORS = {
    "nothing marked": (segment(points=""), "Nothing is marked.*click on the garment"),
    "not this alone": (segment(points='{"negative": [[5, 5]]}'), "Nothing is marked"),
    "outside": (segment(points='{"positive": [[577, 5]]}'), r"point \(577, 5\) is outside the 576×768 photo"),
    "left of it": (segment(points='{"positive": [[-1, 5]]}'), r"point \(-1, 5\) is outside"),
    "box outside": (segment(points='{"box": [5, 5, 600, 90]}'), "box .* is empty or outside the 576×768 photo"),
    "swapped photo": (
        {**segment(person=["other", 0]), "other": node("EmptyImage", width=600, height=768, batch_size=1, color=0)},
        "belong to a 576×768 photo, but this one is 600×768: clear them",
    ),
    "all erased": (
        segment(points='{"positive": [[288, 300]], "strokes": [{"add": false, "radius": 2000, "points": [[9, 9]]}]}'),
        "eraser removed the whole mask: undo the last strokes",
    ),
    "painted on another photo": (
        segment(points='{"strokes": [{"add": true, "radius": 9, "points": [[9, 9]]}], "size": [60, 80]}'),
        "belong to a 60×80 photo, but this one is 576×768: clear them",
    ),
    "rough of another size": (
        {**segment(rough=["drawn", 0]), "drawn": node("SolidMask", value=1.0, width=90, height=768)},
        "must be the same size as the photo",
    ),
    "empty rough mask": (
        {**segment(rough=["drawn", 0]), "drawn": node("SolidMask", value=0.0, width=576, height=768)},
        "rough mask is empty: paint the garment",
    ),
}
REFUSED = {
    "51 points": (segment(points=json.dumps({"positive": [[1, 1]] * 51})), "51 points, more than 50"),
    "no JSON": (segment(points="click"), "points are not valid JSON: write"),
}


@pytest.mark.parametrize("case", RUN_ERRORS)
def test_mistakes_are_reported_in_one_sentence(server: Server, case: str) -> None:
    graph, sentence = RUN_ERRORS[case]
    with pytest.raises(PromptFailed, match=f"IGRGarmentSegment.*{sentence}"):
        server.run(graph)


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_points_are_refused_at_once(server: Server, case: str) -> None:
    graph, sentence = REFUSED[case]
    with pytest.raises(PromptRefused, match=sentence):
        server.run(graph)


def test_fifty_points_run(server: Server) -> None:
    points = {"positive": [[100 + 5 * i, 300] for i in range(25)], "negative": [[5 * i, 5] for i in range(25)]}
    given = mask_of(server, segment(points=json.dumps(points)))
    assert differing(given, own_mask(server, "largest", json.dumps(points))) < 1e-3


def test_folders_of_models_sam2_are_listed_and_errors_are_named(server: Server) -> None:
    folder = server.base / "models" / "sam2"
    save_sam2(folder / "blind", sees_nothing=True)
    save_sam2(folder / "nested" / "cut")
    weights = folder / "nested" / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    shutil.copytree(folder / TINY_SAM, folder / "other")
    (folder / "other" / "config.json").write_text('{"model_type": "bert"}')
    options = str(server.get("/object_info/IGRSegmenterLoad")["IGRSegmenterLoad"]["input"]["required"]["model"])
    assert all(f"'{name}'" in options for name in (TINY_SAM, "blind", "nested/cut", "other"))
    assert "model.safetensors" not in options and "igr-small segmenter" in options
    with pytest.raises(PromptFailed, match="IGRSegmenterLoad.*cut cannot be loaded as SAM 2"):
        server.run(segment("nested/cut"))
    with pytest.raises(PromptFailed, match="IGRSegmenterLoad.*other contains a model of type 'bert'"):
        server.run(segment("other"))
    with pytest.raises(PromptFailed, match="IGRGarmentSegment.*Nothing was found there: click in the middle"):
        server.run(segment("blind"))
    with pytest.raises((PromptRefused, PromptFailed), match="gone"):
        server.run(segment("gone"))


def test_single_files_are_offered_and_run(server: Server) -> None:
    folder = server.base / "models" / "sam2"
    torch.manual_seed(0)
    weights = {name: value.half() for name, value in Sam2Model(Sam2Config()).state_dict().items()}  # of size tiny
    save_file(weights, folder / "sam2.1_hiera_tiny.safetensors")
    save_file({"lora_unet_x.lora_up.weight": torch.zeros(1)}, folder / "lora.safetensors")
    (folder / "config.json").write_text("{}")  # any other file: the files beside it are not loaded as a folder
    options = str(server.get("/object_info/IGRSegmenterLoad")["IGRSegmenterLoad"]["input"]["required"]["model"])
    assert all(f"'{name}'" in options for name in ("sam2.1_hiera_tiny.safetensors", "lora.safetensors", TINY_SAM))
    box = segment("sam2.1_hiera_tiny.safetensors", points='{"box": [100, 200, 400, 600]}', candidates="merged")
    assert mask_of(server, box).shape == (1, 1, 768, 576)
    with pytest.raises(PromptFailed, match="IGRSegmenterLoad.*lora.safetensors"):
        server.run(segment("lora.safetensors"))


def test_a_folder_that_goes_while_comfyui_runs_is_named(server: Server) -> None:
    save_sam2(server.base / "models" / "sam2" / "going")
    server.get("/object_info/IGRSegmenterLoad")
    running = server.start(segment("going"))
    server.finish(running)
    shutil.rmtree(server.base / "models" / "sam2" / "going")
    with pytest.raises((PromptRefused, PromptFailed), match="going"):
        server.run(segment("going", candidates="best"))
    assert server.run(segment())["status"]["status_str"] == "success"


def test_other_memory_modes_give_the_same_mask(server: Server, tmp_path: Path) -> None:
    found = host_with_gpu()
    for flag in ("--lowvram", "--novram", "--gpu-only"):
        base = tmp_path / flag.strip("-")
        save_sam2(base / "models" / "sam2" / TINY_SAM)
        with running_server(*found, base, flag) as running:
            assert differing(mask_of(running, segment()), own_mask(server, "largest")) < 1e-2
