"""Inputs that do not belong together are refused, or reported on the node, instead of giving a wrong picture."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.host.graphs import (
    SMALL,
    TINY,
    node,
    restore,
    two_persons,
    with_evidence,
    with_flat_start,
    with_inputs,
    with_two_photos,
)
from tests.support.host.headless import values
from tests.support.host.server import Graph, PromptFailed, Server

SIZE = (192, 256)


def notes(server: Server, graph: Graph, name: str) -> list[str]:
    """The texts on a node after a run."""
    return [note["text"] for note in server.run(graph)["outputs"][name]["igr_notes"]]


def with_other_photo(graph: Graph) -> Graph:
    """The graph of with_flat_start, and the same for another photo; take ["other flat", n] or ["other decode", 0]."""
    names = ("person", "view", "encode", "apply", "flat", "sample", "decode")
    others = {
        f"other {name}": {
            **graph[name],
            "inputs": {
                key: [f"other {value[0]}", value[1]] if isinstance(value, list) and value[0] in names else value
                for key, value in graph[name]["inputs"].items()
            },
        }
        for name in names
    }
    return with_inputs({**graph, **others}, "other person", garment="lower")


@pytest.mark.parametrize("negative", [1, 2])
def test_a_positive_that_does_not_use_the_photo_is_refused(server: Server, negative: int) -> None:
    """By IGR Sample; ComfyUI's guiders may combine the conditionings in any order."""
    graph = with_inputs(restore(), "sample", positive=["apply", 2], negative=["apply", negative])
    with pytest.raises(PromptFailed, match="The positive conditioning comes from IGR Apply's negative output"):
        server.run(graph)


def test_a_bundle_with_a_vae_refuses_another_one(server: Server) -> None:
    graph = restore(SMALL)
    graph["other"] = node("IGRLoad", bundle=TINY)
    with pytest.raises(PromptFailed, match=r"The connected VAE is not the one in .*: disconnect it"):
        server.run(with_inputs(graph, "load", vae=["other", 2]))
    graph["own"] = node("IGRLoad", bundle=SMALL)
    own = with_inputs(graph, "load", vae=["own", 2])
    assert (server.latents(own, ["sample", 0]) == server.latents(restore(SMALL), ["sample", 0])).all()


def test_the_flat_latent_of_another_photo_is_refused(server: Server) -> None:
    graph = with_other_photo(with_flat_start(restore(steps=1), SIZE))
    with pytest.raises(PromptFailed, match="The latent comes from a Flatten Garment for other photos"):
        server.run(with_inputs(graph, "sample", latent=["other flat", 1]))


def test_a_flat_latent_of_one_of_several_photos_is_accepted(server: Server) -> None:
    graph = with_flat_start(with_two_photos(restore(steps=1), "full"), SIZE)
    assert graph["flat"]["inputs"]["reference"] == ["encode", 0] != graph["apply"]["inputs"]["reference"]
    server.run(graph)


def test_a_restored_latent_may_be_sampled_again_at_another_size(server: Server) -> None:
    graph = with_flat_start(restore(steps=1), SIZE)
    graph["large"] = node("LatentUpscaleBy", samples=["sample", 0], upscale_method="nearest-exact", scale_by=1.2)
    graph["second view"] = with_inputs(graph, "view", size="384x512")["view"]
    graph["second encode"] = with_inputs(graph, "encode", view=["second view", 0])["encode"]
    graph["second apply"] = with_inputs(graph, "apply", reference=["second encode", 0])["apply"]
    second = {name: ["second apply", at] for at, name in enumerate(("model", "positive", "negative"))}
    graph["again"] = with_inputs(graph, "sample", latent=["large", 0], denoise=0.5, **second)["sample"]
    assert server.latents(graph, ["again", 0]).isfinite().all()


def test_a_latent_of_another_aspect_ratio_is_refused(server: Server) -> None:
    graph = restore(steps=1)
    graph["square"] = node("EmptyLatentImage", width=256, height=256, batch_size=1)
    with pytest.raises(PromptFailed, match=r"The latent is 256x256, but the photo was encoded at .*same aspect ratio"):
        server.run(with_inputs(graph, "sample", latent=["square", 0]))
    graph["large"] = node("LatentUpscaleBy", samples=["apply", 3], upscale_method="nearest-exact", scale_by=1.5)
    server.run(with_inputs(graph, "sample", latent=["large", 0]))


def test_the_image_of_another_garment_is_reported_by_complete_garment(server: Server) -> None:
    graph = with_other_photo(with_flat_start(restore(SMALL, "full", steps=1), SIZE))
    assert notes(server, graph, "complete") == []
    foreign = with_inputs(graph, "complete", image=["other decode", 0])
    assert ["does not look like the flat garment" in one for one in notes(server, foreign, "complete")] == [True]
    graph["finish"] = node("IGRGarmentFinish", image=["decode", 0], aspect="3:4", margin=0.3, background="white")
    (moved,) = notes(server, with_inputs(graph, "complete", image=["finish", 0]), "complete")
    assert "without another node between" in moved


def test_an_image_that_is_not_the_decoded_latent_is_reported_by_garment_evidence(server: Server) -> None:
    graph = with_other_photo(with_flat_start(restore(SMALL, steps=1), SIZE))
    graph = with_evidence(graph)
    report = notes(server, graph, "evidence")
    assert len(report) == 1 and "not visible" in report[0]
    warning, *_ = notes(server, with_inputs(graph, "evidence", image=["other decode", 0]), "evidence")
    assert warning.startswith("The image does not look like its latent: connect the VAE Decode of the latent")


def test_the_mask_of_another_image_is_reported_by_garment_finish(server: Server) -> None:
    graph = with_flat_start(restore(SMALL, steps=1), SIZE)
    layout: dict[str, Any] = {"aspect": "3:4", "margin": 0.05, "background": "white"}
    for name, image, mask in (
        ("own", "complete", ["complete", 2]),
        ("hidden", "complete", ["complete", 1]),
        ("photo", "person", ["person", 1]),
    ):
        graph[name] = node("IGRGarmentFinish", image=[image, 0], mask=mask, **layout)
        graph[f"{name} shown"] = node("PreviewImage", images=[name, 0])
    outputs = server.run(graph)["outputs"]
    said = {name: [note["text"] for note in outputs[name]["igr_notes"]] for name in ("own", "hidden", "photo")}
    assert said["own"] == said["photo"] == []  # a photo has no white background to compare with
    (sentence,) = said["hidden"]
    assert sentence.startswith("The mask leaves out ") and "connect the mask of the node" in sentence


def test_one_image_of_a_batch_does_not_take_the_place_of_another(server: Server) -> None:
    graph = two_persons(restore(steps=1))
    graph["second"] = node("ImageFromBatch", image=["decode", 0], batch_index=1, length=1)
    graph["finish"] = node(
        "IGRGarmentFinish",
        image=["second", 0],
        view=["view", 0],
        aspect="the photo's own",
        margin=0,
        background="white",
    )
    with pytest.raises(PromptFailed, match="has 1 image, but the view has 2 garments"):
        values(server, graph, image=["finish", 0])


@pytest.mark.parametrize("garment", ["upper", "lower", "full"])
def test_the_photos_own_aspect_does_not_cut_the_garment_off(server: Server, garment: str) -> None:
    graph = with_flat_start(restore(SMALL, garment, steps=1), SIZE)
    graph["finish"] = node(
        "IGRGarmentFinish",
        image=["complete", 0],
        mask=["complete", 2],
        view=["view", 0],
        aspect="the photo's own",
        margin=0.0,
        background="white",
    )
    outline = values(server, graph, mask=["complete", 2])[0, 0]
    assert max(float(edge.max()) for edge in (outline[0], outline[-1], outline[:, 0], outline[:, -1])) < 0.1
    found = values(server, graph, mask=["finish", 1])[0, 0]
    assert 0.05 < found.mean() < 0.9
    assert max(float(edge.max()) for edge in (found[0], found[-1], found[:, 0], found[:, -1])) < 0.5
