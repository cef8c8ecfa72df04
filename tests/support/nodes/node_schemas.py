"""The nodes' schemas, read from their source: no host needed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
DISPLAY_NAMES = {
    "IGRLoad": "IGR Load",
    "IGRGarmentView": "Garment Mask/Crop",
    "IGRGarmentPreview": "Garment Preview",
    "IGRGarmNetEncode": "GarmNet Encode",
    "IGRApply": "IGR Apply",
    "IGRSample": "IGR Sample",
    "IGRCombineReferences": "Combine References",
    "IGRGarmentEvidence": "Garment Evidence",
    "IGRTransferDetails": "Transfer Details",
    "IGRFlattenGarment": "Flatten Garment",
    "IGRCompleteGarment": "Complete Garment",
    "IGRRankCandidates": "Rank Candidates",
    "IGRExamplePerson": "IGR Example Person",
    "IGRGarmentFinish": "Garment Finish",
    "IGRPhotoFolder": "IGR Photo Folder",
    "IGRContactSheet": "IGR Contact Sheet",
    "IGRSegmenterLoad": "IGR Load Segmenter",
    "IGRGarmentSegment": "Garment Segment",
    "IGRParserLoad": "IGR Load Parser",
    "IGRGarmentByCategory": "Garment by Category",
}
"""The ids that are stored in workflows and never change, and the texts for the user."""


@dataclass(frozen=True)
class Input:
    """An input of a node."""

    name: str
    type: str
    optional: bool = False
    control: bool = False
    """Whether the frontend adds a control_after_generate widget after the input."""
    forced: bool = False
    """Whether the input is a socket although others of its type are widgets."""
    box: bool = False
    """Whether the input is the frontend's widget for a box, although others of its type are sockets."""

    @property
    def is_widget(self) -> bool:
        return self.box or (self.type in WIDGETS and not self.forced)

    @property
    def value_count(self) -> int:
        """Values that a workflow holds for this widget: a box is stored as a whole and as its four numbers."""
        return 5 if self.box else 1 + self.control


@dataclass(frozen=True)
class Schema:
    """Inputs and outputs of a node; inputs are in the frontend's order."""

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
        return sum(one.value_count for one in self.widgets)


@dataclass(frozen=True)
class Words:
    """Texts of a node for the user; values that are known only when the node is loaded are ellipses."""

    display_name: str
    description: str
    search_aliases: tuple[str, ...]
    input_tooltips: dict[str, str]
    output_tooltips: dict[str, str]


@cache
def our_schemas() -> dict[str, Schema]:
    """Schemas of the nodes by node id."""
    sockets = socket_types()
    found = {}
    for node_id, fields in _schema_fields().items():
        inputs = [_input(one, sockets) for one in _elements(fields["inputs"])]
        outputs = [_output(one, sockets) for one in _elements(fields["outputs"])]
        inputs.sort(key=lambda one: one.optional)
        found[node_id] = Schema(tuple(inputs), tuple(outputs))
    return found


@cache
def our_words() -> dict[str, Words]:
    """Texts of the nodes by node id."""
    return {
        node_id: Words(
            _text(fields.get("display_name")),
            _text(fields.get("description")),
            tuple(ast.literal_eval(fields["search_aliases"])) if "search_aliases" in fields else (),
            dict(_input_tooltip(one) for one in _elements(fields["inputs"])),
            {_output(one, socket_types())[0]: _tooltip(one) for one in _elements(fields["outputs"])},
        )
        for node_id, fields in _schema_fields().items()
    }


@cache
def node_classes() -> dict[str, str]:
    """Names of the node classes in nodes/, by the id in their schema."""
    found = {}
    for tree in _trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "io.ComfyNode" for base in node.bases):
                (node_id,) = (ast.literal_eval(fields["node_id"]) for fields in _schemas_in(node))
                found[node_id] = node.name
    return found


def listed_classes() -> list[str]:
    """Names of the classes that nodes/pack.py registers with ComfyUI."""
    tree = ast.parse((ROOT / "nodes" / "pack.py").read_text(encoding="utf-8"))
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "_nodes")
    (returned,) = (one.value for one in ast.walk(function) if isinstance(one, ast.Return))
    assert isinstance(returned, ast.List)
    return [one.id for one in returned.elts if isinstance(one, ast.Name)]


def _trees() -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "nodes").rglob("*.py"))]


def _schema_fields() -> dict[str, dict[str | None, ast.expr]]:
    """Arguments of every call of schema(), by node id."""
    return {ast.literal_eval(fields["node_id"]): fields for tree in _trees() for fields in _schemas_in(tree)}


def _schemas_in(tree: ast.AST) -> Iterator[dict[str | None, ast.expr]]:
    for call in _calls(tree):
        if isinstance(call.func, ast.Name) and call.func.id == "schema":
            yield {one.arg: one.value for one in call.keywords}


def _text(node: ast.expr | None) -> str:
    """The part of a string that is known from the source."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(one) if isinstance(one, ast.Constant) else "…" for one in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _tooltip(call: ast.Call) -> str:
    return _text(next((one.value for one in call.keywords if one.arg == "tooltip"), None))


def _input_tooltip(call: ast.Call) -> tuple[str, str]:
    """Name and tooltip of an input."""
    if isinstance(call.func, ast.Name) and call.func.id != "advanced":
        call = _helper(call.func.id)
    return _input(call, socket_types()).name, _tooltip(call)


@cache
def socket_types() -> dict[str, str]:
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


def _helper(name: str) -> ast.Call:
    """The input that a function of nodes/schema.py such as garment_category returns."""
    tree = ast.parse((ROOT / "nodes" / "schema.py").read_text(encoding="utf-8"))
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
    returned = next(one.value for one in ast.walk(function) if isinstance(one, ast.Return))
    assert isinstance(returned, ast.Call)
    return returned


def _input(call: ast.Call, sockets: dict[str, str]) -> Input:
    kind, arguments, optional = call.func, list(call.args), False
    if isinstance(kind, ast.Name) and kind.id == "advanced":
        kind, arguments, optional = arguments[0], arguments[1:], True
    elif isinstance(kind, ast.Name):
        return _input(_helper(kind.id), sockets)
    flags = {one.arg: isinstance(one.value, ast.Constant) and one.value.value is True for one in call.keywords}
    optional = optional or flags.get("optional", False)
    name = ast.literal_eval(arguments[0])
    control, forced = flags.get("control_after_generate", False), flags.get("force_input", False)
    return Input(name, _type(kind, sockets), optional, control, forced)


def _output(call: ast.Call, sockets: dict[str, str]) -> tuple[str, str]:
    name = next(ast.literal_eval(one.value) for one in call.keywords if one.arg == "display_name")
    if isinstance(call.func, ast.Name):
        assert call.func.id == "garment_category_output"
        return name, "COMBO"
    return name, _type(call.func, sockets)
