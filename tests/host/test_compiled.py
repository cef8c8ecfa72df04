"""torch.compile with IGR Apply: compiled models give the same results as uncompiled ones, whatever ran before."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.support.host.graphs import LATENT, node, restore, unpatched, with_inputs
from tests.support.host.server import Graph, Server


def compiled(graph: Graph, model: list[Any] | None = None) -> Graph:
    """The graph with the model compiled before the sampler; by default, the model of IGR Apply."""
    graph = {**graph, "compile": node("ProbeCompile", model=model or graph["sample"]["inputs"]["model"])}
    return with_inputs(graph, "sample", model=["compile", 0])


def one_at_a_time(graph: Graph) -> Graph:
    """The graph with positive and negative in separate calls, as when memory is low."""
    graph = {**graph, "little": node("ProbeLittleMemory", model=graph["sample"]["inputs"]["model"])}
    return with_inputs(graph, "sample", model=["little", 0])


def assert_same(given: torch.Tensor, expected: torch.Tensor) -> None:
    assert (given - expected).abs().max() < 1e-4 * float(expected.abs().max())


@pytest.mark.parametrize("first", ["unpatched", "start_percent", "split", "default"])
def test_a_compiled_model_keeps_the_reference_whatever_ran_before(server: Server, first: str) -> None:
    part = with_inputs(restore(), "apply", start_percent=0.5)
    graphs = {
        "unpatched": unpatched(restore()),
        "start_percent": part,
        "split": one_at_a_time(restore()),
        "default": restore(),
        "end_percent": with_inputs(restore(), "apply", end_percent=0.5),
        "larger": with_inputs(restore(), "view", size="custom", custom_size="128x128"),
    }
    order = [first, *(name for name in graphs if name != first)]
    for name in order:
        given = server.latents(compiled(graphs[name]), LATENT)
        assert_same(given, server.latents(graphs[name], LATENT))


def test_a_model_that_was_compiled_before_apply_keeps_the_reference(server: Server) -> None:
    graph = {**restore(), "compile": node("ProbeCompile", model=["load", 0])}
    graph = with_inputs(graph, "apply", model=["compile", 0])
    assert_same(server.latents(graph, LATENT), server.latents(restore(), LATENT))


def test_the_log_says_that_compiling_is_off(server: Server) -> None:
    server.run(compiled(restore(seed=77)))
    assert "torch.compile is off in this run" in server.log.read_text(errors="replace")
