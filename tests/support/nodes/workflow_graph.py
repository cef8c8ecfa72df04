"""Shipped workflows read from their files, and the ComfyUI nodes that they use; no host is needed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.nodes.node_schemas import ROOT, Input, Schema, our_schemas

PACK = "igr-garment-restoration"
BLUEPRINT = ROOT / "subgraphs" / "Restore Garment (virtual try-off).json"
"""The simplest blueprint that contains the whole chain."""
NOTES = {"Note", "MarkdownNote"}
TITLE, SLOT, WIDGET = 30, 20, 24
"""Heights of a node's title bar, of a socket's row and of a widget's, in the frontend's classic design."""

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


# ComfyUI's own nodes ---------------------------------------------------------------------------------------------


def _core(inputs: str, outputs: str) -> Schema:
    """A schema from words like `pixels:IMAGE seed:INT! name:STRING>`.

    Here, ! means control_after_generate, > a socket in place of a widget, and [ a box's widget.
    """
    taken = [one.split(":") for one in inputs.split()]
    given = [one.split(":") for one in outputs.split()]
    return Schema(
        tuple(
            Input(
                name,
                kind.rstrip("!>["),
                control=kind.endswith("!"),
                forced=kind.endswith(">"),
                box=kind.endswith("["),
            )
            for name, kind in taken
        ),
        tuple((name, kind) for name, kind in given),
    )


CORE = {
    "BasicGuider": _core("model:MODEL conditioning:CONDITIONING", "GUIDER:GUIDER"),
    "CheckpointLoaderSimple": _core("ckpt_name:COMBO", "MODEL:MODEL CLIP:CLIP VAE:VAE"),
    "CLIPLoader": _core("clip_name:COMBO type:COMBO device:COMBO", "CLIP:CLIP"),
    "CLIPTextEncode": _core("clip:CLIP text:STRING", "CONDITIONING:CONDITIONING"),
    "EmptyFlux2LatentImage": _core("width:INT height:INT batch_size:INT", "LATENT:LATENT"),
    "Flux2Scheduler": _core("steps:INT width:INT height:INT", "SIGMAS:SIGMAS"),
    "GetImageSize": _core("image:IMAGE", "width:INT height:INT batch_size:INT"),
    "ImageScaleToTotalPixels": _core(
        "image:IMAGE upscale_method:COMBO megapixels:FLOAT resolution_steps:INT", "IMAGE:IMAGE"
    ),
    "KSamplerSelect": _core("sampler_name:COMBO", "SAMPLER:SAMPLER"),
    "RandomNoise": _core("noise_seed:INT!", "NOISE:NOISE"),
    "RepeatLatentBatch": _core("samples:LATENT amount:INT", "LATENT:LATENT"),
    "ReferenceLatent": _core("conditioning:CONDITIONING latent:LATENT", "CONDITIONING:CONDITIONING"),
    "SAM3_Detect": _core(
        "model:MODEL image:IMAGE conditioning:CONDITIONING bboxes:BOUNDING_BOX positive_coords:STRING> "
        "negative_coords:STRING> threshold:FLOAT refine_iterations:INT individual_masks:BOOLEAN",
        "masks:MASK bboxes:BOUNDING_BOX",
    ),
    "SamplerCustomAdvanced": _core(
        "noise:NOISE guider:GUIDER sampler:SAMPLER sigmas:SIGMAS latent_image:LATENT",
        "output:LATENT denoised_output:LATENT",
    ),
    "SaveImage": _core("images:IMAGE filename_prefix:STRING", "images:IMAGE"),
    "UNETLoader": _core("unet_name:COMBO weight_dtype:COMBO", "MODEL:MODEL"),
    "VAEDecode": _core("samples:LATENT vae:VAE", "IMAGE:IMAGE"),
    "VAEEncode": _core("pixels:IMAGE vae:VAE", "LATENT:LATENT"),
    "VAELoader": _core("vae_name:COMBO", "VAE:VAE"),
}
"""The nodes of ComfyUI v0.29.0 that the workflows use; the host tests compare them with the host."""


# Files -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """A link from an output of `origin` to an input of `target`."""

    id: int
    origin: int
    origin_slot: int
    target: int
    target_slot: int
    type: str


class Canvas:
    """One canvas: a workflow's, or the inside of a subgraph."""

    def __init__(self, name: str, data: dict[str, Any], definitions: list[dict[str, Any]]) -> None:
        self.name = name
        self.data = data
        self.nodes: dict[int, dict[str, Any]] = {node["id"]: node for node in data["nodes"]}
        self.groups: list[dict[str, Any]] = data["groups"]
        self.subgraphs = {one["id"]: one for one in definitions}
        self.links = [
            Link(*one)
            if isinstance(one, list)
            else Link(
                one["id"], one["origin_id"], one["origin_slot"], one["target_id"], one["target_slot"], one["type"]
            )
            for one in data["links"]
        ]

    def kind(self, node: dict[str, Any]) -> Schema | None:
        """The schema of a node: ours, the host's or a subgraph's; None for notes. An unknown type is a KeyError."""
        name = node["type"]
        if name in NOTES:
            return None
        if name in self.subgraphs:
            inside = self.subgraphs[name]
            return Schema(
                tuple(Input(one["name"], one["type"]) for one in inside["inputs"]),
                tuple((one["name"], one["type"]) for one in inside["outputs"]),
            )
        return our_schemas()[name] if name in our_schemas() else CORE[name]

    def box(self, node: dict[str, Any]) -> Box:
        """A node with its title bar."""
        (x, y), (width, height) = node["pos"], node["size"]
        return (x, y - TITLE, x + width, y + height)

    def end(self, number: int, slot: int, *, output: bool) -> Point:
        """Position where a link meets a node, or the border of a subgraph (-10 in, -20 out)."""
        if number in (-10, -20):
            side = self.data["inputNode" if number == -10 else "outputNode"]["bounding"]
            x = side[0] + side[2] if number == -10 else side[0]
            return (x, side[1] + SLOT * (slot + 1.2))
        node = self.nodes[number]
        (x, y), width = node["pos"], node["size"][0]
        if output:
            return (x + width, y + SLOT * (slot + 0.7))
        names = [one["name"] for one in node["inputs"] if "widget" not in one]
        name = node["inputs"][slot]["name"]
        if name in names:
            return (x, y + SLOT * (names.index(name) + 0.7))
        schema = self.kind(node)
        assert schema is not None
        rows = max(len(names), len(node["outputs"]), 1)
        above = schema.widgets[: [one.name for one in schema.widgets].index(name)]
        number_above = sum(one.value_count for one in above)
        return (x, y + SLOT * rows + 16 + WIDGET * number_above)

    def path(self, link: Link) -> list[Point]:
        """A link as straight segments: output, its reroutes, input."""
        ends = (
            self.end(link.origin, link.origin_slot, output=True),
            self.end(link.target, link.target_slot, output=False),
        )
        return [ends[0], *(tuple(self.reroutes[one]["pos"]) for one in self.way(link)), ends[1]]

    @property
    def reroutes(self) -> dict[int, dict[str, Any]]:
        """Reroutes by their number."""
        listed = self.data.get("reroutes") or (self.data.get("extra") or {}).get("reroutes") or []
        return {one["id"]: one for one in listed}

    def way(self, link: Link) -> list[int]:
        """Numbers of a link's reroutes, in order from its output to its input."""
        extensions = (self.data.get("extra") or {}).get("linkExtensions") or []
        parents = {one["id"]: one["parentId"] for one in extensions}
        for one in self.data["links"]:
            if isinstance(one, dict) and "parentId" in one:
                parents[one["id"]] = one["parentId"]
        numbers: list[int] = []
        number = parents.get(link.id)
        while number is not None:
            assert number not in numbers, f"reroutes of wire {link.id} go in a circle"
            numbers.insert(0, number)
            number = self.reroutes[number].get("parentId")
        return numbers


def load_canvases(path: Path) -> list[Canvas]:
    """The canvas of a file and those of its subgraphs."""
    data = json.loads(path.read_text(encoding="utf-8"))
    definitions = data.get("definitions", {}).get("subgraphs", [])
    inner = [Canvas(f"{path.name}: {one['name']}", one, definitions) for one in definitions]
    return [Canvas(path.name, data, definitions), *inner]


# Geometry --------------------------------------------------------------------------------------------------------


def overlap(one: Box, other: Box, gap: float = 0) -> bool:
    """Whether two boxes are closer than `gap`."""
    return one[0] < other[2] + gap and other[0] < one[2] + gap and one[1] < other[3] + gap and other[1] < one[3] + gap


def crossing(one: list[Point], other: list[Point]) -> bool:
    """Whether two links cross; touching ends and shared reroutes do not count."""
    return any(
        _cross(a, b, c, d) for a, b in zip(one, one[1:], strict=False) for c, d in zip(other, other[1:], strict=False)
    )


def passes(path: list[Point], box: Box) -> bool:
    """Whether a link runs through a box."""
    left, top, right, bottom = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    inside = any(left < x < right and top < y < bottom for x, y in path)
    return inside or any(_cross(a, b, c, d) for a, b in zip(path, path[1:], strict=False) for c, d in sides)


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
