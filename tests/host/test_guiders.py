"""The reference reaches IGR Apply's conditioning with every guider, order and number of conditionings."""

from __future__ import annotations

import pytest
import torch

from tests.support.host.graphs import LATENT, node
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
