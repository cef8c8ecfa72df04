"""Plackets, pockets and collars that are attached to the cloth, and details that are only marked on panels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...base.panels import Line, Panel
from ..base.cuts import Cut
from ..base.figures import Figure
from ..base.garment import Trim
from ..base.meshes import boundary_loops, compact, split, strip_faces
from .collars import make_collar

Field = Callable[[np.ndarray], np.ndarray]


def make_trims(
    cut: Cut,
    figure: Figure,
    rest: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    panel: np.ndarray,
    panels: list[Panel],
) -> tuple[tuple[Trim, ...], tuple[Panel, ...]]:
    """Return the trims on a garment's fine cloth, and the panels with lines, buttons and areas for prints added."""
    panels = [_marked(p, cut, uv[panel == number]) for number, p in enumerate(panels)]
    trims = []
    front = next(i for i, p in enumerate(panels) if p.name == "front")
    for name, lift, field in _patches(cut, panels[front], uv[panel == front]):
        made = _patch(rest, faces[panel == front], uv[panel == front], field, lift, len(panels))
        if made is not None:
            trim, border = made
            trims.append(trim)
            panels.append(_trim_panel(name, trim, (Line("placket" if name == "placket" else "pocket", border),)))
            if name == "placket":
                panels[-1] = replace(panels[-1], buttons=_buttons(cut, panels[-1]))
    for name, role, trim in make_collar(cut, figure, rest, faces, len(panels)):
        trims.append(trim)
        edge = trim.uv[..., 1].max()
        span = (trim.uv[..., 0].min(), trim.uv[..., 0].max())
        lines = (Line("hem", np.array([(span[0], edge), (0.0, edge), (span[1], edge)], np.float32)),)
        panels.append(replace(_trim_panel(name, trim, lines), role=role))
    return tuple(trims), tuple(panels)


def _trim_panel(name: str, trim: Trim, lines: tuple[Line, ...]) -> Panel:
    flat = trim.uv.reshape(-1, 2)
    box = tuple(float(x) for x in (*flat.min(axis=0), *flat.max(axis=0)))
    return Panel(name, "garment", "trim", box, lines)


def _patches(cut: Cut, front: Panel, uv: np.ndarray) -> list[tuple[str, float, Field]]:
    """Name, thickness and field of each trim on the front; the field of points (N, 2) on the panel is positive
    inside."""
    found: list[tuple[str, float, Field]] = []
    neck, low = _neck_point(uv), front.box[3]
    if cut.front in ("buttons", "half_buttons"):
        end = low + 1.0 if cut.front == "buttons" else neck + 0.15
        half = 0.017
        found.append(("placket", 0.0022, lambda p: np.minimum(half - np.abs(p[:, 0]), end - p[:, 1])))
    if cut.pockets == "chest":
        found.append(("pocket_left", 0.002, _rounded(0.075, neck + 0.13, 0.055, 0.06, 0.012)))
    if cut.pockets == "kangaroo":
        if cut.front == "zip":
            for name, out in (("pocket_left", 1), ("pocket_right", -1)):
                found.append((name, 0.004, _kangaroo(out * 0.085, low - 0.085, 0.07, 0.08)))
        else:
            found.append(("pocket", 0.004, _kangaroo(0.0, low - 0.1, 0.15, 0.09)))
    if cut.pockets == "patch":
        at = min(low - 0.09, neck + 0.42)
        for name, out in (("pocket_left", 1), ("pocket_right", -1)):
            found.append((name, 0.003, _rounded(out * 0.12, at, 0.06, 0.065, 0.015)))
    return found


def _rounded(u: float, v: float, half_width: float, half_height: float, radius: float) -> Field:
    """Field of a rectangle with rounded corners."""

    def field(points: np.ndarray) -> np.ndarray:
        x = np.abs(points[:, 0] - u) - half_width + radius
        y = np.abs(points[:, 1] - v) - half_height + radius
        return radius - np.hypot(np.maximum(x, 0), np.maximum(y, 0)) - np.minimum(np.maximum(x, y), 0)

    return field


def _kangaroo(u: float, v: float, half_width: float, half_height: float) -> Field:
    """Field of a rectangle whose upper corners are cut off for the hands."""
    box = _rounded(u, v, half_width, half_height, 0.008)

    def field(points: np.ndarray) -> np.ndarray:
        x, y = np.abs(points[:, 0] - u), points[:, 1] - v
        corner = (0.62 * half_width - x) * 0.8 + (y + half_height) * 0.6 * half_width / half_height
        return np.minimum(box(points), corner)

    return field


def _patch(
    rest: np.ndarray, faces: np.ndarray, uv: np.ndarray, field: Field, lift: float, panel: int
) -> tuple[Trim, np.ndarray] | None:
    """Return a trim and its border (N, 2) on the front panel; None if it is empty. The trim is a copy of a piece of the
    front, lying on top of it, with the border turned down."""
    flat = np.zeros((len(rest), 3))
    flat[faces.ravel(), :2] = uv.reshape(-1, 2)
    used = np.unique(faces)
    value = np.full(len(rest), -1.0)
    value[used] = field(flat[used, :2])
    if not (value > 0).any():
        return None
    cut = split(faces, value, np.zeros(len(rest), np.int64), 0)
    kept, old = compact(cut.faces[cut.positive], cut.combine.shape[0])
    anchor = cut.combine[old]
    place = (anchor @ flat)[:, :2]
    loop = boundary_loops(kept)[0]
    wall = len(place) + np.arange(len(loop))
    kept = np.concatenate([kept, strip_faces(loop, wall)])
    anchor = anchor[np.concatenate([np.arange(len(place)), loop])]
    lifts = np.concatenate([np.full(len(place), lift), np.full(len(loop), -0.001)])
    corner = np.concatenate([place, place[loop]])[kept]
    zero = np.zeros((len(lifts), 3))
    trim = Trim(
        kept.astype(np.int32), anchor.tocsr(), lifts, zero, corner.astype(np.float32),
        np.full(len(kept), panel, np.int16), False,
    )  # fmt: skip
    return trim, np.concatenate([place[loop], place[loop[:1]]]).astype(np.float32)


def _neck_point(uv: np.ndarray) -> float:
    """v of the front's upper edge at the centre."""
    flat = uv.reshape(-1, 2)
    middle = flat[np.abs(flat[:, 0]) < 0.02]
    return float(middle[:, 1].min()) if len(middle) else float(flat[:, 1].min() + 0.1)


def _buttons(cut: Cut, placket: Panel) -> tuple[tuple[float, float, float], ...]:
    top, low = placket.box[1], placket.box[3]
    if cut.front == "half_buttons":
        return tuple((0.0, top + 0.02 + 0.05 * k, 0.0055) for k in range(3))
    step = 0.11 if cut.kind in ("jacket", "cardigan") else 0.085
    radius = 0.009 if cut.kind in ("jacket", "cardigan") else 0.0055
    if cut.collar == "lapel":
        return ((0.0, top + 0.03, 0.01), (0.0, top + 0.14, 0.01))
    return tuple((0.0, float(v), radius) for v in np.arange(top + 0.03, min(low - 0.03, top + 0.9), step))


def _marked(panel: Panel, cut: Cut, uv: np.ndarray) -> Panel:
    """The panel with its area for prints, and with lines for details that are only stitched."""
    left, top, right, low = panel.box
    panel = replace(panel, span=(top, low))
    if panel.name == "front" and cut.top:
        neck = _neck_point(uv)
        lines = list(panel.lines)
        if cut.front == "zip":
            lines.append(Line("placket", np.array([(0, neck), (0, (neck + low) / 2), (0, low)], np.float32)))
        room = None
        if cut.front in ("closed",):
            half = 0.8 * _half_width(uv, neck + 0.06, neck + 0.3)
            below = low - (0.24 if cut.pockets == "kangaroo" else 0.05)
            room = (-half, neck + 0.03, half, min(below, neck + 0.45))
            room = room if room[3] - room[1] > 0.06 and half > 0.04 else None
        return replace(panel, lines=tuple(lines), print_room=room)
    if panel.name in ("front", "back") and cut.fly:
        return replace(panel, lines=(*panel.lines, *_trouser_lines(panel, cut, uv)), print_room=_thigh(uv, panel, cut))
    return panel


def _half_width(uv: np.ndarray, top: float, low: float) -> float:
    flat = uv.reshape(-1, 2)
    rows = [flat[np.abs(flat[:, 1] - v) < 0.012, 0] for v in np.linspace(top, low, 8)]
    widths = [np.abs(row).max() for row in rows if len(row)]
    return float(min(widths)) if widths else 0.1


def _thigh(uv: np.ndarray, panel: Panel, cut: Cut) -> tuple[float, float, float, float] | None:
    """Area for a print on the left thigh of the front."""
    if panel.name != "front":
        return None
    flat = uv.reshape(-1, 2)
    at = panel.box[1] + 0.36
    row = flat[(np.abs(flat[:, 1] - at) < 0.015) & (flat[:, 0] > 0.01), 0]
    if not len(row) or at + 0.1 > panel.box[3]:
        return None
    middle, half = float((row.min() + row.max()) / 2), float((row.max() - row.min()) / 2) * 0.6
    return (middle - half, at - 0.09, middle + half, at + 0.09)


def _trouser_lines(panel: Panel, cut: Cut, uv: np.ndarray) -> list[Line]:
    """Centre seam, fly and pockets in front; yoke and pockets behind."""
    flat = uv.reshape(-1, 2)
    top = panel.box[1]
    middle = flat[np.abs(flat[:, 0]) < 0.006, 1]
    crotch = float(middle.max()) if len(middle) else top + 0.2
    lines = [Line("seam", np.array([(0, top), (0, (top + crotch) / 2), (0, crotch)], np.float32))]
    half = _half_width(uv, top + 0.02, top + 0.1)
    t = np.linspace(0, np.pi / 2, 10)
    if panel.name == "front":
        length = min(0.15, crotch - top - 0.03)
        bow = np.stack([0.032 * np.cos(t), top + length - 0.04 + 0.04 * np.sin(t)], axis=1)
        lines.append(Line("fly", np.concatenate([[(0.032, top)], bow]).astype(np.float32)))
        for out in (1, -1):
            arc = np.stack([out * (half - 0.075 * np.cos(t)), top + 0.085 * np.sin(t)], axis=1)
            slant = np.array([(out * (half - 0.045), top), (out * (half - 0.02), top + 0.08), (out * half, top + 0.15)])
            lines.append(Line("pocket", (arc if cut.kind == "jeans" else slant).astype(np.float32)))
        return lines
    for out in (1, -1):
        if cut.kind == "jeans":
            yoke = [(0, top + 0.075), (out * half * 0.5, top + 0.055), (out * half, top + 0.035)]
            lines.append(Line("yoke", np.array(yoke, np.float32)))
        u, v, w, h = out * half * 0.52, top + 0.1, 0.062, 0.075
        box = [(u - w, v), (u + w, v), (u + w, v + 1.5 * h), (u, v + 1.9 * h), (u - w, v + 1.5 * h), (u - w, v)]
        lines.append(Line("pocket", np.array(box, np.float32)))
    return lines
