"""Attention patches of other nodes work together with ours in either order, and no MODEL is changed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.support.host.graphs import LATENT, node, restore, unpatched, with_inputs, with_sampler
from tests.support.host.server import Graph, Server

PATCHES: dict[str, dict[str, Any]] = {
    "ProbeAttn1": {"weight": 0.9},
    "ProbeAttn2": {"weight": 0.5},
    "PerturbedAttentionGuidance": {"scale": 3.0},
    "FreeU_V2": {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2},
}


def patched(kind: str, after: bool) -> Graph:
    """The graph with another patch before or after ours."""
    graph = restore(steps=2)
    graph["other"] = node(kind, model=["apply" if after else "load", 0], **PATCHES[kind])
    if after:
        return with_inputs(graph, "sample", model=["other", 0])
    return with_inputs(graph, "apply", model=["other", 0])


@pytest.mark.parametrize("kind", PATCHES)
def test_both_patches_act_in_either_order(server: Server, kind: str) -> None:
    ours = server.latents(restore(steps=2), LATENT)
    before, after = (server.latents(patched(kind, after), LATENT) for after in (False, True))
    theirs = server.latents(
        with_inputs(patched(kind, False), "apply", reference_strength=0.0, image_prompt_strength=0.0), LATENT
    )
    assert torch.isfinite(after).all()
    assert torch.equal(before, after)
    assert not torch.allclose(after, ours, atol=1e-4) or kind == "FreeU_V2"  # FreeU looks for SD1.5's own widths
    assert not torch.allclose(after, theirs, atol=1e-4)


def test_self_attention_guidance_and_hypertile_run_beside_ours(server: Server) -> None:
    graph = restore(steps=2)
    graph["sag"] = node("SelfAttentionGuidance", model=["apply", 0], scale=0.5, blur_sigma=2.0)
    graph["tiled"] = node("HyperTile", model=["sag", 0], tile_size=32, swap_size=2, max_depth=0, scale_depth=False)
    graph = with_inputs(graph, "view", size="custom", custom_size="128x128")
    assert torch.isfinite(server.latents(with_inputs(graph, "sample", model=["tiled", 0]), LATENT)).all()


def test_the_patched_model_is_unchanged(server: Server) -> None:
    plain = with_sampler(restore(), ["load", 0])
    expected = server.latents(plain, LATENT)
    server.run(patched("ProbeAttn2", True))  # plain's result leaves the cache, the loaded MODEL stays
    assert torch.equal(server.latents(plain, LATENT), expected)
    ours = server.latents(restore(steps=2), LATENT)
    server.run(patched("ProbeAttn2", True))
    assert torch.equal(server.latents(restore(steps=2), LATENT), ours)


def test_the_reference_acts_only_between_its_moments(server: Server) -> None:
    plain = server.latents(unpatched(restore()), LATENT)
    graph = with_inputs(restore(), "apply", start_percent=1.0, end_percent=1.0)
    assert torch.equal(server.latents(graph, LATENT), plain)
    half = server.latents(with_inputs(restore(), "apply", end_percent=0.5), LATENT)
    full = server.latents(restore(), LATENT)
    assert not torch.equal(half, plain) and not torch.equal(half, full)


def test_levels_have_their_own_strength(server: Server) -> None:
    full = server.latents(restore(), LATENT)
    same = server.latents(with_inputs(restore(), "apply", level_strengths="1, 1"), LATENT)
    some = server.latents(with_inputs(restore(), "apply", level_strengths="0, 0.5"), LATENT)
    assert torch.equal(full, same) and not torch.equal(full, some)
