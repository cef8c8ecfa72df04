"""Dressing a posed body: every garment is draped over the body and over the layers below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..people.body import Body, skin
from ..people.poses import product_pose
from ..surfaces import CLOTH, Kind, Surface
from .cloth import Collider, Settle, drape, make_cloth
from .figures import Figure, make_figure, suit
from .fitting import fit
from .garment import Garment
from .meshes import averaging, smoothing, vertex_normals
from .tailoring import template_figure

COARSE = Settle(steps=80, passes=6, gravity=3.5, damping=0.985)
FINE = Settle(steps=30, passes=5, gravity=2.0, damping=0.96, renew=8)
SKIN_GAP = 0.004
LAYER_GAP = 0.003
FLAT_SHARE = 0.25
"""Share of the product shots that lie flat."""


@dataclass(frozen=True)
class Posed:
    """A body in its pose, as cloth meets it."""

    points: np.ndarray
    """(N, 3) the suit in the world."""
    normals: np.ndarray
    """(N, 3)."""
    hands: np.ndarray
    """(H, 3) points of the hands."""
    hand_normals: np.ndarray
    """(H, 3)."""
    chest: np.ndarray
    """(3, 3) how the chest has turned from rest."""
    transforms: np.ndarray
    """(J, 3, 4) of the bones."""


@dataclass(frozen=True)
class Draped:
    """Cloth after it has come to rest."""

    fine: np.ndarray
    """(V', 3)."""
    normals: np.ndarray
    """(V', 3)."""


def wear(
    garments: list[Garment],
    body: Body,
    transforms: np.ndarray,
    rng: np.random.Generator,
    kinds: list[Kind] | None = None,
) -> list[list[Surface]]:
    """Drape garments over a posed body.

    Args:
        garments: from the innermost to the outermost.
        body: whose rest shape they are fitted to.
        transforms: (J, 3, 4) of `body.transforms`.
        rng: draws how folds start.
        kinds: what each is; by default `garment` for the first, then `other_1`, `other_2`.

    Returns:
        The surfaces of each garment, in the order of `garments`. Vertices and faces are those of every other wearing.
    """
    figure = make_figure(body)
    posed = pose_figure(figure, transforms)
    layers: list[Draped] = []
    result = []
    for number, garment in enumerate(garments):
        draped = _drape(garment, figure, posed, layers, rng)
        layers.append(draped)
        result.append([_surface(garment, draped, posed, (kinds or list(CLOTH))[number])])
    return result


def product_shot(garment: Garment, rng: np.random.Generator, flat: float | None = None) -> list[Surface]:
    """The garment alone, as on an invisible body of the template's shape.

    Args:
        garment: what is shown.
        rng: draws how folds start, and how flat it lies.
        flat: 0 for a ghost mannequin to 1 for a garment that lies flat on a table; None draws it.
    """
    figure = template_figure(garment.cut.sex)
    pose = product_pose(figure.body, garment.cut.category)
    posed = pose_figure(figure, figure.body.transforms(pose.rotations))
    surface = _surface(garment, _drape(garment, figure, posed, [], rng), posed, "garment")
    if flat is None:
        flat = float(rng.uniform(0.4, 1.0)) if rng.random() < FLAT_SHARE else 0.0
    middle = surface.vertices[:, 1].mean()
    scale = np.array([1 + 0.07 * flat, 1 - 0.75 * flat, 1.0])
    vertices = (surface.vertices - [0.0, middle, 0.0]) * scale + [0.0, middle, 0.0]
    return [Surface(surface.kind, vertices, surface.faces, surface.uv, surface.panel)]


def pose_figure(figure: Figure, transforms: np.ndarray) -> Posed:
    """Carry a figure's suit and hands into a pose."""
    shared = suit()
    body = figure.body
    points = skin(figure.points, shared.weights, transforms)
    part = body.part("body")
    bones = [i for i, bone in enumerate(body.model.bones) if bone.startswith(("wrist", "finger", "metacarpal"))]
    chosen = part.weights[:, bones].sum(axis=1) > 0.6
    whole = skin(part.vertices, part.weights, transforms)
    normals = vertex_normals(whole, part.triangles)
    chest = transforms[body.index("spine01"), :, :3]
    return Posed(
        points, vertex_normals(points, shared.faces), whole[chosen], normals[chosen], chest, np.asarray(transforms)
    )


def _drape(garment: Garment, figure: Figure, posed: Posed, layers: list[Draped], rng: np.random.Generator) -> Draped:
    """Coarse first, for the large folds, then four times as fine."""
    cut = garment.cut
    rest = fit(garment, figure, template_figure(cut.sex))
    if layers:
        rest = rest + vertex_normals(rest, garment.faces) * (0.003 * len(layers))
    start = skin(rest, garment.weights, posed.transforms)
    grow = _grow(garment)
    contacts = _contacts(garment.arms, garment.legs, garment, posed, layers)
    start = _off(start, contacts)
    cloth = make_cloth(rest, garment.faces, cut.bend, grow=grow)
    coarse = drape(start, cloth, 1.0 - garment.held, contacts, COARSE, rng)
    fine_rest = smoothing(garment.fine_faces, garment.refine.shape[0], 0.3, 1) @ (garment.refine @ rest)
    arms, legs = garment.refine @ garment.arms, garment.refine @ garment.legs
    contacts = _contacts(arms, legs, garment, posed, layers)
    free = 1.0 - np.floor(garment.refine @ garment.held + 1e-6)
    cloth = make_cloth(fine_rest, garment.fine_faces, cut.bend * 0.6, grow=(garment.refine @ grow) * 1.015)
    place = drape(garment.refine @ coarse, cloth, free, contacts, FINE)
    even = averaging(garment.fine_faces, len(place))
    place = place + 0.35 * (even @ place - place)
    place = _off(place, contacts)
    return Draped(place, vertex_normals(place, garment.fine_faces))


def _grow(garment: Garment) -> np.ndarray:
    """(V,) excess of cloth; bands have none."""
    return np.where(garment.snug | (garment.held > 0.5), 1.0, garment.cut.grow)


def _contacts(
    arms: np.ndarray, legs: np.ndarray, garment: Garment, posed: Posed, layers: list[Draped]
) -> list[tuple[np.ndarray, Collider]]:
    """Which vertices meet which parts of the body and of the layers below."""
    shared = suit()
    on_arm = arms > 0.5
    torso = ~on_arm.any(axis=1)
    result = []

    def add(mask: np.ndarray, chosen: np.ndarray, depth: float = 0.12) -> None:
        if mask.any() and chosen.any():
            gap = np.full(int(chosen.sum()), SKIN_GAP if garment.cut.kind != "leggings" else 0.0015)
            result.append((mask, Collider(posed.points[chosen], posed.normals[chosen], gap, depth)))

    body_arms = shared.arms.sum(axis=1)
    for side in range(2):
        add(on_arm[:, side], shared.arms[:, side] > 0.3)
    if garment.cut.legs:
        left = torso & (legs[:, 0] > legs[:, 1])
        for mask, other in ((left, 1), (torso & ~left, 0)):
            add(mask, (shared.legs[:, other] < 0.5) & (body_arms < 0.5))
    else:
        add(torso, body_arms < 0.6)
    clear = torso & (arms.sum(axis=1) < 0.03)
    if clear.any() and garment.cut.top:
        add(clear, (body_arms > 0.97), 0.03)
    if clear.any():
        gap = np.full(len(posed.hands), 0.002)
        result.append((clear, Collider(posed.hands, posed.hand_normals, gap, 0.025)))
    for layer in layers:
        gap = np.full(len(layer.fine), LAYER_GAP)
        result.append((np.ones(len(arms), bool), Collider(layer.fine, layer.normals, gap, 0.06)))
    return result


def _off(place: np.ndarray, contacts: list[tuple[np.ndarray, Collider]]) -> np.ndarray:
    """Push every vertex, held ones too, out of what it touches."""
    place = place.copy()
    for mask, collider in contacts:
        rows = np.flatnonzero(mask)
        distance, index = cKDTree(collider.points).query(place[rows], distance_upper_bound=0.15)
        near = np.isfinite(distance)
        rows, index = rows[near], index[near]
        height = ((place[rows] - collider.points[index]) * collider.normals[index]).sum(axis=1)
        deep = (height < collider.gap[index]) & (height > -collider.depth)
        rows, index, height = rows[deep], index[deep], height[deep]
        place[rows] += (collider.gap[index] - height)[:, None] * collider.normals[index]
    return place


def _surface(garment: Garment, draped: Draped, posed: Posed, kind: Kind) -> Surface:
    """Cloth, trims and turned-in hems as one mesh."""
    vertices, faces = [draped.fine], [garment.fine_faces]
    uv, panel = [garment.uv], [garment.panel]
    count = len(draped.fine)
    for trim in garment.trims:
        points = _placed(trim, draped, posed)
        vertices.append(points)
        faces.append(trim.faces + count)
        uv.append(trim.uv)
        panel.append(trim.panel)
        count += len(points)
    inner, strip, strip_uv = _turned_in(garment, draped, count)
    vertices.append(inner)
    faces.append(strip)
    uv.append(strip_uv)
    panel.append(np.tile(garment.panel[garment.rim_face], 4))
    return Surface(
        kind,
        np.concatenate(vertices),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(uv).astype(np.float32),
        np.concatenate(panel).astype(np.int16),
    )


def _placed(trim, draped: Draped, posed: Posed) -> np.ndarray:
    """(A, 3) where a trim lies on the draped cloth."""
    base = trim.anchor @ draped.fine
    normals = trim.anchor @ draped.normals
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    points = base + normals * trim.lift[:, None] + trim.offset @ posed.chest.T
    if trim.solid:
        tree = cKDTree(draped.fine)
        for _ in range(2):
            distance, index = tree.query(points)
            height = ((points - draped.fine[index]) * draped.normals[index]).sum(axis=1)
            short = np.maximum(0.003 - height, 0) * (distance < 0.05) * (np.linalg.norm(trim.offset, axis=1) > 0.002)
            points = points + draped.normals[index] * short[:, None]
    return points


def _turned_in(garment: Garment, draped: Draped, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two strips along every open edge: the thickness of the cloth, and the hem turned in; vertices, faces, uv."""
    rim, face = garment.rim, garment.rim_face
    used, number = np.unique(rim, return_inverse=True)
    number = number.reshape(-1, 2)
    thick = 0.004 if garment.cut.kind in ("hoodie", "sweater", "jacket", "cardigan") else 0.0022
    middle = draped.fine[garment.fine_faces[face]].mean(axis=1)
    inward = np.zeros((len(used), 3))
    for k in range(2):
        np.add.at(inward, number[:, k], middle - draped.fine[rim[:, k]])
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    first = draped.fine[used] - draped.normals[used] * thick
    second = first + inward * 0.014 - draped.normals[used] * 0.0005
    size = len(used)
    a, b = rim[:, 0], rim[:, 1]
    c, d = count + number[:, 0], count + number[:, 1]
    e, f = c + size, d + size
    strips = [np.stack(t, axis=1) for t in ((b, a, c), (b, c, d), (d, c, e), (d, e, f))]
    corner = garment.uv[face]
    edge_uv = []
    for end in (a, b):
        place = (garment.fine_faces[face] == end[:, None]).argmax(axis=1)
        edge_uv.append(corner[np.arange(len(face)), place])
    at_a, at_b = edge_uv
    uvs = [np.stack(t, axis=1) for t in ((at_b, at_a, at_a), (at_b, at_a, at_b)) * 2]
    return np.concatenate([first, second]), np.concatenate(strips), np.concatenate(uvs)
