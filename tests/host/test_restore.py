"""The host gives the same results as the headless pipeline."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from PIL import Image

from igr_core.included import INCLUDED_BUNDLE
from igr_core.model.config import CATEGORIES
from igr_core.model.pruning_config import NEAR, Pruning
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.view import make_view
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.loop import sample_latents
from igr_core.sampling.presets import PRESETS, Sampling
from igr_core.sampling.schedule import draw_noise
from tests.support.host.graphs import LATENT, SMALL, TINY, node, restore, two_persons, with_inputs, with_sampler
from tests.support.host.server import ROOT, PromptFailed, Server
from tests.support.models.tiny import save_runnable, with_latent_channels

EXAMPLES = ROOT / "nodes" / "examples"


def headless(path: Path, category: str, seed: int, sampling: Sampling, pruning: Pruning = NEAR) -> torch.Tensor:
    """Latents of the headless run, unscaled like the host's."""
    restorer = GarmentRestorer.from_bundle(path, pruning=pruning)
    config = restorer.info.model
    view = make_view(
        load_photo(EXAMPLES / f"{category}.webp"),
        load_mask(EXAMPLES / f"{category}_mask.png"),
        config.native_size,
        config.view,
        config.image_encoder.image_size,
    )
    width, height = config.native_size
    f = config.vae.downscale
    noise = draw_noise((1, config.vae.latent_channels, height // f, width // f), seed)
    latent = sample_latents(restorer.model, noise, restorer.conditions(view, [category]), sampling)
    return latent / config.vae.scaling_factor


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_included_bundle_gives_the_headless_latents(server: Server, category: str) -> None:
    ours = server.latents(restore(SMALL, category, seed=11, steps=25), LATENT)
    assert (ours - headless(INCLUDED_BUNDLE, category, 11, Sampling())).abs().max() < 1e-3


def test_epsilon_models_give_the_headless_latents_too(server: Server) -> None:
    path = server.base / "models" / "igr" / TINY
    ours = server.latents(restore(TINY, "full", seed=2, steps=6), LATENT)
    theirs = headless(path, "full", 2, Sampling(6))
    assert (ours - theirs).abs().max() < 1e-3 * max(1.0, float(theirs.abs().max()))


def test_latents_of_16_channels_are_the_headless_ones_too(server: Server) -> None:
    path = save_runnable(server.base / "models" / "igr" / "tiny16.safetensors", with_latent_channels(16))
    ours = server.latents(restore(path.name, "full", seed=2, steps=6), LATENT)
    theirs = headless(path, "full", 2, Sampling(6))
    assert ours.shape[1] == 16 and (ours - theirs).abs().max() < 1e-3 * max(1.0, float(theirs.abs().max()))


def test_weights_in_stable_diffusions_own_layout_load_too(server: Server) -> None:
    expected = server.latents(restore(TINY), LATENT)
    copy = "original_layout.safetensors"
    server.run(
        {
            "load": node("IGRLoad", bundle=TINY),
            "write": node("ProbeOriginalLayout", model=["load", 0], source=TINY, target=copy),
        }
    )
    assert torch.equal(server.latents(restore(copy), LATENT), expected)


def test_strength_0_is_the_unpatched_model_bit_for_bit(server: Server) -> None:
    graph = with_inputs(restore(), "apply", reference_strength=0.0, image_prompt_strength=0.0)
    off = server.latents(with_sampler(graph, ["apply", 0]), LATENT)
    plain = server.latents(with_sampler(graph, ["load", 0]), LATENT)
    assert torch.equal(off, plain)


def test_the_unconditional_row_is_the_unpatched_model_bit_for_bit(server: Server) -> None:
    patched = server.latents(with_sampler(restore(), ["apply", 0], cfg=0.0), LATENT)
    plain = server.latents(with_sampler(restore(), ["load", 0], cfg=0.0), LATENT)
    assert torch.equal(patched, plain)
    assert not torch.equal(server.latents(with_sampler(restore(), ["apply", 0]), LATENT), plain)


def test_a_batch_gives_the_results_of_single_runs(server: Server) -> None:
    both = server.latents(two_persons(restore(seed=5)), LATENT)
    first = server.latents(restore(garment="upper", seed=5), LATENT)
    second = server.latents(with_inputs(restore(garment="lower", seed=6), "encode", category="upper"), LATENT)
    assert (both - torch.cat([first, second])).abs().max() < 1e-4 * max(1.0, float(both.abs().max()))


def test_an_unchanged_graph_does_not_run_again(server: Server) -> None:
    graph = restore(seed=21)
    server.run(graph)
    status = server.run(graph)["status"]["messages"]
    cached = next(data["nodes"] for kind, data in status if kind == "execution_cached")
    assert set(cached) >= set(graph) - {"show"}


def test_an_interrupted_run_leaves_the_next_one_whole(server: Server) -> None:
    expected = server.latents(restore(seed=31), LATENT)
    assert server.interrupt(restore(seed=31, steps=500), seconds=0.5) == "IGRSample"
    server.post("/free", {"free_memory": True, "unload_models": True})
    assert torch.equal(server.latents(restore(seed=31), LATENT), expected)


@pytest.mark.parametrize(
    ("sampler", "schedule"), [("euler", "karras"), ("dpmpp_2m", "ddim (paper)"), ("ddim", "normal")]
)
def test_the_hosts_samplers_and_schedulers_work(server: Server, sampler: str, schedule: str) -> None:
    graph = with_inputs(restore(seed=4, steps=4), "sample", sampler=sampler, schedule=schedule)
    assert torch.isfinite(server.latents(graph, LATENT)).all()


@pytest.mark.parametrize(("interval", "guided"), [((0.0, 0.5), "first"), ((0.4, 1.0), "last"), ((0.9, 0.95), "none")])
def test_guidance_in_an_interval_matches_the_headless_sampler(
    server: Server, interval: tuple[float, float], guided: str
) -> None:
    start, end = interval
    graph = with_inputs(restore(SMALL, "full", seed=2, steps=5), "sample", guidance_start=start, guidance_end=end)
    ours = server.latents(graph, LATENT)
    theirs = headless(INCLUDED_BUNDLE, "full", 2, Sampling(5, guidance_start=start, guidance_end=end))
    assert (ours - theirs).abs().max() < 1e-3
    if guided == "none":
        off = with_inputs(restore(SMALL, "full", seed=2, steps=5), "sample", guidance=1.0)
        assert torch.equal(ours, server.latents(off, LATENT))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_replaces_the_settings(server: Server, preset: str) -> None:
    settings = PRESETS[preset]
    graph = restore(TINY, seed=2, steps=7)
    ours = server.latents(with_inputs(graph, "sample", preset=preset, guidance=4.0, sampler="euler"), LATENT)
    spelt = {**asdict(settings), "preset": "custom"}
    assert torch.equal(ours, server.latents(with_inputs(graph, "sample", **spelt), LATENT))


def test_an_interval_of_guidance_that_ends_before_it_starts_is_refused(server: Server) -> None:
    graph = with_inputs(restore(), "sample", guidance_start=0.6, guidance_end=0.5)
    with pytest.raises(PromptFailed, match="the start must not be after the end"):
        server.run(graph)


def test_finished_garments_have_the_requested_layout(server: Server) -> None:
    graph = restore()
    for name, options in {
        "square": {"aspect": "1:1", "background": "colour", "colour": "#ff0000"},
        "clear": {"aspect": "3:4", "background": "transparent"},
        "photo": {"aspect": "the photo's own", "background": "white", "view": ["view", 0]},
    }.items():
        graph[name] = node("IGRGarmentFinish", image=["decode", 0], margin=0.05, **options)
        graph[f"{name}_shown"] = node("PreviewImage", images=[name, 0])
    outputs = server.run(graph)["outputs"]
    assert all(outputs[f"{name}_shown"]["images"] for name in ("square", "clear", "photo"))


def test_an_uncertain_cut_out_is_reported_on_the_node(server: Server) -> None:
    apart = Image.new("RGB", (96, 128), "white")
    apart.paste((40, 60, 90), (8, 8, 28, 28))
    apart.paste((40, 60, 90), (70, 100, 90, 120))
    apart.save(server.base / "input" / "apart.png")
    graph = {name: one for name, one in restore().items() if name in ("load", "person", "view")}
    graph["image"] = node("LoadImage", image="apart.png")
    finish = {"image": ["image", 0], "view": ["view", 0], "aspect": "3:4", "margin": 0.05}
    graph["white"] = node("IGRGarmentFinish", background="white", **finish)
    graph["clear"] = node("IGRGarmentFinish", background="transparent", **finish)
    graph |= {f"{name}_shown": node("PreviewImage", images=[name, 0]) for name in ("white", "clear")}
    outputs = server.run(graph)["outputs"]
    assert "covers much less of its bounding box than the mask" in outputs["clear"]["text"][0]
    assert outputs.get("white", {"igr_notes": []})["igr_notes"] == []
