"""Dressing a posed body: every garment is draped over the body and over the layers below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from ..people.body import Body, skin
from ..people.poses import product_pose
from ..surfaces import CLOTH, Kind, Surface
from .cloth import Collider, Settle, drape, unwrinkled
from .fields import height_of
from .figures import Figure, make_figure, suit
from .fitting import fit, pleats_of, spanned, tucked, tucked_in
from .garment import Garment
from .meshes import vertex_normals
from .tailoring import product_figure, template_figure

COARSE = Settle(steps=64, passes=5, gravity=3.5, damping=0.98)
FINE = Settle(steps=18, passes=4, gravity=2.0, damping=0.95, renew=6)
SKIN_GAP = 0.004
LAYER_GAP = 0.003
FLAT_SHARE = 0.25
"""Share of the product shots that lie flat."""
GHOST_FLAT = 0.35
"""How flat the others are at most."""


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
    seen: np.ndarray
    """(V',) bool: what is not tucked away."""


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
        over = [other.cut for other in garments[number + 1 :] if not other.cut.top]
        tuck = height_of(over[0].waist, figure) if over and garment.cut.top else None
        draped = _drape(garment, figure, posed, layers, rng, tuck)
        layers = [_below(layer, draped, garment) for layer in layers]
        layers.append(draped)
    for garment, draped, kind in zip(garments, layers, kinds or list(CLOTH), strict=False):
        result.append([_surface(garment, draped, posed, kind)])
    return result


def product_shot(garment: Garment, rng: np.random.Generator, flat: float | None = None) -> list[Surface]:
    """The garment alone, as on an invisible body of the template's shape.

    Args:
        garment: what is shown.
        rng: draws how folds start, and how flat it lies.
        flat: 0 for a ghost mannequin to 1 for a garment that lies flat on a table; None draws it.
    """
    cut = garment.cut
    figure = product_figure(cut.sex) if cut.category == "upper" else template_figure(cut.sex)
    pose = product_pose(figure.body, cut.category)
    posed = pose_figure(figure, figure.body.transforms(pose.rotations))
    surface = _surface(garment, _drape(garment, figure, posed, [], rng), posed, "garment")
    if flat is None:
        flat = float(rng.uniform(0.4, 1.0)) if rng.random() < FLAT_SHARE else float(rng.uniform(0.0, GHOST_FLAT))
    middle = surface.vertices[:, 1].mean()
    scale = np.array([1 + 0.14 * flat, 1 - 0.75 * flat, 1.0])
    vertices = (surface.vertices - [0.0, middle, 0.0]) * scale + [0.0, middle, 0.0]
    return [Surface(surface.kind, vertices, surface.faces, surface.uv, surface.panel)]


def sink(points: np.ndarray, normals: np.ndarray, dressed: list[list[Surface]], depth: float = 0.008) -> np.ndarray:
    """Draw skin in under cloth, so that it never shows through: points (N, 3) with unit normals (N, 3) to (N, 3).

    Skin sinks by at most `depth` metres where cloth lies within 3 cm of it, and not near the cloth's edges.
    """
    result = points.copy()
    share = np.zeros(len(points))
    for surfaces in dressed:
        for surface in surfaces:
            distance, index = cKDTree(surface.vertices).query(points, distance_upper_bound=0.03)
            near = np.isfinite(distance)
            offset = surface.vertices[index[near]] - points[near]
            height = (offset * normals[near]).sum(axis=1)
            beside = np.sqrt(np.maximum(distance[near] ** 2 - height**2, 0))
            covered = np.clip((0.012 - beside) / 0.006, 0, 1) * np.clip((0.006 - height) / 0.004, 0, 1)
            share[near] = np.maximum(share[near], covered)
    return result - normals * (depth * share)[:, None]


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


def _drape(
    garment: Garment,
    figure: Figure,
    posed: Posed,
    layers: list[Draped],
    rng: np.random.Generator,
    tuck: float | None = None,
) -> Draped:
    """Coarse first, for the large folds, then four times as fine; `tuck` is the height of a waist over it."""
    cut = garment.cut
    rest = fit(garment, figure, template_figure(cut.sex))
    held = garment.held
    hidden = np.zeros(len(rest))
    if tuck is not None:
        hidden = tucked(garment, figure, tuck)
        rest = tucked_in(rest, garment, figure, hidden)
        held = np.maximum(held, hidden > 0.9)
    if layers:
        rest = rest + vertex_normals(rest, garment.faces) * (0.003 * len(layers))
    start = skin(rest, garment.weights, posed.transforms)
    grow = _grow(garment)
    colliders = _colliders(garment, posed, layers)
    contacts = _contacts(garment.arms, garment.legs, colliders)
    pressed = _off(start, contacts)
    start = np.where(hidden[:, None] > 0.9, start, pressed)
    coarse = drape(start, rest, garment.springs, cut.bend, grow, 1.0 - held, contacts, COARSE, rng)
    coarse = unwrinkled(coarse, garment.faces, garment.coarse_even, 12)
    fine_rest = garment.refine @ rest
    fine_rest = fine_rest + 0.3 * (garment.even @ fine_rest - fine_rest)
    arms, legs = garment.refine @ garment.arms, garment.refine @ garment.legs
    contacts = _contacts(arms, legs, colliders)
    free = 1.0 - np.floor(garment.refine @ held + 1e-6)
    grow = (garment.refine @ grow) * 1.015
    place = garment.refine @ coarse
    place = drape(place, fine_rest, garment.fine_springs, cut.bend * 0.6, grow, free, contacts, FINE)
    place = place + 0.35 * (garment.even @ place - place)
    armhole = np.clip(4 * arms.max(axis=1) * (1 - arms.max(axis=1)) * 1.5 - 0.2, 0, 0.5)[:, None]
    for _ in range(4):
        place = place + armhole * (garment.even @ place - place)
    edge = np.unique(garment.rim)
    for _ in range(6):
        # Along open edges the mean is that of the two neighbours on the edge: hems become even.
        place[edge] += 0.5 * (garment.even[edge] @ place - place[edge])
    place = unwrinkled(place, garment.fine_faces, garment.even, 16)
    if cut.pleats:
        pleats = garment.refine @ pleats_of(garment)
        place = place + vertex_normals(place, garment.fine_faces) * pleats[:, None]
    pressed = _off(place, contacts)
    hidden = garment.refine @ hidden
    place = np.where(hidden[:, None] > 0.9, place, pressed)
    return Draped(place, vertex_normals(place, garment.fine_faces), hidden < 0.3)


def _grow(garment: Garment) -> np.ndarray:
    """(V,) excess of cloth; bands have none."""
    return np.where(garment.snug | (garment.held > 0.5), 1.0, garment.cut.grow)


def _regions(arms: np.ndarray, legs: np.ndarray) -> dict[str, np.ndarray]:
    """Vertices (V,) bool by what they may touch."""
    on_arm = arms > 0.5
    trunk = ~on_arm.any(axis=1)
    left = trunk & (legs[:, 0] > legs[:, 1])
    return {
        "left_arm": on_arm[:, 0],
        "right_arm": on_arm[:, 1],
        "left_leg": left,
        "right_leg": trunk & ~left,
        "trunk": trunk,
        "clear": trunk & (arms.sum(axis=1) < 0.03),
        "all": np.ones(len(arms), bool),
    }


def _colliders(garment: Garment, posed: Posed, layers: list[Draped]) -> list[tuple[str, Collider]]:
    """Parts of the body and of the layers below, each with the region of the garment that meets it."""
    shared = suit()
    body_arms = shared.arms.sum(axis=1)
    skin_gap = SKIN_GAP if garment.cut.kind != "leggings" else 0.0015
    result = []

    def add(region: str, points: np.ndarray, normals: np.ndarray, gap: float, depth: float) -> None:
        if len(points):
            result.append((region, Collider(points, normals, np.full(len(points), gap), depth)))

    def add_body(region: str, chosen: np.ndarray) -> None:
        add(region, posed.points[chosen], posed.normals[chosen], skin_gap, 0.12)

    if garment.arms.max() > 0.5:
        add_body("left_arm", shared.arms[:, 0] > 0.3)
        add_body("right_arm", shared.arms[:, 1] > 0.3)
    if garment.cut.legs:
        add_body("left_leg", (shared.legs[:, 1] < 0.5) & (body_arms < 0.5))
        add_body("right_leg", (shared.legs[:, 0] < 0.5) & (body_arms < 0.5))
    else:
        add_body("trunk", body_arms < 0.6)
    arm = body_arms > 0.97
    points = np.concatenate([posed.points[arm], posed.hands])
    normals = np.concatenate([posed.normals[arm], posed.hand_normals])
    facing = _facing(points, normals, posed)
    add("clear", points[facing], normals[facing], 0.002, 0.03)
    if not garment.cut.legs and garment.fall.max() > 0.05:
        add("clear", *_around_legs(posed), 0.0, 0.2)
    for layer in layers:
        if layer.seen.all() or garment.cut.top:  # Where it is tucked in, it is the layer that gives way.
            add("all", layer.fine[layer.seen], layer.normals[layer.seen], LAYER_GAP, 0.06)
    return result


def _contacts(
    arms: np.ndarray, legs: np.ndarray, colliders: list[tuple[str, Collider]]
) -> list[tuple[np.ndarray, Collider]]:
    """Which vertices meet what."""
    regions = _regions(arms, legs)
    return [(regions[region], collider) for region, collider in colliders if regions[region].any()]


def _facing(points: np.ndarray, normals: np.ndarray, posed: Posed) -> np.ndarray:
    """Which points of arms and hands face the trunk: only these may press on its cloth, and only inwards."""
    trunk = posed.points[suit().arms.sum(axis=1) < 0.2]
    inwards = trunk[cKDTree(trunk).query(points)[1]] - points
    inwards /= np.maximum(np.linalg.norm(inwards, axis=1, keepdims=True), 1e-9)
    return (normals * inwards).sum(axis=1) > 0.35


def _around_legs(posed: Posed) -> tuple[np.ndarray, np.ndarray]:
    """A hull around both legs, which skirts span as they do not fall between them; points and normals (P, 3)."""
    legs = posed.points[suit().legs.sum(axis=1) > 0.9]
    top, low = np.percentile(legs[:, 2], 90), np.percentile(legs[:, 2], 12)
    centre = (legs.min(axis=0) + legs.max(axis=0))[:2] / 2
    rows, columns = 30, 72
    row = ((top - legs[:, 2]) / (top - low) * rows).astype(int)
    angle = np.arctan2(legs[:, 1] - centre[1], legs[:, 0] - centre[0])
    column = ((angle + np.pi) / (2 * np.pi) * columns).astype(int) % columns
    radius = np.hypot(legs[:, 0] - centre[0], legs[:, 1] - centre[1])
    inside = (row >= 0) & (row < rows)
    table = np.zeros((rows, columns))
    np.maximum.at(table, (row[inside], column[inside]), radius[inside])
    table = gaussian_filter(spanned(table), (1.0, 1.0), mode=("nearest", "wrap")) - 0.004
    angles = (np.arange(columns) + 0.5) / columns * 2 * np.pi - np.pi
    out = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.empty((rows, columns, 3))
    points[..., :2] = centre + table[..., None] * out
    points[..., 2] = (top - (np.arange(rows) + 0.5) / rows * (top - low))[:, None]
    along = np.roll(points, -1, axis=1) - np.roll(points, 1, axis=1)
    normals = np.stack([along[..., 1], -along[..., 0], np.zeros((rows, columns))], axis=-1)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return points.reshape(-1, 3), normals.reshape(-1, 3)


def _below(inner: Draped, outer: Draped, garment: Garment) -> Draped:
    """Press a lower layer in where it would show through the one over it."""
    rim = np.zeros(len(outer.fine), bool)
    rim[garment.rim.ravel()] = True
    distance, index = cKDTree(outer.fine).query(inner.fine, distance_upper_bound=0.03)
    near = np.flatnonzero(np.isfinite(distance))
    index = index[near]
    offset = inner.fine[near] - outer.fine[index]
    height = (offset * outer.normals[index]).sum(axis=1)
    beside = np.linalg.norm(offset - height[:, None] * outer.normals[index], axis=1)
    covered = ~rim[index] | (beside < 0.006)
    near, index, height = near[covered], index[covered], height[covered]
    fine = inner.fine.copy()
    fine[near] -= np.maximum(height + LAYER_GAP, 0)[:, None] * outer.normals[index]
    return Draped(fine, inner.normals, inner.seen)


def _off(place: np.ndarray, contacts: list[tuple[np.ndarray, Collider]]) -> np.ndarray:
    """Push every vertex, held ones too, out of what it touches."""
    place = place.copy()
    for mask, collider in contacts:
        rows = np.flatnonzero(mask)
        distance, index = collider.tree.query(place[rows], distance_upper_bound=0.15)
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
