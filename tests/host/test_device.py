"""Device operations of sampling, counted rather than timed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.host.graphs import TINY, node, restore, unpatched, with_inputs
from tests.support.host.guiders import CASES, Case, cfg, guided
from tests.support.host.server import Graph, Server


def watched(server: Server, graph: Graph, place: str = "sample") -> dict[str, Any]:
    """Run a graph while recording operations of the model that a node receives; returns the counts."""
    graph = {**graph, "watch": node("ProbeWatched", model=graph[place]["inputs"]["model"], reference=["encode", 0])}
    server.run(
        {
            **with_inputs(graph, place, model=["watch", 0]),
            "save": node("SaveLatent", samples=["sample", 0], filename_prefix="watched"),
        }
    )
    return server.get("/probe/watched")


def split(graph: Graph) -> Graph:
    """The graph with positive and negative in separate calls."""
    graph = {**graph, "little": node("ProbeLittleMemory", model=["apply", 0])}
    return with_inputs(graph, "sample", model=["little", 0])


@pytest.mark.parametrize("calls", ["one call a step", "two calls a step"])
def test_the_image_prompt_is_moved_to_the_device_once_a_run(server: Server, calls: str) -> None:
    graph = restore(TINY, seed=101, steps=4)
    seen = watched(server, graph if calls == "one call a step" else split(graph))
    assert seen["moves"] == seen["tensors"] > 0


def test_the_reference_reads_nothing_from_the_device(server: Server) -> None:
    graph = restore(seed=102, steps=4)
    assert watched(server, graph)["reads"] == watched(server, unpatched(graph))["reads"]


def test_a_range_reads_the_noise_level_once_a_step(server: Server) -> None:
    graph = with_inputs(restore(seed=103, steps=4), "apply", start_percent=0.2)
    plain = watched(server, unpatched(graph))["reads"]
    assert watched(server, graph)["reads"] - plain == 4
    assert watched(server, split(graph))["reads"] - plain == 4


def test_ddim_reads_no_more_from_the_device_for_more_steps(server: Server) -> None:
    few, many = (watched(server, restore(seed=104, steps=steps))["reads"] for steps in (3, 9))
    assert few == many


@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpmpp_2m"])
def test_sampling_needs_no_float64(server: Server, sampler: str) -> None:
    graph = with_inputs(restore(seed=105), "sample", sampler=sampler)
    assert watched(server, graph)["float64"] == []


def test_no_guider_needs_float64(server: Server) -> None:
    assert watched(server, guided(Case(cfg())), "guider")["float64"] == []
    assert watched(server, guided(CASES["two models, both patched"]), "guider")["float64"] == []
