"""A user's mistake is reported in one sentence that names the remedy, and the server keeps running."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.host.graphs import SMALL, SMALL_PARSER, TINY, node, restore, with_evidence, with_inputs
from tests.support.host.masks import mask_of as mask_of_graph
from tests.support.host.masks import saved_masks
from tests.support.host.server import Graph, PromptFailed, PromptRefused, Server


def mask_of(value: float, width: int = 576, height: int = 768) -> Graph:
    graph = with_inputs(restore(), "view", mask=["drawn", 0])
    return {**graph, "drawn": node("SolidMask", value=value, width=width, height=height)}


def without_adapter() -> Graph:
    graph = restore()
    inputs = {name: value for name, value in graph["view"]["inputs"].items() if name != "adapter"}
    return {**graph, "view": {**graph["view"], "inputs": inputs}}


def with_vae_of(bundle: str) -> Graph:
    return with_inputs({**restore(), "twin": node("IGRLoad", bundle=bundle)}, "encode", vae=["twin", 2])


def black_photo() -> Graph:
    """A photo as saved by MaskEditor of the frontends 1.47.3 to 1.47.12: completely black under the mask."""
    graph = {**restore(), "black": node("EmptyImage", width=576, height=768, batch_size=1, color=0)}
    return with_inputs(graph, "view", person=["black", 0])


def black_under_a_small_mask() -> Graph:
    """A photo that is black only under its mask; a larger mask would also cover pixels that are not black."""
    graph = {
        **restore(),
        "disc": node("SolidMask", value=1.0, width=200, height=200),
        "rest": node("SolidMask", value=0.0, width=576, height=768),
        "mask": node("MaskComposite", destination=["rest", 0], source=["disc", 0], x=180, y=250, operation="add"),
        "black": node("EmptyImage", width=576, height=768, batch_size=1, color=0),
        "hole": node(
            "ImageCompositeMasked",
            destination=["person", 0],
            source=["black", 0],
            x=0,
            y=0,
            resize_source=False,
            mask=["mask", 0],
        ),
    }
    return with_inputs(graph, "view", person=["hole", 0], mask=["mask", 0], grow=12)


def model_of(bundle: str) -> Graph:
    return with_inputs({**restore(), "twin": node("IGRLoad", bundle=bundle)}, "apply", model=["twin", 0])


def with_latent(kind: str, **inputs: Any) -> Graph:
    return with_inputs({**restore(), "other": node(kind, **inputs)}, "sample", latent=["other", 0])


def with_option(at: str, name: str, graph: Graph | None = None) -> Graph:
    """The graph with an option set by a connected node, which the host does not check."""
    graph = {**(graph or restore()), "odd": node("ProbeText", text="odd")}
    return with_inputs(graph, at, **{name: ["odd", 0]})


def with_value(at: str, name: str, value: Any, graph: Graph | None = None) -> Graph:
    """The graph with a value of a wrong type or size from a connected node, which the host does not check."""
    graph = {**(graph or restore()), "odd": node("ProbeText", text=json.dumps(value), parse=True)}
    return with_inputs(graph, at, **{name: ["odd", 0]})


def finished(**inputs: Any) -> Graph:
    """The graph with a finished garment."""
    given = {"aspect": "3:4", "margin": 0.05, "background": "white", **inputs}
    return {
        **restore(),
        "finish": node("IGRGarmentFinish", image=["decode", 0], **given),
        "look": node("PreviewImage", images=["finish", 0]),
    }


OPTIONS = {
    "view of the bundle": (with_option("view", "view"), "IGRGarmentView: IGRError: view is 'odd': choose"),
    "without a mask": (with_option("view", "without_mask"), "IGRGarmentView: IGRError: without_mask is 'odd': choose"),
    "category": (with_option("encode", "category"), "IGRGarmNetEncode: IGRError: Unknown category 'odd': choose"),
    "kept features": (with_option("encode", "keep_reference"), "keep_reference is 'odd': choose near or all"),
    "preset": (with_option("sample", "preset"), "IGRSample: IGRError: preset is 'odd': choose custom, "),
    "sampler": (with_option("sample", "sampler"), "IGRSample: IGRError: sampler is 'odd': choose "),
    "schedule": (with_option("sample", "schedule"), "IGRSample: IGRError: schedule is 'odd': choose "),
    "aspect": (
        with_option("finish", "aspect", finished()),
        "aspect is 'odd': choose 3:4, ",
    ),
    "background": (with_option("finish", "background", finished()), "background is 'odd': choose white, "),
    "example": (with_option("person", "garment"), "IGRExamplePerson: IGRError: garment is 'odd': choose upper, "),
}
NAN = float("nan")
RUN_ERRORS = {
    "list as size": (
        with_value("view", "custom_size", [48, 64], with_inputs(restore(), "view", size="custom")),
        r"IGRGarmentView: IGRError: custom_size is \[48, 64\], which is not text: connect a node that outputs text",
    ),
    "number as colour": (with_value("finish", "colour", 7, finished(background="colour")), "colour is 7, which is not"),
    "nothing as levels": (with_value("apply", "level_strengths", None), "level_strengths is None, which is not text"),
    "other images of a batch": (
        with_value("sample", "latent", {"samples": [2, 4, 8, 8], "batch_index": [5]}),
        "IGRSample: IGRError: The latent has 2 images, but its batch_index has 1 entry: connect IGR Apply's latent",
    ),
    "model without a reference": (
        with_inputs(restore(), "sample", model=["load", 0]),
        "IGRSample: IGRError: The model has no reference, so the photo would not be used: connect IGR Apply's model",
    ),
    "half a step": (with_value("sample", "steps", 1.5), "IGRSample: IGRError: steps is 1.5: use a whole number from 1"),
    "no strength": (with_value("apply", "reference_strength", None), "reference_strength is None: use a number from 0"),
    "far too wide": (
        with_value("view", "grow", 5000),
        "IGRGarmentView: IGRError: grow is 5000: use a number from -256",
    ),
    "no conditioning": (with_value("sample", "positive", []), "No conditioning comes from IGR Apply: connect its pos"),
    "schedule for one step": (
        with_inputs(restore(), "sample", schedule="kl_optimal", steps=1),
        "IGRSample: IGRError: kl_optimal does not work with steps = 1: use more steps, or another schedule",
    ),
    "black under the mask": (black_photo(), "IGRGarmentView.*completely black under its mask.*second Load Image"),
    "black under a mask that grows": (black_under_a_small_mask(), "IGRGarmentView.*completely black under its mask"),
    "model of another bundle": (model_of("twin.safetensors"), "IGRApply.*come from different bundles: use the same"),
    "vae of another bundle": (with_vae_of("twin.safetensors"), "IGRGarmNetEncode.*The VAE comes from another bundle"),
    "result that is not finite": (restore("wild.safetensors"), "IGRSample.*latent contains NaN or infinite values"),
    "empty mask": (mask_of(0.0), "IGRGarmentView.*empty: paint the garment"),
    "other size": (mask_of(1.0, 500), "IGRGarmentView.*resize the mask to 576×768"),
    "odd size": (with_inputs(restore(), "view", size="custom", custom_size="72x72"), "IGRGarmentView.*nearest is"),
    "shrunk away": (with_inputs(restore(), "view", grow=-128), "IGRGarmentView.*grow = -128 removes all"),
    "truncated": (restore("cut.safetensors"), "IGRLoad.*cut.safetensors.*truncated"),
    "foreign": (restore("lora.safetensors"), "IGRLoad.*lora.safetensors is not an IGR bundle"),
    "not a number": (restore("nan.safetensors"), "IGRLoad.*nan.safetensors contains NaN or infinite values in garmnet"),
    "part of a vae": (
        restore("part.safetensors"),
        "IGRLoad.*vae in .*part.safetensors is missing decoder.conv_out.weight",
    ),
    "another vae": (restore("other.safetensors"), "IGRLoad.*vae in .*other.safetensors does not match its config"),
    "part of an encoder": (
        restore("tower.safetensors"),
        "image_encoder in .*tower.safetensors is missing .*post_layernorm",
    ),
    "another encoder": (restore("wide.safetensors"), "image_encoder in .*wide.safetensors does not match its config"),
    "latent of another model": (
        with_latent("EmptySD3LatentImage", width=512, height=512, batch_size=1),
        r"IGRSample: IGRError: The latent has shape \(1, 16, 64, 64\), but this model needs \(batch, 4.*IGR Apply's",
    ),
    "latent of a video": (
        with_latent("EmptyHunyuanLatentVideo", width=64, height=64, length=5, batch_size=1),
        r"IGRSample: IGRError: The latent has shape \(1, 16, 2, 8, 8\), but this model needs",
    ),
    "guidance nan": (with_inputs(restore(), "sample", guidance=NAN), "IGRSample: IGRError: guidance is nan: use a"),
    "strength nan": (
        with_inputs(restore(), "apply", reference_strength=NAN),
        "IGRApply: IGRError: reference_strength is nan: use a number from 0 to 4",
    ),
    "image prompt nan": (
        with_inputs(restore(), "apply", image_prompt_strength=NAN),
        "IGRApply: IGRError: image_prompt_strength is nan",
    ),
    "start nan": (with_inputs(restore(), "apply", start_percent=NAN), "IGRApply: IGRError: start_percent is nan"),
    "margin nan": (finished(margin=NAN), "IGRGarmentFinish: IGRError: margin is nan: use a number from 0 to 0.4"),
    "swapped": (with_inputs(restore(), "apply", start_percent=0.8, end_percent=0.2), "IGRApply.*swap them"),
    "levels": (with_inputs(restore(), "apply", level_strengths="1, 1, 1"), "IGRApply.*2 levels"),
}
REFUSED = {
    "steps": (with_inputs(restore(), "sample", steps=501), "steps"),
    "no adapter": (without_adapter(), "Required input is missing.*adapter"),
    "category": (with_inputs(restore(), "encode", category="shoes"), "category"),
    "bundle": (restore("nothing.safetensors"), "nothing.safetensors"),
    "factors": (with_inputs(restore(), "apply", level_strengths="one"), "enter numbers from 0 to 10"),
    "size": (with_inputs(restore(), "view", custom_size="big"), "write width x height"),
}


@pytest.fixture(scope="module", autouse=True)
def broken_bundles(server: Server) -> None:
    """Add broken bundles next to the good one."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    folder = server.base / "models" / "igr"
    (folder / "cut.safetensors").write_bytes((folder / TINY).read_bytes()[:5000])
    with safe_open(folder / TINY, framework="pt") as file:
        metadata = file.metadata()
    good = load_file(folder / TINY)
    for name, change in {
        "nan": {"garmnet.conv_in.weight": torch.full_like(good["garmnet.conv_in.weight"], torch.nan)},
        "part": {"vae.decoder.conv_out.weight": None},
        "twin": {"vae.encoder.conv_in.weight": torch.randn_like(good["vae.encoder.conv_in.weight"])},
        "wild": {"denoiser.conv_out.weight": torch.full_like(good["denoiser.conv_out.weight"], 1e38)},
        "tower": {"image_encoder.vision_model.post_layernorm.weight": None},
        "wide": {"image_encoder.vision_model.post_layernorm.weight": torch.zeros(3)},
        "other": {"vae.decoder.conv_out.weight": torch.zeros(3, 1, 3, 3)},
    }.items():
        tensors = {key: value for key, value in {**good, **change}.items() if value is not None}
        save_file(tensors, folder / f"{name}.safetensors", metadata=metadata)
    save_file({"lora_unet_x.lora_up.weight": torch.zeros(1)}, folder / "lora.safetensors")


@pytest.mark.parametrize("case", RUN_ERRORS)
def test_mistakes_are_reported_in_one_sentence(server: Server, case: str) -> None:
    graph, sentence = RUN_ERRORS[case]
    with pytest.raises(PromptFailed, match=sentence):
        server.run(graph)


@pytest.mark.parametrize("case", OPTIONS)
def test_options_from_connected_nodes_are_checked(server: Server, case: str) -> None:
    graph, sentence = OPTIONS[case]
    with pytest.raises(PromptFailed, match=sentence):
        server.run(graph)


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_in_values_are_refused_at_once(server: Server, case: str) -> None:
    graph, word = REFUSED[case]
    # older hosts check the values of options only when a node runs, so the node reports them
    answers = (PromptRefused, PromptFailed) if case in ("category", "bundle") else PromptRefused
    with pytest.raises(answers, match=word):
        server.run(graph)


NO_MASK = {
    "none": {},
    "Load Image's for a photo without transparency": {"mask": ["drawn", 0]},
}


def without_mask(kind: str, **inputs: Any) -> Graph:
    graph = restore()
    del graph["view"]["inputs"]["mask"]
    graph["drawn"] = node("SolidMask", value=0.0, width=64, height=64)
    return with_inputs(graph, "view", **NO_MASK[kind], **inputs)


@pytest.mark.parametrize("kind", NO_MASK)
def test_without_a_mask_the_run_stops(server: Server, kind: str) -> None:
    with pytest.raises(PromptFailed, match="IGRGarmentView.*The photo has no mask: paint or connect one"):
        server.run(without_mask(kind))


@pytest.mark.parametrize("kind", NO_MASK)
def test_the_whole_photo_is_used_if_that_is_chosen(server: Server, kind: str) -> None:
    shown = server.run(without_mask(kind, without_mask="whole photo"))["outputs"]["view"]
    assert shown["text"] == ["The whole photo is treated as the garment."]
    assert [one["warning"] for one in shown["igr_notes"]] == [False] and len(shown["images"]) == 2


def test_a_parser_finds_the_garment_if_that_is_chosen(server: Server) -> None:
    graph = without_mask("none", without_mask=f"find: {SMALL_PARSER}")
    graph["picture"] = node("MaskToImage", mask=["view", 2])
    graph["saved"] = node("SaveImage", images=["picture", 0], filename_prefix="found")
    outputs = server.run(graph)["outputs"]
    assert outputs["view"]["text"][0].startswith(f"Mask found by {SMALL_PARSER}. upper, ")
    with_mask = restore()
    with_mask |= {name: graph[name] for name in ("picture", "saved")}
    found, own = saved_masks(server, outputs) > 0.5, mask_of_graph(server, with_mask) > 0.5
    assert (found & own).sum() / (found | own).sum() > 0.8


def test_messages_begin_without_the_path_of_a_module(server: Server) -> None:
    with pytest.raises(PromptFailed, match=r"^IGRGarmentView: IGRError: The photo has no mask"):
        server.run(without_mask("none"))


def test_a_model_of_another_kind_is_named(server: Server) -> None:
    graph = restore()
    graph["other"] = node("IGRLoad", bundle=SMALL)
    with pytest.raises(PromptFailed, match="IGRApply.*different bundles"):
        server.run(with_inputs(graph, "apply", model=["other", 0]))


def test_the_server_keeps_running(server: Server) -> None:
    assert server.run(restore())["status"]["status_str"] == "success"


def test_whole_numbers_may_come_as_floats(server: Server) -> None:
    assert server.run(with_value("sample", "steps", 2.0, with_value("sample", "seed", 5.0)))


def test_a_model_for_lcm_is_sampled_at_its_own_noise_levels(server: Server) -> None:
    graph = {**restore(), "lcm": node("ModelSamplingDiscrete", model=["load", 0], sampling="lcm", zsnr=False)}
    assert server.run(with_evidence(with_inputs(graph, "apply", model=["lcm", 0])))
