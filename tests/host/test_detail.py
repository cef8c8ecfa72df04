"""Evidence, details, several photos and candidates in the host, against the headless pipeline."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from igr_core.detail.report import evidence_map
from igr_core.detail.transfer import Transfer, transfer_details
from igr_core.detail.warping import source_photos
from igr_core.photo.view import join_views
from igr_core.restore.background_removal import garment_alpha
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling
from tests.support.host.graphs import (
    LATENT,
    SMALL,
    TINY,
    node,
    restore,
    two_persons,
    with_evidence,
    with_inputs,
    with_two_photos,
)
from tests.support.host.headless import values, view_of
from tests.support.host.server import ROOT, PromptFailed, Server

EXAMPLES = ROOT / "nodes" / "examples"
STEPS, SEED = 3, 7


def test_evidence_and_details_are_the_headless_ones(server: Server, restorer: GarmentRestorer) -> None:
    view = view_of(restorer, "upper")
    images, (evidence,) = restorer.restore_with_evidence(view, "upper", Sampling(STEPS), seed=SEED)
    alpha = garment_alpha(images)[0]
    graph = with_evidence(restore(seed=SEED, steps=STEPS))
    mask = values(server, graph, mask=["evidence", 1])
    assert evidence.visible.std() > 0.01  # not the same everywhere
    assert (mask[0] - evidence_map(evidence, alpha)).abs().max() < 1e-3
    expected, moved = transfer_details(images[0], alpha, evidence, source_photos(view), (192, 256), Transfer())
    assert (values(server, graph, mask=["transfer", 1])[0] - moved).abs().max() < 1e-3
    assert (values(server, graph, image=["transfer", 0])[0] - expected).abs().max() < 1e-3


def test_two_photos_are_those_of_the_headless_pipeline(server: Server, restorer: GarmentRestorer) -> None:
    view = join_views([view_of(restorer, name) for name in ("upper", "full")])
    photos = [(0, 1)]
    images, (evidence,) = restorer.restore_with_evidence(view, "upper", Sampling(STEPS), seed=SEED, photos=photos)
    graph = with_evidence(with_two_photos(restore(seed=SEED, steps=STEPS), "full"), ["combine", 1])
    image = values(server, graph, image=["decode", 0])
    assert (image - images).abs().max() < 1e-3
    single = values(server, restore(seed=SEED, steps=STEPS), image=["decode", 0])
    assert (image - single).abs().max() > 1e-3
    mask = values(server, graph, mask=["evidence", 1])
    assert (mask[0] - evidence_map(evidence, garment_alpha(images)[0])).abs().max() < 1e-3
    alpha = garment_alpha(images)[0]
    details = transfer_details(images[0], alpha, evidence, source_photos(view), (192, 256), Transfer())[0]
    assert (values(server, graph, image=["transfer", 0])[0] - details).abs().max() < 1e-3


def test_a_photo_given_twice_counts_once(server: Server) -> None:
    once = server.latents(restore(seed=SEED, steps=STEPS), LATENT)
    graph = with_two_photos(restore(seed=SEED, steps=STEPS), "upper")
    assert torch.equal(server.latents(graph, LATENT), once)
    assert values(server, with_evidence(graph, ["combine", 1]), mask=["evidence", 1]).max() > 0


def test_candidates_are_sorted_by_their_agreement(server: Server) -> None:
    graph = restore(seed=SEED, steps=STEPS)
    graph["repeat"] = node("RepeatLatentBatch", samples=["apply", 3], amount=3)
    graph = with_evidence(with_inputs(graph, "sample", latent=["repeat", 0]))
    graph["rank"] = node("IGRRankCandidates", image=["decode", 0], evidence=["evidence", 0], view=["view", 0])
    before, after = (values(server, graph, image=source) for source in (["decode", 0], ["rank", 1]))
    order = [int((before - one).abs().flatten(1).amax(1).argmin()) for one in after]
    assert sorted(order) == [0, 1, 2]
    assert torch.equal(values(server, graph, image=["rank", 0]), after[:1])
    lines = server.run(graph)["outputs"]["rank"]["text"][0].splitlines()
    scores = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert scores == sorted(scores, reverse=True) and [int(line.split()[1][:-1]) - 1 for line in lines] == order


def test_the_node_shows_what_was_invented(server: Server) -> None:
    shown = server.run(with_evidence(restore(seed=SEED, steps=STEPS)))["outputs"]["evidence"]
    assert "of the garment was not visible" in shown["text"][0]
    assert len(shown["images"]) == 1


@pytest.mark.parametrize("changes", [{"reference_strength": 0.0}, {"end_percent": 0.5}])
def test_without_a_reference_there_is_no_evidence(server: Server, changes: dict[str, float]) -> None:
    graph = with_inputs(with_evidence(restore(seed=SEED, steps=STEPS)), "apply", **changes)
    with pytest.raises(PromptFailed, match="reference_strength above 0, end_percent at 1"):
        server.run(graph)


def test_without_the_levels_that_are_read_there_is_no_evidence(server: Server) -> None:
    graph = with_inputs(with_evidence(restore(seed=SEED, steps=STEPS)), "apply", level_strengths="0, 0")
    with pytest.raises(PromptFailed, match="and level_strengths above 0"):
        server.run(graph)


def test_guidance_of_other_nodes_does_not_count_twice(server: Server) -> None:
    graph = with_evidence(restore(seed=SEED, steps=STEPS))
    expected = values(server, graph, mask=["evidence", 1])
    graph["sag"] = node("SelfAttentionGuidance", model=["apply", 0], scale=0.5, blur_sigma=2.0)
    assert (
        values(server, with_inputs(graph, "evidence", model=["sag", 0]), mask=["evidence", 1]) - expected
    ).abs().max() < 1e-4


def test_an_empty_latent_has_no_evidence(server: Server) -> None:
    graph = with_evidence(restore(seed=SEED, steps=STEPS))
    with pytest.raises(PromptFailed, match="IGRGarmentEvidence: IGRError: The latent is empty: connect the latent of"):
        server.run(with_inputs(graph, "evidence", latent=["apply", 3]))


def test_details_need_the_image_of_the_evidence(server: Server) -> None:
    graph = with_evidence(restore(seed=SEED, steps=STEPS))
    graph["finish"] = node(
        "IGRGarmentFinish", image=["decode", 0], aspect="3:4", margin=0.3, background="white", trim=True
    )
    details = {"width": 384, "height": 512, "strength": 1.0}
    graph["details"] = node(
        "IGRTransferDetails", image=["finish", 0], evidence=["evidence", 0], view=["view", 0], **details
    )
    with pytest.raises(PromptFailed, match="image does not show the garment of the evidence at the same place"):
        values(server, graph, image=["details", 0])


def test_each_reference_needs_its_own_view(server: Server) -> None:
    graph = with_two_photos(restore(seed=SEED, steps=STEPS), "full")
    (combined,) = [name for name, one in graph.items() if one["class_type"] == "IGRCombineReferences"]
    views = {name: graph[combined]["inputs"][name] for name in ("view", "other_view")}
    swapped = with_inputs(graph, combined, view=views["other_view"], other_view=views["view"])
    with pytest.raises(PromptFailed, match="does not show the photos that the reference was encoded from"):
        server.run(swapped)


def test_a_model_that_is_not_from_a_bundle_is_rejected(server: Server) -> None:
    graph = with_evidence(restore(SMALL, seed=SEED, steps=STEPS))
    graph["other"] = node("IGRLoad", bundle=TINY)
    with pytest.raises(PromptFailed, match="come from different bundles"):
        server.run(with_inputs(graph, "evidence", adapter=["other", 1]))


def test_candidates_of_two_garments_are_refused(server: Server) -> None:
    graph = with_evidence(restore(seed=SEED, steps=STEPS))
    graph["persons"] = node("ImageBatch", image1=["person", 0], image2=["person", 0])
    graph = with_inputs(graph, "view", person=["persons", 0])
    graph["rank"] = node("IGRRankCandidates", image=["decode", 0], evidence=["evidence", 0], view=["view", 0])
    with pytest.raises(PromptFailed, match="The view has 2 garments"):
        server.run(graph)


def test_the_view_of_other_photos_is_refused(server: Server) -> None:
    graph = with_two_photos(restore(seed=SEED, steps=STEPS), "full")
    with pytest.raises(PromptFailed, match="The view, with 1 photo, does not match 1 image"):
        server.run(with_evidence(graph, ["view", 0]))


def test_strength_0_only_enlarges(server: Server) -> None:
    graph = with_inputs(with_evidence(restore(seed=SEED, steps=STEPS)), "transfer", strength=0.0)
    assert values(server, graph, mask=["transfer", 1]).abs().max() == 0
    decoded = values(server, graph, image=["decode", 0])
    larger = F.interpolate(decoded, (256, 192), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    assert torch.equal(values(server, graph, image=["transfer", 0]), larger)


def test_garment_finish_gives_two_photos_the_size_of_the_first(server: Server) -> None:
    graph = with_two_photos(restore(seed=SEED, steps=STEPS), "full")

    def finished(view: list[Any]) -> torch.Tensor:
        settings = {"aspect": "the photo's own", "margin": 0.05, "background": "white"}
        finish = node("IGRGarmentFinish", image=["decode", 0], view=view, **settings)
        return values(server, {**graph, "finish": finish}, image=["finish", 0])

    assert torch.equal(finished(["combine", 1]), finished(["view", 0]))


def test_two_photos_of_two_garments_are_those_of_each_alone(server: Server) -> None:
    """Two garments with two photos each, in one batch; their noise differs, so each is compared with its own seed."""
    batch = with_two_photos(restore(seed=SEED, steps=STEPS), "full")
    batch["persons"] = node("ImageBatch", image1=["person", 0], image2=["person2", 0])
    batch["others"] = node("ImageBatch", image1=["person2", 0], image2=["person", 0])
    batch["masks"] = node("MaskComposite", destination=["person", 1], source=["person2", 1], x=0, y=0, operation="or")
    for name, person in (("view", "persons"), ("view2", "others")):
        batch = with_inputs(batch, name, person=[person, 0], mask=["masks", 0])
    found = values(server, with_evidence(batch, ["combine", 1]), mask=["evidence", 1])
    images = values(server, batch, image=["decode", 0])
    assert len(images) == len(found) == 2
    for number, names in enumerate((("person", "person2"), ("person2", "person"))):
        alone = with_two_photos(restore(seed=SEED + number, steps=STEPS), "full")
        alone["masks"] = batch["masks"]
        for view, person in zip(("view", "view2"), names, strict=True):
            alone = with_inputs(alone, view, person=[person, 0], mask=["masks", 0])
        assert (values(server, alone, image=["decode", 0]) - images[number]).abs().max() < 1e-3
        mask = values(server, with_evidence(alone, ["combine", 1]), mask=["evidence", 1])
        assert (mask - found[number]).abs().max() < 1e-3


def test_merged_tokens_cannot_be_read(server: Server) -> None:
    graph = restore(seed=SEED, steps=STEPS)
    graph["merge"] = node("TomePatchModel", model=["load", 0], ratio=0.3)
    graph = with_evidence(with_inputs(graph, "apply", model=["merge", 0]))
    with pytest.raises(PromptFailed, match="Another node merges tokens"):
        server.run(graph)


def test_details_from_the_view_of_another_batch_are_refused(server: Server) -> None:
    one, two = with_evidence(restore(seed=SEED, steps=STEPS)), two_persons(restore())
    others = {name: two[name] for name in ("other", "persons", "mask_1", "mask_2", "mask_both", "masks")}
    graph = with_inputs({**one, **others, "both": two["view"]}, "transfer", view=["both", 0])
    with pytest.raises(PromptFailed, match="The view, with 2 photos, does not match 1 image"):
        server.run({**graph, "save": node("PreviewImage", images=["transfer", 0])})


def test_part_of_a_batch_of_several_garments_is_refused(server: Server) -> None:
    """ComfyUI does not keep the images' numbers when a batch is repeated, so the wrong garments would be restored."""
    whole = two_persons(restore(seed=SEED, steps=STEPS))
    repeated = {**whole, "again": node("RepeatLatentBatch", samples=["apply", 3], amount=2)}
    four = server.latents(with_inputs(repeated, "sample", latent=["again", 0]), LATENT)
    assert len(four) == 4
    for source, start, length in ((["again", 0], 1, 2), (["apply", 3], 1, 1)):
        cut = {**repeated, "cut": node("LatentFromBatch", samples=source, batch_index=start, length=length)}
        with pytest.raises(PromptFailed, match="no longer shows which of several garments"):
            server.run(with_inputs(cut, "sample", latent=["cut", 0]))
    sampled = with_inputs(repeated, "sample", latent=["again", 0])
    after = with_evidence({**sampled, "cut": node("LatentFromBatch", samples=["sample", 0], batch_index=1, length=2)})
    after = with_inputs(with_inputs(after, "decode", samples=["cut", 0]), "evidence", latent=["cut", 0])
    with pytest.raises(PromptFailed, match="IGRGarmentEvidence.*no longer shows which of several garments"):
        server.run(after)


def test_images_taken_from_a_batch_of_one_garment_are_those_of_the_batch(server: Server) -> None:
    graph = restore(seed=SEED, steps=STEPS)
    graph = {**graph, "again": node("RepeatLatentBatch", samples=["apply", 3], amount=3)}
    three = server.latents(with_inputs(graph, "sample", latent=["again", 0]), LATENT)
    cut = {**graph, "cut": node("LatentFromBatch", samples=["again", 0], batch_index=1, length=2)}
    two = server.latents(with_inputs(cut, "sample", latent=["cut", 0]), LATENT)
    assert (two - three[1:]).abs().max() < 1e-4 * float(three.abs().max())


def test_the_evidence_of_an_enlarged_latent_is_refused_with_a_sentence(server: Server) -> None:
    graph = with_evidence(restore(seed=SEED, steps=STEPS))
    graph["larger"] = node("LatentUpscaleBy", samples=["sample", 0], upscale_method="nearest-exact", scale_by=2.0)
    graph = with_inputs(graph, "evidence", latent=["larger", 0])
    graph = with_inputs(graph, "decode", samples=["larger", 0])
    with pytest.raises(PromptFailed, match="sampled at a different size from its reference"):
        server.run(graph)
