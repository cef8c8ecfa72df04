"""Pruned reference features in the host: the headless results, batches, several photos, and patches of other nodes."""

from __future__ import annotations

import pytest
import torch

from igr_core.included import INCLUDED_BUNDLE
from igr_core.model.pruning_config import KEEP, Keep
from igr_core.sampling.presets import Sampling
from tests.host.test_restore import headless
from tests.support.host.graphs import (
    LATENT,
    SMALL,
    node,
    restore,
    two_persons,
    unpatched,
    with_evidence,
    with_inputs,
    with_two_photos,
)
from tests.support.host.server import Graph, Server

SIZE = "96x128"
"""Latents of 12 x 16 cells, most of which are far from the garment in the whole view."""


def pruned(graph: Graph, keep: Keep = "near") -> Graph:
    """The graph with a larger view of the whole photo, and the reference features to keep."""
    graph = with_inputs(graph, "view", size="custom", custom_size=SIZE, view="whole")
    return with_inputs(graph, "encode", keep_reference=keep)


def assert_close(given: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-4) -> None:
    assert given.shape == expected.shape
    assert (given - expected).abs().max() < tolerance * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("keep", KEEP)
def test_each_setting_gives_the_headless_latents(server: Server, keep: Keep) -> None:
    graph = with_inputs(restore(SMALL, "upper", seed=3, steps=4), "encode", keep_reference=keep)
    ours = server.latents(graph, LATENT)
    others = {name: headless(INCLUDED_BUNDLE, "upper", 3, Sampling(4), pruning) for name, pruning in KEEP.items()}
    assert (ours - others.pop(keep)).abs().max() < 1e-3
    assert all((ours - other).abs().max() > 1e-2 for other in others.values())


def test_the_default_keeps_those_near_the_garment(server: Server) -> None:
    graph = with_inputs(restore(), "view", size="custom", custom_size=SIZE, view="whole")
    assert torch.equal(server.latents(graph, LATENT), server.latents(pruned(restore()), LATENT))
    assert not torch.equal(server.latents(graph, LATENT), server.latents(pruned(restore(), "all"), LATENT))


def test_garments_with_different_numbers_of_tokens_are_those_of_single_runs(server: Server) -> None:
    both = server.latents(two_persons(pruned(restore(seed=5))), LATENT)
    first = server.latents(pruned(restore(garment="upper", seed=5)), LATENT)
    second = pruned(with_inputs(restore(garment="lower", seed=6), "encode", category="upper"))
    assert_close(both, torch.cat([first, server.latents(second, LATENT)]))


@pytest.mark.parametrize("kind", ["ProbeAttn1", "PerturbedAttentionGuidance"])
def test_other_patches_act_on_every_garment_in_either_order(server: Server, kind: str) -> None:
    settings = {"ProbeAttn1": {"weight": 0.9}, "PerturbedAttentionGuidance": {"scale": 3.0}}[kind]

    def patched(graph: Graph, after: bool) -> torch.Tensor:
        graph = {**graph, "patch": node(kind, model=["apply" if after else "load", 0], **settings)}
        return server.latents(with_inputs(graph, "sample" if after else "apply", model=["patch", 0]), LATENT)

    batch = two_persons(pruned(restore(seed=5, steps=2)))
    before, after = (patched(batch, late) for late in (False, True))
    assert torch.equal(before, after)
    alone = patched(pruned(restore(garment="upper", seed=5, steps=2)), True)
    assert_close(after[:1], alone)
    assert not torch.allclose(after, server.latents(batch, LATENT), atol=1e-4)


def test_strengths_act_and_0_is_the_unpatched_model(server: Server) -> None:
    graph = pruned(restore())
    plain = server.latents(unpatched(graph), LATENT)
    off = with_inputs(graph, "apply", reference_strength=0.0, image_prompt_strength=0.0)
    assert torch.equal(server.latents(off, LATENT), plain)
    full = server.latents(graph, LATENT)
    for change in ({"reference_strength": 0.5}, {"level_strengths": "1, 0.5"}, {"end_percent": 0.5}):
        assert not torch.equal(server.latents(with_inputs(graph, "apply", **change), LATENT), full), change


def test_photos_with_and_without_pruning_combine(server: Server) -> None:
    graph = with_two_photos(pruned(restore()), "full")
    mixed = with_inputs(graph, "encode2", keep_reference="all")
    near, one = server.latents(graph, LATENT), server.latents(pruned(restore()), LATENT)
    assert not torch.allclose(server.latents(mixed, LATENT), near, atol=1e-5)
    assert not torch.allclose(near, one, atol=1e-4)


def test_evidence_is_read_from_the_cells_that_are_kept(server: Server) -> None:
    def evidence(keep: Keep) -> torch.Tensor:
        graph = with_evidence(with_two_photos(pruned(restore(), keep), "full"), ["combine", 1])
        graph["values"] = node("ProbeValues", mask=["evidence", 1])
        return server.latents(graph, ["values", 0])

    near, whole = evidence("near"), evidence("all")
    assert torch.isfinite(near).all() and near.max() > 0 and near.shape == whole.shape
    assert not torch.equal(near, whole)
