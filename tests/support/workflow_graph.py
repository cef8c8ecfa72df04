"""Shipped workflows as their files say they are, and the nodes' schemas read from the source: no host needed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACK = "igr-garment-restoration"
NOTES = {"Note", "MarkdownNote"}
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
TITLE, SLOT, WIDGET = 30, 20, 24
"""Heights of a node's title bar, of a socket's row and of a widget's, in the frontend's classic design."""

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Input:
    """An input of a node."""

    name: str
    type: str
    optional: bool = False
    control: bool = False
    """Whether the frontend adds a control_after_generate widget behind it."""
    forced: bool = False
    """Whether it is a socket where others of its type are widgets."""

    @property
    def is_widget(self) -> bool:
        return self.type in WIDGETS and not self.forced


@dataclass(frozen=True)
class Schema:
    """What a node takes and gives; inputs stand as the frontend orders them."""

    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, str], ...]
    """Name and type."""

    @property
    def sockets(self) -> tuple[Input, ...]:
        return tuple(one for one in self.inputs if not one.is_widget)

    @property
    def widgets(self) -> tuple[Input, ...]:
        return tuple(one for one in self.inputs if one.is_widget)

    @property
    def value_count(self) -> int:
        return len(self.widgets) + sum(one.control for one in self.widgets)


# The pack's own nodes --------------------------------------------------------------------------------------------


@cache
def our_schemas() -> dict[str, Schema]:
    """Schemas of the nodes by node id."""
    sockets = _socket_types()
    found = {}
    for path in sorted((ROOT / "nodes").rglob("*.py")):
        for call in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call.func, ast.Name) and call.func.id == "schema":
                fields = {one.arg: one.value for one in call.keywords}
                if "node_id" not in fields:
                    continue
                inputs = [_input(one, sockets) for one in _elements(fields["inputs"])]
                outputs = [_output(one, sockets) for one in _elements(fields["outputs"])]
                inputs.sort(key=lambda one: one.optional)
                found[ast.literal_eval(fields["node_id"])] = Schema(tuple(inputs), tuple(outputs))
    return found


def _socket_types() -> dict[str, str]:
    """AdapterSocket -> IGR_ADAPTER and so on, from nodes/sockets.py."""
    tree = ast.parse((ROOT / "nodes" / "sockets.py").read_text(encoding="utf-8"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.literal_eval(node.value.args[0])
    return found


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _elements(node: ast.expr) -> list[ast.Call]:
    assert isinstance(node, ast.List) and all(isinstance(one, ast.Call) for one in node.elts)
    return [one for one in node.elts if isinstance(one, ast.Call)]


def _type(kind: ast.expr, sockets: dict[str, str]) -> str:
    """io.Image.Input -> IMAGE, ViewSocket.Output -> IGR_VIEW."""
    assert isinstance(kind, ast.Attribute) and kind.attr in {"Input", "Output"}
    owner = kind.value
    if isinstance(owner, ast.Name):
        return sockets[owner.id]
    assert isinstance(owner, ast.Attribute)
    return {"ClipVision": "CLIP_VISION"}.get(owner.attr, owner.attr.upper())


def _helper_input(name: str, sockets: dict[str, str]) -> Input:
    """What a function of nodes/schema.py such as garment_category returns."""
    tree = ast.parse((ROOT / "nodes" / "schema.py").read_text(encoding="utf-8"))
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
    returned = next(one.value for one in ast.walk(function) if isinstance(one, ast.Return))
    assert isinstance(returned, ast.Call)
    return _input(returned, sockets)


def _input(call: ast.Call, sockets: dict[str, str]) -> Input:
    kind, arguments, optional = call.func, list(call.args), False
    if isinstance(kind, ast.Name) and kind.id == "advanced":
        kind, arguments, optional = arguments[0], arguments[1:], True
    elif isinstance(kind, ast.Name):
        return _helper_input(kind.id, sockets)
    flags = {one.arg: isinstance(one.value, ast.Constant) and one.value.value is True for one in call.keywords}
    optional = optional or flags.get("optional", False)
    name = ast.literal_eval(arguments[0])
    return Input(name, _type(kind, sockets), optional, flags.get("control_after_generate", False))


def _output(call: ast.Call, sockets: dict[str, str]) -> tuple[str, str]:
    name = next(ast.literal_eval(one.value) for one in call.keywords if one.arg == "display_name")
    if isinstance(call.func, ast.Name):
        assert call.func.id == "garment_category_output"
        return name, "COMBO"
    return name, _type(call.func, sockets)


# ComfyUI's own nodes ---------------------------------------------------------------------------------------------


def _core(inputs: str, outputs: str) -> Schema:
    """A schema from words like `pixels:IMAGE seed:INT! name:STRING>`.

    There ! stands for control_after_generate, and > for a socket in place of a widget.
    """
    taken = [one.split(":") for one in inputs.split()]
    given = [one.split(":") for one in outputs.split()]
    return Schema(
        tuple(
            Input(name, kind.rstrip("!>"), control=kind.endswith("!"), forced=kind.endswith(">"))
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
"""The nodes of ComfyUI v0.29.0 that the workflows use; the host tests hold them against the host."""


# Files -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """One wire: from an output of `origin` to an input of `target`."""

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
        """Where a wire touches a node, or the border of a subgraph (-10 in, -20 out)."""
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
        number_above = len(above) + sum(one.control for one in above)
        return (x, y + SLOT * rows + 16 + WIDGET * number_above)

    def path(self, link: Link) -> list[Point]:
        """A wire as straight pieces: output, the reroutes on its way, input."""
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
        """Numbers of a wire's reroutes, from its output to its input."""
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
    """Whether two wires cross; touching ends and shared reroutes do not count."""
    return any(
        _cross(a, b, c, d) for a, b in zip(one, one[1:], strict=False) for c, d in zip(other, other[1:], strict=False)
    )


def passes(path: list[Point], box: Box) -> bool:
    """Whether a wire runs through a box."""
    left, top, right, bottom = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    inside = any(left < x < right and top < y < bottom for x, y in path)
    return inside or any(_cross(a, b, c, d) for a, b in zip(path, path[1:], strict=False) for c, d in sides)


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
