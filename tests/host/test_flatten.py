"""Flatten Garment, IGR Sample from its latent, and Complete Garment in the host, against the headless pipeline."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from igr_core.flatten.flat import kept_cells
from igr_core.flatten.model_file import load_flattener
from igr_core.included import INCLUDED_FLATTENER
from igr_core.photo.view import GarmentView, join_views
from igr_core.restore.detailed import Detailing, restore_detailed
from igr_core.restore.flattened import FlatRestored, restore_flat
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling
from tests.support.host.graphs import (
    SMALL,
    node,
    restore,
    two_persons,
    with_flat_start,
    with_inputs,
    with_sampler,
    with_two_photos,
)
from tests.support.host.headless import values, view_of
from tests.support.host.server import ROOT, PromptFailed, Server

EXAMPLES = ROOT / "nodes" / "examples"
STEPS, SEED, SIZE = 3, 7, (384, 512)


def headless(restorer: GarmentRestorer, view: GarmentView, **more: Any) -> list[FlatRestored]:
    network = load_flattener(INCLUDED_FLATTENER)
    return restore_flat(restorer, network, view, "upper", Sampling(STEPS), seed=SEED, **more)


def test_a_garment_restored_from_its_flat_start_is_the_headless_one(server: Server, restorer: GarmentRestorer) -> None:
    (expected,) = headless(restorer, view_of(restorer, "upper"))
    graph = with_flat_start(restore(seed=SEED, steps=STEPS), SIZE)
    assert (values(server, graph, image=["complete", 0])[0] - expected.at(SIZE)).abs().max() < 3e-3
    assert (values(server, graph, image=["decode", 0])[0] - expected.restored).abs().max() < 3e-3
    hidden = expected.garment.laid_out(SIZE).hidden
    assert (values(server, graph, mask=["complete", 1])[0] - hidden).abs().max() < 1e-3
    assert 0 < hidden.mean() < 0.5
    flat = expected.flat
    assert (values(server, graph, image=["flat", 2])[0] - flat.image).abs().max() < 1e-3
    assert (values(server, graph, mask=["flat", 3])[0] - flat.hidden).abs().max() < 1e-3


def test_the_report_says_how_much_was_visible_as_the_command_line_does(
    server: Server, restorer: GarmentRestorer
) -> None:
    with_flattener = copy.copy(restorer)
    with_flattener.flattener = load_flattener(INCLUDED_FLATTENER)
    expected = restore_detailed(with_flattener, [view_of(restorer, "upper")], "upper", Detailing(), Sampling(STEPS))
    notes = server.run(with_flat_start(restore(seed=SEED, steps=STEPS), SIZE))["outputs"]["flat"]["igr_notes"]
    assert [note["text"] for note in notes] == [expected.note]


def test_garment_finish_uses_the_exact_outline(server: Server) -> None:
    """Otherwise, white cloth would become transparent."""
    graph = with_flat_start(restore(seed=SEED, steps=1), SIZE)
    layout = {"aspect": "as it is", "margin": 0.0, "background": "transparent", "trim": False}
    graph["finish"] = node("IGRGarmentFinish", image=["complete", 0], mask=["complete", 2], **layout)
    outline = values(server, graph, mask=["complete", 2])
    assert 0.1 < outline.mean() < 0.9
    assert (values(server, graph, mask=["finish", 1]) - outline).abs().max() < 1e-3
    graph["grown"] = node("GrowMask", mask=["complete", 2], expand=9, tapered_corners=True)
    graph = with_inputs(graph, "finish", mask=["grown", 0])
    grown = values(server, graph, mask=["grown", 0])
    assert (values(server, graph, mask=["finish", 1]) - grown).abs().max() < 1e-3 < (grown - outline).mean()
    unfitted = with_inputs(graph, "finish", aspect="the photo's own", view=["view", 0])
    both = [
        values(server, with_inputs(unfitted, "finish", mask=mask), mask=["finish", 1])
        for mask in (["complete", 2], ["grown", 0])
    ]
    assert both[0].std() > 0.1 and (both[1] - both[0]).mean() > 1e-3 and (both[1] - both[0]).min() > -1e-2
    graph["small"] = node("SolidMask", value=1.0, width=64, height=64)
    with pytest.raises(PromptFailed, match="The mask has shape .*, but the images are 384x512"):
        values(server, with_inputs(graph, "finish", mask=["small", 0]), mask=["finish", 1])


@pytest.mark.parametrize(("mask", "sentence"), [(0.0, "The mask is empty"), ("inverted", "1 around the garment and 0")])
def test_a_mask_without_a_garment_is_refused(server: Server, mask: Any, sentence: str) -> None:
    graph = with_flat_start(restore(seed=SEED, steps=1), SIZE)
    graph["other"] = node("InvertMask", mask=["complete", 2])
    if mask != "inverted":
        graph["other"] = node("SolidMask", value=mask, width=SIZE[0], height=SIZE[1])
    graph["finish"] = node(
        "IGRGarmentFinish", image=["complete", 0], mask=["other", 0], aspect="3:4", margin=0.0, background="transparent"
    )
    with pytest.raises(PromptFailed, match=f"IGRGarmentFinish: IGRError: The mask is .*{sentence[12:]}"):
        values(server, graph, mask=["finish", 1])


def test_the_vae_and_the_view_are_those_of_the_reference(server: Server) -> None:
    graph = with_flat_start(restore(seed=SEED, steps=1), SIZE)
    graph["other"] = node("IGRLoad", bundle=SMALL)
    with pytest.raises(PromptFailed, match="IGRFlattenGarment: IGRError: The VAE (comes from another bundle|has)"):
        server.run(with_inputs(graph, "flat", vae=["other", 2]))
    graph["dress"] = node("IGRExamplePerson", garment="full")
    graph["dress view"] = {**graph["view"], "inputs": {**graph["view"]["inputs"]}}
    graph = with_inputs(graph, "dress view", person=["dress", 0], mask=["dress", 1])
    with pytest.raises(PromptFailed, match="IGRFlattenGarment.*does not show the photos that the reference"):
        server.run(with_inputs(graph, "flat", view=["dress view", 0]))


def test_two_photos_of_one_garment_are_laid_out_together(server: Server, restorer: GarmentRestorer) -> None:
    view = join_views([view_of(restorer, name) for name in ("upper", "full")])
    (expected,) = headless(restorer, view, photos=[(0, 1)])
    graph = with_two_photos(restore(seed=SEED, steps=STEPS), "full")
    graph = with_flat_start(graph, SIZE, ["combine", 0], ["combine", 1])
    images = values(server, graph, image=["complete", 0])
    assert len(images) == 1 and (images[0] - expected.at(SIZE)).abs().max() < 3e-3


def test_garments_of_a_batch_and_their_repetitions_are_completed_in_order(server: Server) -> None:
    graph = with_flat_start(two_persons(restore(seed=SEED, steps=1)), SIZE)
    once = values(server, graph, image=["complete", 0])
    graph["repeat"] = node("RepeatLatentBatch", samples=["flat", 1], amount=2)
    twice = values(server, with_inputs(graph, "sample", latent=["repeat", 0]), image=["complete", 0])
    assert len(once) == 2 and len(twice) == 4
    assert (twice[:2] - once).abs().max() < 1e-3
    apart = (twice[2:] - once).abs()  # another seed, but the same photo's pixels
    assert apart.median() < 1e-4 and apart.max() > 1e-3


def test_images_that_do_not_match_the_flat_garments_are_refused(server: Server) -> None:
    graph = with_flat_start(two_persons(restore(seed=SEED, steps=1)), SIZE)
    graph["first"] = node("ImageFromBatch", image=["decode", 0], batch_index=0, length=1)
    with pytest.raises(PromptFailed, match="has 1 image, but flat has 2 garments"):
        server.run(with_inputs(graph, "complete", image=["first", 0]))


def test_a_restored_image_of_another_ratio_is_refused(server: Server) -> None:
    graph = with_flat_start(restore(seed=SEED, steps=1), SIZE)
    graph["square"] = node(
        "ImageScale", image=["decode", 0], upscale_method="area", width=64, height=64, crop="disabled"
    )
    with pytest.raises(PromptFailed, match="would stretch an image"):
        server.run(with_inputs(graph, "complete", image=["square", 0]))


def test_a_view_of_another_size_than_the_reference_is_refused(server: Server) -> None:
    graph = with_flat_start(restore(seed=SEED, steps=1), SIZE)
    graph["large"] = with_inputs(graph, "view", size="384x512")["view"]
    with pytest.raises(
        PromptFailed, match="The view is 384x512, but the reference was encoded at .*: connect the view"
    ):
        server.run(with_inputs(graph, "flat", view=["large", 0]))


def test_ksampler_keeps_the_visible_cells_too(server: Server) -> None:
    graph = with_sampler(with_flat_start(restore(seed=SEED, steps=STEPS), SIZE), ["apply", 0], steps=STEPS)
    graph = with_inputs(graph, "sample", latent_image=["flat", 1], denoise=0.5)
    apart = (server.latents(graph, ["sample", 0]) - server.latents(graph, ["flat", 1])).abs().amax((0, 1))
    assert (apart < 1e-3).float().mean() > 0.5 and apart.max() > 0.1


def test_an_empty_latent_cannot_be_denoised_a_little(server: Server) -> None:
    with pytest.raises(PromptFailed, match="The latent is empty, so it cannot be denoised by 0.5: connect Flatten"):
        server.run(with_inputs(restore(seed=SEED, steps=1), "sample", denoise=0.5))


@pytest.mark.parametrize("schedule", ["ddim_uniform", "normal", "simple"])
def test_without_denoise_all_noise_levels_of_a_schedule_are_run(server: Server, schedule: str) -> None:
    """ddim_uniform has one level more than steps."""
    graph = with_inputs(restore(seed=SEED, steps=6), "sample", sampler="euler", schedule=schedule, guidance=1.5)
    expected = with_sampler(restore(seed=SEED, steps=6), ["apply", 0], steps=6)
    expected = with_inputs(expected, "sample", seed=SEED, sampler_name="euler", scheduler=schedule)
    apart = server.latents(graph, ["sample", 0]) - server.latents(expected, ["sample", 0])
    assert apart.abs().max() < 1e-3


def test_a_size_of_another_ratio_is_refused(server: Server) -> None:
    with pytest.raises(PromptFailed, match="would stretch an image"):
        server.run(with_flat_start(restore(seed=SEED, steps=1), (512, 512)))


def test_a_view_of_another_ratio_is_refused_before_sampling(server: Server) -> None:
    graph = with_flat_start(restore(seed=SEED, steps=1), SIZE)
    graph = with_inputs(graph, "view", size="custom", custom_size="512x512")
    with pytest.raises(PromptFailed, match="cannot be laid out flat at 512x512"):
        server.run(graph)


def test_too_many_steps_for_a_denoise_name_the_limit(server: Server) -> None:
    with pytest.raises(
        PromptFailed, match="300 steps at a denoise of 0.5 are too many for this model: use at most 250"
    ):
        server.run(with_inputs(with_flat_start(restore(seed=SEED), SIZE), "sample", steps=300))


@pytest.mark.parametrize(
    ("sampler", "schedule"), [("ddim", "ddim (paper)"), ("dpmpp_2m", "karras"), ("euler_ancestral", "normal")]
)
def test_every_sampler_keeps_the_visible_cells(
    server: Server, restorer: GarmentRestorer, sampler: str, schedule: str
) -> None:
    (expected,) = headless(restorer, view_of(restorer, "upper"))
    keep = kept_cells([expected.flat], restorer.info.model.vae.downscale)[0, 0] > 0
    assert 0.5 < keep.float().mean() < 1
    graph = with_inputs(
        with_flat_start(restore(seed=SEED, steps=STEPS), SIZE), "sample", sampler=sampler, schedule=schedule
    )
    apart = (server.latents(graph, ["sample", 0]) - server.latents(graph, ["flat", 1])).abs().amax((0, 1))
    assert apart[keep].max() < 1e-3 < apart[~keep].min()
