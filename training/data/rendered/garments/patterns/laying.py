"""Flatten a garment into panels: planes in metres, with seams and hems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ...base.panels import Line, LineRole, Panel, Role
from ..base.cuts import Cut
from ..base.figures import SIDES, Figure, along_arm
from ..base.meshes import boundary_loops
from .flattening import lay_flat
from .pattern import Pattern

KNIT = ("tee", "long_sleeve", "hoodie", "sweater", "cardigan", "tank", "crop_top", "jacket", "polo")
"""Kinds whose bands are ribbed."""


@dataclass(frozen=True)
class Piece:
    """A part of a pattern that becomes a panel."""

    name: str
    """Name of the panel."""
    role: Role
    """Role of the panel."""
    chosen: np.ndarray
    """(F,) bool: faces of the part."""


def lay(pattern: Pattern, cut: Cut, figure: Figure, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[Panel]]:
    """Flatten every piece of a pattern.

    Returns:
        uv (F, 3, 2) metres, panel numbers (F,), and the panels.
    """
    pieces = [piece for piece in _pieces(pattern, cut) if piece.chosen.any()]
    uv = np.zeros((len(pattern.faces), 3, 2))
    panel = np.full(len(pattern.faces), -1)
    for number, piece in enumerate(pieces):
        panel[piece.chosen] = number
        uv[piece.chosen] = _flat(piece, pattern, cut, figure, rest)
    body = np.isin(panel, [i for i, piece in enumerate(pieces) if piece.name in ("front", "back")])
    # On both front and back, v is 0 at the garment's top: the higher shoulder, or the waist.
    for number in np.unique(panel[body]):
        uv[panel == number, :, 1] -= uv[panel == number, :, 1].min()
    panels = []
    across = _across(pattern.faces, panel)
    for number, piece in enumerate(pieces):
        mine = uv[panel == number].reshape(-1, 2)
        box = (*mine.min(axis=0), *mine.max(axis=0))
        lines = tuple(_lines(number, pieces, pattern, panel, across, uv, cut))
        panels.append(Panel(piece.name, "garment", piece.role, tuple(float(x) for x in box), lines))
    return uv, panel, panels


def _pieces(pattern: Pattern, cut: Cut) -> list[Piece]:
    """Assign faces to panels."""
    tags = pattern.tags
    none = np.zeros(len(pattern.faces), bool)
    sleeves = [tags.get(f"sleeve_{name}", none) for name in SIDES]
    cuffs = [tags.get(f"_cuff_{name}", none) & sleeves[k] for k, name in enumerate(SIDES)]
    neck = ~tags["neck_body"] if "neck_body" in tags else none
    waist = ~tags["waist_body"] if "waist_body" in tags else none
    hem = ~tags["hem_body"] if "hem_body" in tags else none
    hem = hem & ~sleeves[0] & ~sleeves[1]
    band: Role = "rib" if cut.kind in KNIT and cut.collar != "shirt" else "trim"
    body: Role = "body" if cut.top else "leg" if cut.legs else "skirt"
    rest = ~(sleeves[0] | sleeves[1] | neck | waist | hem)
    pieces = [Piece("front", body, rest & ~tags["back"]), Piece("back", body, rest & tags["back"])]
    for k, name in enumerate(SIDES):
        pieces.append(Piece(f"sleeve_{name}", "sleeve", sleeves[k] & ~cuffs[k] & ~neck))
        pieces.append(Piece(f"cuff_{name}", band, cuffs[k]))
    pieces.append(Piece("neck_band", band, neck))
    pieces.append(Piece("waistband", "trim", waist))
    pieces.append(Piece("hem_band", band, hem))
    return pieces


def _flat(piece: Piece, pattern: Pattern, cut: Cut, figure: Figure, rest: np.ndarray) -> np.ndarray:
    """uv (n, 3, 2) of a piece."""
    faces = pattern.faces[piece.chosen]
    if piece.name in ("front", "back"):
        guess = _unrolled_body(faces, pattern, cut, rest, piece.name == "back")
        return lay_flat(rest, faces, guess)
    if piece.name.startswith("sleeve"):
        side = SIDES.index(piece.name.removeprefix("sleeve_"))
        guess = _unrolled_sleeve(faces, pattern.tags["back"][piece.chosen], figure, rest, side)
        flat = lay_flat(rest, faces, guess)
        return flat - np.array([0.0, flat[..., 1].min()])
    strip = _strip(faces, pattern.faces, rest)
    if not piece.name.startswith(("neck", "waist")):
        strip[..., 1] = strip[..., 1].max() - strip[..., 1]  # The free edge of cuffs and hem bands is the lower one.
    return outside_up(strip)


def outside_up(uv: np.ndarray) -> np.ndarray:
    """Mirror a flat piece (F, 3, 2) if it shows the inside of the cloth, so that u points right when v points down."""
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    if (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() > 0:
        return uv * np.array([-1.0, 1.0])
    return uv


def _unrolled_body(faces: np.ndarray, pattern: Pattern, cut: Cut, rest: np.ndarray, back: bool) -> np.ndarray:
    """Initial guess for a front or back: widths unrolled from an ellipse, heights unchanged."""
    used = np.unique(faces)
    u = np.zeros(len(rest))
    legs = cut.legs and not cut.top or cut.kind == "jumpsuit"
    crotch = pattern.figure.crotch
    parts = [used] if not legs else [used[rest[used, 2] > crotch], *(_leg(used, rest, crotch, out) for out in (1, -1))]
    for part in parts:
        if not len(part):
            continue
        z, x = rest[part, 2], rest[part, 0]
        bins = np.clip(((z - z.min()) / 0.02).astype(int), 0, None)
        high = np.full(bins.max() + 1, -np.inf)
        low = np.full(bins.max() + 1, np.inf)
        np.maximum.at(high, bins, x)
        np.minimum.at(low, bins, x)
        filled = np.isfinite(high)
        rows = np.flatnonzero(filled)
        middle = np.interp(np.arange(len(high)), rows, (high[filled] + low[filled]) / 2)[bins]
        half = np.interp(np.arange(len(high)), rows, (high[filled] - low[filled]) / 2)[bins] * 1.03 + 1e-3
        if not legs or part is parts[0]:
            middle = np.zeros_like(middle)
            half = np.maximum(half, np.abs(x) * 1.02)
        u[part] = middle + half * np.arcsin(np.clip((x - middle) / half, -1, 1))
    points = np.stack([-u if back else u, rest[:, 2].max() - rest[:, 2]], axis=1)
    return points[faces]


def _leg(used: np.ndarray, rest: np.ndarray, crotch: float, out: int) -> np.ndarray:
    return used[(rest[used, 2] <= crotch) & (rest[used, 0] * out > 0)]


def _unrolled_sleeve(faces: np.ndarray, back: np.ndarray, figure: Figure, rest: np.ndarray, side: int) -> np.ndarray:
    """Initial guess for a sleeve, cut open along its underside: u around the arm, v down the arm."""
    station, off, direction = along_arm(rest, figure, side)
    out = 1.0 if side == 0 else -1.0
    up = np.array([0.7 * out, 0.0, 0.7])
    up = up - (direction @ up)[:, None] * direction
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    behind = np.array([0.0, 1.0, 0.0]) - direction[:, 1:2] * direction
    angle = np.arctan2((off * behind).sum(axis=1), (off * up).sum(axis=1))[faces]  # (n, 3): 0 on top, positive behind
    angle = np.where(back[:, None] & (angle < -np.pi / 2), angle + 2 * np.pi, angle)
    angle = np.where(~back[:, None] & (angle > np.pi / 2), angle - 2 * np.pi, angle)
    radius = float(np.median(np.linalg.norm(off[np.unique(faces)], axis=1)))
    return np.stack([angle * radius * out, station[faces]], axis=-1)


def _strip(faces: np.ndarray, all_faces: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """A band as a straight strip: u along its free edge, v away from it."""
    used = np.unique(faces)
    loop = max(boundary_loops(all_faces), key=lambda chain: np.isin(chain, used).sum())
    edge = rest[loop]
    inside = np.isin(loop, used).all()
    start = int(np.argmax(edge[:, 1] if inside else edge[:, 1] - edge[:, 2]))
    edge = np.roll(edge, -start, axis=0)
    steps = np.roll(edge, -1, axis=0) - edge
    lengths = np.linalg.norm(steps, axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    total = along[-1]
    near = cKDTree(edge).query(rest[used])[1]
    tangent = (np.roll(edge, -1, axis=0) - np.roll(edge, 1, axis=0))[near]
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    off = rest[used] - edge[near]
    shift = (off * tangent).sum(axis=1)
    place = np.zeros((len(rest), 2))
    place[used, 0] = along[near] + np.clip(shift, -0.01, 0.01)
    place[used, 1] = np.linalg.norm(off - shift[:, None] * tangent, axis=1)
    uv = place[faces]
    first = uv[:, :1, 0]
    uv[..., 0] += total * np.round((first - uv[..., 0]) / total)
    return uv


def _across(faces: np.ndarray, panel: np.ndarray) -> np.ndarray:
    """(F, 3): index of the panel across the edge that follows each corner; -1 at open edges."""
    first, second = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    size = int(faces.max()) + 1
    key, wanted = first * size + second, second * size + first
    order = np.argsort(key)
    place = order[np.minimum(np.searchsorted(key[order], wanted), len(key) - 1)]
    return np.where(key[place] == wanted, panel[place // 3], -1).reshape(-1, 3)


def _lines(number, pieces, pattern, panel, across, uv, cut):
    """Chains along the border of a panel, each with its kind of line."""
    face, place = np.nonzero((panel == number)[:, None] & (across != number))
    following_place = (place + 1) % 3
    starts, ends = pattern.faces[face, place].tolist(), pattern.faces[face, following_place].tolist()
    corner = dict(zip(starts, zip(uv[face, place], uv[face, following_place], strict=True), strict=True))
    groups: dict[LineRole, list[tuple[int, int]]] = {}
    points = pattern.points
    for a, b, other in zip(starts, ends, across[face, place].tolist(), strict=True):
        role = _role(
            pieces[number].name, pieces[other].name if other >= 0 else "", points[[a, b]], (a, b), pattern, cut
        )
        groups.setdefault(role, []).append((a, b))
    for role, edges in groups.items():
        following = dict(edges)
        starts = [a for a, _ in edges if a not in set(following.values())] or [edges[0][0]]
        for start in starts:
            chain, vertex = [], start
            while vertex in following:
                after = following.pop(vertex)
                first, second = corner[vertex]
                chain.append(first)
                last, vertex = second, after
            if len(chain) > 2:
                yield Line(role, np.array([*chain, last], np.float32))


def _role(name: str, across: str, points: np.ndarray, ends: tuple[int, int], pattern: Pattern, cut: Cut) -> LineRole:
    """Kind of line along an edge of a panel."""
    if across:
        pair = {name, across}
        if "neck_band" in pair:
            return "neck"
        if "waistband" in pair:
            return "waist"
        if any(x.startswith("cuff") for x in pair):
            return "cuff"
        if "hem_band" in pair:
            return "hem"
        return "armhole" if any(x.startswith("sleeve") for x in pair) and pair & {"front", "back"} else "seam"
    (a, b), height = ends, points[:, 2].mean()
    if name.startswith(("sleeve", "cuff")):
        return "cuff"
    if name == "waistband":
        return "waist"
    if pattern.fall[[a, b]].max() > 0 or not cut.top:
        return "hem" if cut.front != "open" or pattern.fall[a] == pattern.fall[b] else "placket"
    if cut.front == "open" and name in ("front", "hem_band") and abs(points[0, 2] - points[1, 2]) > 0.004:
        return "placket"
    figure = pattern.figure
    if height > figure.shoulder[0, 2] - 0.04 and abs(points[0, 0]) < 0.14 or name == "neck_band":
        return "neck"
    return "armhole" if cut.sleeve == "none" and height > figure.armpit[0, 2] - 0.02 and cut.top else "hem"
