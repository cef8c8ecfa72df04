"""A rendered garment (product shot, photos on several bodies, labels, joints) and its conversion to and from bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_args

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES

from ...contract.keypoints import JOINTS_25
from ...files.images import decode, read_json
from ..base.panels import Line, LineRole, Panel, Role
from ..base.surfaces import KINDS
from ..base.views import View
from ..studio.storing import decode_correspondence, decode_view, encode_correspondence, encode_view

T = TypeVar("T")
Words = Mapping[str, "str | float | bool"]
"""Metadata of a garment or a photo, such as the cut or the pose."""
Members = dict[str, bytes]
"""A record's files by ending: `json`, `panels.json`, `product.view`, `photo-0.view`, `photo-0.flow` ..."""
DIGITS = 5
"""Number of decimals of lengths in `panels.json`, in metres."""


@dataclass(frozen=True)
class Photo:
    """One photo of the garment on a body, (h, w) pixels."""

    view: View
    """Buffers to dress."""
    correspondence: np.ndarray
    """(H, W, 2) float32: for each pixel of the product shot, x and y of the same point of cloth in this photo, in
    pixels from the left and top edges; NaN where the point is not visible or there is no garment."""
    parsing: np.ndarray
    """(h, w) uint8 labels of parsing.ATR."""
    joints: Mapping[str, tuple[float, float, float]]
    """x, y in pixels and confidence by the names of JOINTS_25; joints outside the photo are missing."""
    garment_mask: np.ndarray
    """(h, w) uint8, 0 or 255: visible pixels of the garment."""
    agnostic_mask: np.ndarray
    """(h, w) uint8, 0 or 255: the larger try-on mask."""
    attributes: Words
    """Metadata of the photo: pose, framing, yaw, occlusion, defect, ..."""


@dataclass(frozen=True)
class Record:
    """Everything rendered from a seed: a garment that is worn in every photo, and its product shot."""

    seed: int
    """Seed of the record."""
    category: str
    """upper, lower or full."""
    attributes: Words
    """Attributes of the garment: cut, sleeve, neckline, fit, ..."""
    panels: tuple[Panel, ...]
    """Panels that the labels of the product shot and the photos refer to."""
    product: View
    """The product shot."""
    photos: tuple[Photo, ...]
    """At least one photo."""


def record_name(seed: int) -> str:
    """Name of a seed's record: `garment-000000123`."""
    return f"garment-{seed:09d}"


def to_members(record: Record, rejects: Mapping[str, int] | None = None) -> Members:
    """The files of a record; the same record gives the same bytes. `rejects` counts rejected attempts by reason."""
    metadata = {
        "seed": int(record.seed),
        "category": record.category,
        "attributes": dict(record.attributes),
        "photos": [{"attributes": dict(photo.attributes)} for photo in record.photos],
        "keypoints": [{name: list(joint) for name, joint in photo.joints.items()} for photo in record.photos],
        "rejects": dict(rejects or {}),
    }
    members = {
        "json": _json(metadata, record_name(record.seed)),
        "panels.json": _json([_panel_entries(panel) for panel in record.panels], record_name(record.seed)),
        "product.view": encode_view(record.product),
    }
    for number, photo in enumerate(record.photos):
        members[f"photo-{number}.view"] = encode_view(photo.view)
        members[f"photo-{number}.flow"] = encode_correspondence(photo.correspondence)
        members[f"photo-{number}.parsing.png"] = _png(photo.parsing)
        members[f"photo-{number}.mask.png"] = _png(photo.garment_mask)
        members[f"photo-{number}.agnostic.png"] = _png(photo.agnostic_mask)
    return members


def from_members(members: Mapping[str, bytes], name: str) -> Record:
    """Read a record from its files; every IGRError starts with `name` (`SHARD.tar:garment-000000123`)."""
    metadata = read_metadata(_member(members, "json", name), f"{name}.json")
    panels = read_json(_member(members, "panels.json", name), f"{name}.panels.json")
    if not isinstance(panels, list):
        raise IGRError(f"{name}.panels.json must be a list of panels: copy the shard again.")
    found = tuple(_panel(panel, f"{name}.panels.json[{place}]") for place, panel in enumerate(panels))
    product = _view(members, "product.view", name, len(found))
    photos = [
        _photo(members, number, metadata, name, len(found), product.uv.shape[:2])
        for number in range(len(metadata["photos"]))
    ]
    return Record(metadata["seed"], metadata["category"], metadata["attributes"], found, product, tuple(photos))


def read_metadata(data: bytes, name: str) -> dict[str, Any]:
    """Parse and check a record's JSON; raises IGRError naming the file (`name`) and the invalid entry."""
    metadata = read_json(data, name)
    check_metadata(metadata, name)
    if len(metadata.get("keypoints", ())) != len(metadata["photos"]):
        raise IGRError(f"{name} must have one set of keypoints per photo: copy the shard again.")
    return metadata


def check_metadata(metadata: Any, name: str) -> None:
    """Raise IGRError unless `metadata` has the entries of every record: seed, category, attributes and photos."""
    wanted: dict[str, Callable[[Any], bool]] = {
        "seed": lambda value: isinstance(value, int) and value >= 0,
        "category": lambda value: value in CATEGORIES,
        "attributes": _are_words,
        "photos": lambda value: (
            isinstance(value, list) and bool(value) and all(_are_words(dict(one).get("attributes")) for one in value)
        ),
    }
    for entry, holds in wanted.items():
        try:
            fine = holds(metadata[entry])
        except (KeyError, TypeError, ValueError):
            fine = False
        if not fine:
            raise IGRError(f"{name} has no valid entry {entry!r}: copy the shard again, or render it again.")


def _are_words(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, (str, float, int, bool)) for one in value.values())


def _photo(
    members: Mapping[str, bytes],
    number: int,
    metadata: dict[str, Any],
    name: str,
    panels: int,
    product_shape: tuple[int, ...],
) -> Photo:
    prefix = f"photo-{number}"
    view = _view(members, f"{prefix}.view", name, panels)
    shape = view.uv.shape[:2]
    flow = _member(members, f"{prefix}.flow", name)
    correspondence = _read(lambda: decode_correspondence(flow), name, f"{prefix}.flow")
    if correspondence.shape != (*product_shape, 2):
        raise IGRError(f"{name}.{prefix}.flow differs in size from the product shot: render the shard again.")
    pictures = [_picture(members, f"{prefix}.{what}.png", name, shape) for what in ("parsing", "mask", "agnostic")]
    joints = {}
    for joint, values in metadata["keypoints"][number].items():
        if joint not in JOINTS_25 or not isinstance(values, list) or len(values) != 3:
            raise IGRError(f'{name}.json: keypoints must be {{"neck": [x, y, confidence], ...}}: copy the shard again.')
        joints[joint] = (float(values[0]), float(values[1]), float(values[2]))
    attributes = metadata["photos"][number]["attributes"]
    return Photo(view, correspondence, pictures[0], joints, pictures[1], pictures[2], attributes)


def _view(members: Mapping[str, bytes], ending: str, name: str, panels: int) -> View:
    data = _member(members, ending, name)
    view = _read(lambda: decode_view(data), name, ending)
    if any(label.panel >= panels for label in view.table):
        raise IGRError(f"{name}.{ending} names a panel that the garment does not have: render the shard again.")
    return view


def _picture(members: Mapping[str, bytes], ending: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    picture = np.array(decode(_member(members, ending, name), f"{name}.{ending}"))
    if picture.shape != shape or picture.dtype != np.uint8:
        raise IGRError(f"{name}.{ending} is not a grey image of the photo's size: render the shard again.")
    return picture


def _member(members: Mapping[str, bytes], ending: str, name: str) -> bytes:
    if ending not in members:
        raise IGRError(f"{name} has no {ending}: copy the shard again, or render it again.")
    return members[ending]


def _read(read: Callable[[], T], name: str, ending: str) -> T:
    """The result of `read`; errors caused by damaged bytes are raised as IGRError."""
    try:
        return read()
    except IGRError as error:
        raise IGRError(f"{name}.{ending}: {error}") from error if name not in str(error) else error
    except (OSError, EOFError, KeyError, IndexError, TypeError, ValueError) as error:
        raise IGRError(f"{name}.{ending} cannot be read ({error}): copy the shard again.") from error


def _panel_entries(panel: Panel) -> dict[str, Any]:
    return {
        "name": panel.name,
        "kind": panel.kind,
        "role": panel.role,
        "box": _rounded(panel.box),
        "lines": [{"role": line.role, "points": _rounded(line.points)} for line in panel.lines],
        "buttons": _rounded(panel.buttons),
        "print_room": None if panel.print_room is None else _rounded(panel.print_room),
        "span": None if panel.span is None else _rounded(panel.span),
    }


def _rounded(values: Any) -> Any:
    # adding 0.0 turns -0.0 into 0.0, so that both give the same bytes
    return (np.round(np.asarray(values, np.float64), DIGITS) + 0.0).tolist()


def _panel(metadata: Any, name: str) -> Panel:
    if not isinstance(metadata, dict) or set(metadata) != {field.name for field in fields(Panel)}:
        raise IGRError(f"{name} lacks entries of a panel: copy the shard again, or render it again.")
    for entry, allowed in (("kind", KINDS), ("role", get_args(Role))):
        if metadata[entry] not in allowed:
            raise IGRError(f"{name}.{entry} is {metadata[entry]!r}: it must be one of {', '.join(allowed)}.")
    try:
        lines = tuple(_line(line, name) for line in metadata["lines"])
        buttons = tuple((float(u), float(v), float(radius)) for u, v, radius in metadata["buttons"])
        room, span = metadata["print_room"], metadata["span"]
        return Panel(
            str(metadata["name"]),
            metadata["kind"],
            metadata["role"],
            _four(metadata["box"]),
            lines,
            buttons,
            None if room is None else _four(room),
            None if span is None else (float(span[0]), float(span[1])),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, IGRError):
            raise
        raise IGRError(f"{name} is not a panel ({error}): copy the shard again, or render it again.") from error


def _line(metadata: Any, name: str) -> Line:
    if metadata["role"] not in get_args(LineRole):
        raise IGRError(f"{name}: {metadata['role']!r} is not a known kind of line: copy the shard again.")
    return Line(metadata["role"], np.asarray(metadata["points"], np.float32).reshape(-1, 2))


def _four(values: Any) -> tuple[float, float, float, float]:
    left, top, right, low = map(float, values)
    return left, top, right, low


def _json(content: Any, name: str) -> bytes:
    try:
        return json.dumps(content, sort_keys=True, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError) as error:
        raise IGRError(f"{name} cannot be written as JSON ({error}): use only strings and finite numbers.") from error


def _plain(value: Any) -> Any:
    """Convert numpy numbers to Python numbers."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is neither a string nor a number")


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
