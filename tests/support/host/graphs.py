"""The pack's graphs in API form."""

from __future__ import annotations

from typing import Any

from tests.support.host.server import Graph

TINY = "tiny.safetensors"
TINY_SAM = "tiny-sam2"
TINY_PARSER = "tiny-parser"
SMALL, SMALL_SEGMENTER, SMALL_PARSER = "igr-small", "igr-small segmenter", "igr-small parser"
POINTS = '{"positive": [[350, 520]], "negative": [[20, 20]], "box": null, "size": [576, 768]}'
"""Clicks on the upper example person's shirt and next to it."""
LATENT = ["sample", 0]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def restore(bundle: str = TINY, garment: str = "upper", *, seed: int = 7, steps: int = 3) -> Graph:
    """Example person -> garment, by the pack's own nodes; take ["sample", 0] or ["decode", 0]."""
    return {
        "load": node("IGRLoad", bundle=bundle),
        "person": node("IGRExamplePerson", garment=garment),
        "view": node(
            "IGRGarmentView",
            person=["person", 0],
            mask=["person", 1],
            adapter=["load", 1],
            size="the model's own",
            view="the model's own",
            margin=0.25,
        ),
        "encode": node(
            "IGRGarmNetEncode", adapter=["load", 1], vae=["load", 2], view=["view", 0], category=["person", 2]
        ),
        "apply": node(
            "IGRApply",
            model=["load", 0],
            reference=["encode", 0],
            reference_strength=1.0,
            image_prompt_strength=1.0,
        ),
        "sample": node(
            "IGRSample",
            model=["apply", 0],
            positive=["apply", 1],
            negative=["apply", 2],
            latent=["apply", 3],
            seed=seed,
            steps=steps,
            guidance=1.5,
        ),
        "decode": node("VAEDecode", samples=["sample", 0], vae=["load", 2]),
        "show": node("PreviewImage", images=["decode", 0]),
    }


def segment(model: str = TINY_SAM, **inputs: Any) -> Graph:
    """Example person -> mask of the clicks, saved by ["saved"]; take ["segment", 0] or ["segment", 1]."""
    given = {"person": ["person", 0], "candidates": "largest", "points": POINTS, **inputs}
    return {
        "person": node("IGRExamplePerson", garment="upper"),
        "load": node("IGRSegmenterLoad", model=model),
        "segment": node("IGRGarmentSegment", segmenter=["load", 0], **given),
        "picture": node("MaskToImage", mask=["segment", 0]),
        "saved": node("SaveImage", images=["picture", 0], filename_prefix="mask"),
    }


def by_category(
    model: str = TINY_PARSER,
    category: str = "upper",
    *,
    segmenter: bool = False,
    restored_as: Any = None,
) -> Graph:
    """Example person -> mask of a category, saved by ["saved"]; take ["parse", 0] to ["parse", 2].

    If `restored_as` is a category or a link, the garment is restored as well: take ["sample", 0].
    """
    parse = node("IGRGarmentByCategory", person=["person", 0], parser=["parser", 0], category=category)
    graph = {
        "person": node("IGRExamplePerson", garment="upper"),
        "parser": node("IGRParserLoad", model=model),
        "parse": parse,
        "picture": node("MaskToImage", mask=["parse", 0]),
        "saved": node("SaveImage", images=["picture", 0], filename_prefix="mask"),
    }
    if segmenter:
        graph["segmenter"] = node("IGRSegmenterLoad", model=TINY_SAM)
        parse["inputs"]["segmenter"] = ["segmenter", 0]
    if restored_as is not None:
        tail = {name: one for name, one in restore().items() if name not in graph and name not in ("decode", "show")}
        graph |= with_inputs(with_inputs(tail, "view", mask=["parse", 0]), "encode", category=restored_as)
    return graph


def with_inputs(graph: Graph, name: str, **inputs: Any) -> Graph:
    """The graph with some inputs of one node changed."""
    changed = {**graph[name], "inputs": {**graph[name]["inputs"], **inputs}}
    return {**graph, name: changed}


def with_sampler(graph: Graph, model: list[Any], cfg: float = 1.5, steps: int = 2) -> Graph:
    """The graph with the core KSampler on `model` in place of IGR Sample."""
    return {
        **graph,
        "sample": node(
            "KSampler",
            model=model,
            positive=["apply", 1],
            negative=["apply", 2],
            latent_image=["apply", 3],
            seed=3,
            steps=steps,
            cfg=cfg,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
    }


def unpatched(graph: Graph) -> Graph:
    """The graph with IGR Load's own model; IGR Sample only accepts it with conditionings that are not marked."""
    bare = {f"bare {name}": node("ProbeBare", conditioning=["apply", at]) for name, at in (("yes", 1), ("no", 2))}
    return with_inputs(
        {**graph, **bare}, "sample", model=["load", 0], positive=["bare yes", 0], negative=["bare no", 0]
    )


def with_evidence(graph: Graph, view: list[Any] | None = None) -> Graph:
    """The graph of `restore` with Garment Evidence and Transfer Details; take ["evidence", n] and ["transfer", n]."""
    view = view or ["view", 0]
    return {
        **graph,
        "evidence": node(
            "IGRGarmentEvidence",
            adapter=["load", 1],
            model=["apply", 0],
            positive=["apply", 1],
            latent=["sample", 0],
            image=["decode", 0],
            view=view,
        ),
        "transfer": node(
            "IGRTransferDetails",
            image=["decode", 0],
            evidence=["evidence", 0],
            view=view,
            width=192,
            height=256,
            strength=1.0,
        ),
    }


def with_two_photos(graph: Graph, other: str) -> Graph:
    """The graph of `restore` with the example person `other` as a second photo; take ["combine", 0] and [..., 1]."""
    second = {
        "person2": node("IGRExamplePerson", garment=other),
        "view2": with_inputs(graph, "view", person=["person2", 0], mask=["person2", 1])["view"],
        "encode2": with_inputs(graph, "encode", view=["view2", 0])["encode"],
        "combine": node(
            "IGRCombineReferences",
            reference=["encode", 0],
            view=["view", 0],
            other_reference=["encode2", 0],
            other_view=["view2", 0],
        ),
    }
    return {**with_inputs(graph, "apply", reference=["combine", 0]), **second}


def with_flat_start(
    graph: Graph, size: tuple[int, int], reference: list[Any] | None = None, view: list[Any] | None = None
) -> Graph:
    """The graph of `restore`, starting from Flatten Garment; take ["complete", 0] or ["flat", 2]."""
    flat = node("IGRFlattenGarment", reference=reference or ["encode", 0], view=view or ["view", 0], vae=["load", 2])
    complete = node("IGRCompleteGarment", flat=["flat", 0], image=["decode", 0], width=size[0], height=size[1])
    graph = with_inputs(with_inputs(graph, "sample", latent=["flat", 1], denoise=0.5), "show", images=["complete", 0])
    return {**graph, "flat": flat, "complete": complete}


def two_persons(graph: Graph) -> Graph:
    """The graph on a batch of two persons of one category, each with its own mask."""
    graph = with_inputs(graph, "view", person=["persons", 0], mask=["masks", 0])
    graph = with_inputs(graph, "encode", category="upper")
    return {
        **graph,
        "other": node("IGRExamplePerson", garment="lower"),
        "persons": node("ImageBatch", image1=["person", 0], image2=["other", 0]),
        "mask_1": node("MaskToImage", mask=["person", 1]),
        "mask_2": node("MaskToImage", mask=["other", 1]),
        "mask_both": node("ImageBatch", image1=["mask_1", 0], image2=["mask_2", 0]),
        "masks": node("ImageToMask", image=["mask_both", 0], channel="red"),
    }
