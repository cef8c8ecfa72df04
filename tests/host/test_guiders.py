"""The reference reaches IGR Apply's conditioning with every guider, order and number of conditionings."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.support.host.graphs import LATENT, SMALL, node, with_inputs
from tests.support.host.guiders import CASES, NEGATIVE, POSITIVE, Case, cfg, guided, on_plain_model
from tests.support.host.server import Graph, PromptFailed, Server


def skip_without_nodes(server: Server, graph: Graph) -> None:
    known = server.get("/object_info")
    missing = {one["class_type"] for one in graph.values()} - set(known)
    if missing:
        pytest.skip(f"NOT RUN: this ComfyUI has no {', '.join(sorted(missing))}")


@pytest.mark.parametrize("name", CASES)
def test_a_guider_gives_its_equivalent_guidance(server: Server, name: str) -> None:
    case = CASES[name]
    skip_without_nodes(server, guided(case))
    expected = server.latents(guided(Case(cfg(case.guidance))), LATENT)
    unpatched = server.latents(on_plain_model(guided(case)), LATENT)
    given = server.latents(guided(case), LATENT)
    limit = 1e-4 * float(expected.abs().max())
    assert (given - expected).abs().max() < limit
    assert (unpatched - expected).abs().max() > 100 * limit


@pytest.mark.parametrize("name", ["dual, second is the negative, 2", "PerpNeg guider, negative is empty"])
def test_strength_0_is_the_unpatched_model_under_guiders_too(server: Server, name: str) -> None:
    graph = guided(CASES[name], reference_strength=0.0, image_prompt_strength=0.0)
    assert torch.equal(server.latents(graph, LATENT), server.latents(on_plain_model(graph), LATENT))


def test_a_zeroed_positive_is_no_condition(server: Server) -> None:
    given, expected = (
        server.latents(
            guided(Case(cfg(negative=["zero", 0]), more={"zero": node("ConditioningZeroOut", conditioning=source)})),
            LATENT,
        )
        for source in (POSITIVE, NEGATIVE)
    )
    assert torch.equal(given, expected)


def test_a_guider_without_a_positive_conditioning_is_rejected(server: Server) -> None:
    bare = {"bare": node("ProbeBare", conditioning=POSITIVE)}
    guider = node("ProbeGuider", model=["apply", 0], first=["bare", 0], second=NEGATIVE, cfg=2.0)
    with pytest.raises(PromptFailed, match="IGRError: No conditioning comes from IGR Apply"):
        server.latents(guided(Case(guider, more=bare)), LATENT)


def test_a_batch_that_another_node_splits_is_refused(server: Server) -> None:
    halves = {"halves": node("ProbeHalves", model=["apply", 0])}
    with pytest.raises(PromptFailed, match="IGRError: A node after IGR Apply splits the batch"):
        server.latents(guided(Case(cfg(model=["halves", 0]), more=halves)), LATENT)


def test_the_negative_prompt_as_positive_sees_no_reference(server: Server) -> None:
    graph = guided(Case(cfg(positive=NEGATIVE)))
    assert torch.equal(server.latents(graph, LATENT), server.latents(on_plain_model(graph), LATENT))


def half(left: float) -> dict[str, Any]:
    return node(
        "ConditioningSetAreaPercentage", conditioning=POSITIVE, width=0.5, height=1.0, x=left, y=0.0, strength=1.0
    )


def test_each_area_shows_its_part_of_the_garment(server: Server) -> None:
    """The included bundle's position embeddings distinguish the right half from the left half."""
    halves = {
        "left": half(0.0),
        "right": half(0.5),
        "both": node("ConditioningCombine", conditioning_1=["left", 0], conditioning_2=["right", 0]),
    }
    graphs = guided(Case(cfg(1.5)), steps=4), guided(Case(cfg(1.5, positive=["both", 0]), more=halves), steps=4)
    whole, given = (server.latents(with_inputs(graph, "load", bundle=SMALL), LATENT) for graph in graphs)
    for columns in (slice(0, 10), slice(14, 24)):
        sides = torch.stack([one[..., columns].flatten() for one in (whole, given)])
        assert torch.corrcoef(sides)[0, 1] > 0.7


def test_parts_of_an_image_whose_place_is_not_known_are_refused(server: Server) -> None:
    tiles = {"tiles": node("ProbeTiles", model=["apply", 0])}
    graph = with_inputs(guided(Case(cfg(model=["tiles", 0]), more=tiles)), "load", bundle=SMALL)
    with pytest.raises(PromptFailed, match="IGRError: A node after IGR Apply computes the image in parts.*remove that"):
        server.latents(graph, LATENT)


def test_feature_maps_that_another_node_resizes_are_refused(server: Server) -> None:
    shrink = node(
        "PatchModelAddDownscale",
        model=["apply", 0],
        block_number=1,
        downscale_factor=1.5,
        start_percent=0.0,
        end_percent=1.0,
        downscale_after_skip=True,
        downscale_method="bicubic",
        upscale_method="bicubic",
    )
    graph = guided(Case(cfg(model=["shrink", 0]), more={"shrink": shrink}))
    with pytest.raises(PromptFailed, match="IGRError: A layer of the UNet has 88 tokens.*remove whatever resizes"):
        server.latents(with_inputs(graph, "load", bundle=SMALL), LATENT)


def with_lower_garment(graph: Graph) -> Graph:
    """The graph with a second IGR Apply for the lower garment of another photo, "apply2"."""
    links = {"person": "person2", "view": "view2", "encode": "encode2", "apply": "apply2"}
    inputs = {
        "person": {"garment": "lower"},
        "view": {"person": ["person2", 0], "mask": ["person2", 1]},
        "encode": {"view": ["view2", 0], "category": ["person2", 2]},
        "apply": {"reference": ["encode2", 0]},
    }
    return {**graph, **{links[name]: with_inputs(graph, name, **inputs[name])[name] for name in links}}


def test_the_conditioning_of_another_reference_is_refused(server: Server) -> None:
    graph = with_lower_garment(guided(Case(cfg(positive=["apply2", 1]))))
    with pytest.raises(PromptFailed, match="IGRError: The conditioning comes from another IGR Apply.*connect positive"):
        server.latents(graph, LATENT)
    shared = with_lower_garment(guided(Case(cfg(negative=["apply2", 2]))))  # the empty prompt is the same
    assert torch.equal(server.latents(shared, LATENT), server.latents(guided(Case(cfg())), LATENT))


def test_a_second_reference_on_the_same_model_is_refused(server: Server) -> None:
    graph = with_lower_garment(guided(Case(cfg(model=["apply2", 0], positive=["apply2", 1]))))
    with pytest.raises(PromptFailed, match="^IGRApply: IGRError: The model already has a reference from another IGR"):
        server.latents(with_inputs(graph, "apply2", model=["apply", 0]), LATENT)
