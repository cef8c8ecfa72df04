"""Garment by Category in the host: the masks equal those of the parser and SAM 2 alone, and each mistake is reported in
one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from igr_core.photo.images import load_photo
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.labels import AUTO
from igr_core.segmentation.refinement import refine_mask
from igr_core.segmentation.segmenter import Segmenter
from tests.support.host.graphs import SMALL_PARSER, TINY_PARSER, TINY_SAM, by_category, node, with_inputs
from tests.support.host.masks import differing, mask_of, saved_masks
from tests.support.host.server import ROOT, Graph, PromptFailed, PromptRefused, Server, host_with_gpu, running_server
from tests.support.models.tiny_parser import change_config, save_parser

UPPER, OUTFIT = (load_photo(ROOT / "nodes" / "examples" / f"{name}.webp") for name in ("upper", "outfit"))


def own_mask(base: Path, photo: torch.Tensor, category: str, refined: bool = False) -> tuple[torch.Tensor, str]:
    """Results of parser and segmenter without the host."""
    mask, (found,), _ = HumanParser.from_folder(base / "models" / "human_parsing" / TINY_PARSER).garments(
        photo, category
    )
    if refined:
        segmenter = Segmenter.from_folder(base / "models" / "sam2" / TINY_SAM)
        embedding = segmenter.embed(photo)
        mask = refine_mask(mask, lambda prompt: segmenter.masks(embedding, prompt)).mask
    return mask, found


def batch(**inputs: Any) -> Graph:
    """A batch of two photos."""
    graph = by_category(**inputs)
    graph["second"] = node("IGRExamplePerson", garment="upper of an outfit")
    graph["both"] = node("ImageBatch", image1=["person", 0], image2=["second", 0])
    return with_inputs(graph, "parse", person=["both", 0])


def mask_and_text(server: Server, graph: Graph) -> tuple[torch.Tensor, str]:
    """Masks and text below the node from the same run, because v0.8.0 returns nothing for a cached node."""
    outputs = server.run(graph)["outputs"]
    return saved_masks(server, outputs), "\n".join(outputs["parse"]["text"])


@pytest.mark.parametrize("category", ["upper", "lower", "full", AUTO])
def test_without_a_segmenter_the_mask_is_the_parsers(server: Server, category: str) -> None:
    own, found = own_mask(server.base, UPPER, category)
    mask, text = mask_and_text(server, by_category(category=category))
    assert 0 < own.mean() and differing(mask, own) < 1e-3
    assert f"{found}, {float(own.mean()):.1%} of the photo" in text


def test_a_segmenter_draws_the_edges(server: Server) -> None:
    own, _ = own_mask(server.base, UPPER, "upper", refined=True)
    mask, text = mask_and_text(server, by_category(segmenter=True))
    assert differing(mask, own) < 1e-3
    assert differing(own, own_mask(server.base, UPPER, "upper")[0]) > 1e-3
    assert "of the parser's mask" in text


@pytest.mark.parametrize("segmenter", [False, True])
def test_a_batch_gives_the_masks_of_its_photos(server: Server, segmenter: bool) -> None:
    own = torch.cat([own_mask(server.base, photo, "lower", segmenter)[0] for photo in (UPPER, OUTFIT)])
    masks, text = mask_and_text(server, batch(category="lower", segmenter=segmenter))
    assert differing(masks, own) < 1e-3
    assert "photo 1: lower" in text and "photo 2: lower" in text


def test_the_category_goes_to_garmnet_encode(server: Server) -> None:
    """auto finds the category, and GarmNet Encode accepts it like a chosen one."""
    _, found = own_mask(server.base, UPPER, AUTO)

    def latents(category: Any) -> torch.Tensor:
        return server.latents(by_category(category=AUTO, restored_as=category), ["sample", 0])

    assert torch.equal(latents(["parse", 1]), latents(found))
    assert not torch.equal(latents(found), latents("upper" if found != "upper" else "full"))


def test_the_overlay_is_the_photo_faded_beside_the_mask(server: Server) -> None:
    graph = by_category()
    graph["picture"] = node("ImageToMask", image=["parse", 2], channel="red")
    graph["shown"] = node("MaskToImage", mask=["picture", 0])
    graph = with_inputs(graph, "saved", images=["shown", 0])
    given, (own, _) = mask_of(server, graph), own_mask(server.base, UPPER, "upper")
    assert (given - UPPER[:, :1])[own.bool()].abs().max() < 2 / 255
    assert differing(given, UPPER[:, :1]) > 0.1


def test_mistakes_are_reported_in_one_sentence(server: Server) -> None:
    folder = server.base / "models" / "human_parsing"
    save_parser(folder / "legs", sees=("left-leg",))
    change_config(save_parser(folder / "foreign"), id2label={"0": "wall", "1": "sky"})
    shutil.copytree(server.base / "models" / "sam2" / TINY_SAM, folder / "sam")
    cut = save_parser(folder / "nested" / "cut") / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:5000])
    options = str(server.get("/object_info/IGRParserLoad")["IGRParserLoad"]["input"]["required"]["model"])
    assert all(f"'{name}'" in options for name in (TINY_PARSER, "legs", "nested/cut", SMALL_PARSER))
    assert "model.safetensors" not in options
    for model, sentence in {
        "foreign": "IGRParserLoad.*foreign is not a known human parser, because .* are wall, sky",
        "sam": "IGRParserLoad.*sam is not a known human parser",
        "nested/cut": "IGRParserLoad.*cut cannot be loaded as a human parser",
        "legs": "IGRGarmentByCategory.*no garment of category upper in the photo: choose another category",
    }.items():
        with pytest.raises(PromptFailed, match=sentence):
            server.run(by_category(model))
    with pytest.raises(PromptFailed, match="no garment of category upper in photo 1"):
        server.run(batch(model="legs"))
    with pytest.raises(PromptFailed, match="found no garment in the photo"):
        server.run(by_category("legs", category=AUTO))
    with pytest.raises((PromptRefused, PromptFailed), match="gone"):
        server.run(by_category("gone"))
    with pytest.raises((PromptRefused, PromptFailed), match="shoes"):
        server.run(by_category(category="shoes"))


def test_auto_refuses_a_batch_of_several_categories(server: Server) -> None:
    """The tiny parser assigns a different category to the second photo."""
    graph = by_category(category=AUTO)
    graph["second"] = node("IGRExamplePerson", garment="full")
    graph["both"] = node("ImageBatch", image1=["person", 0], image2=["second", 0])
    with pytest.raises(PromptFailed, match=r"different categories \((\w+) in photo 1, (?!\1)\w+ in photo 2\)"):
        server.run(with_inputs(graph, "parse", person=["both", 0]))


def test_a_long_batch_can_be_stopped(server: Server) -> None:
    graph = by_category(segmenter=True)
    graph["many"] = node("RepeatImageBatch", image=["person", 0], amount=64)
    assert server.interrupt(with_inputs(graph, "parse", person=["many", 0]), seconds=2) == "IGRGarmentByCategory"
    assert server.run(by_category())["status"]["status_str"] == "success"


def test_a_parser_that_goes_while_comfyui_runs_is_named(server: Server) -> None:
    going = save_parser(server.base / "models" / "human_parsing" / "going", sees=("upper-clothes",))
    server.get("/object_info/IGRParserLoad")
    server.run(by_category("going"))
    shutil.rmtree(going)
    with pytest.raises((PromptRefused, PromptFailed), match="going"):
        server.run(by_category("going", category="full"))
    assert server.run(by_category())["status"]["status_str"] == "success"


def test_a_changed_parser_is_loaded_again(server: Server) -> None:
    folder = server.base / "models" / "human_parsing" / "changing"
    save_parser(folder, sees=("upper-clothes",))
    server.get("/object_info/IGRParserLoad")
    assert mask_of(server, by_category("changing")).mean() > 0.9
    save_parser(folder, sees=("left-leg",))
    with pytest.raises(PromptFailed, match="found no garment"):
        server.run(by_category("changing"))


def test_other_memory_modes_give_the_same_mask(server: Server, tmp_path: Path) -> None:
    found = host_with_gpu()
    for flag in ("--lowvram", "--novram", "--gpu-only"):
        base = tmp_path / flag.strip("-")
        for kind, name in (("sam2", TINY_SAM), ("human_parsing", TINY_PARSER)):
            shutil.copytree(server.base / "models" / kind / name, base / "models" / kind / name)
        with running_server(*found, base, flag) as running:
            own, _ = own_mask(base, UPPER, "upper", refined=True)
            assert differing(mask_of(running, by_category(segmenter=True)), own) < 1e-2
