"""Contacts of cloth with a posed body and with the layers below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from ...base.normals import vertex_normals
from ...people.body import skin
from ..base.figures import Figure, suit
from ..base.garment import Garment
from .draping import Collider
from .fitting import spanned

SKIN_GAP = 0.004
"""Minimum distance of cloth from the skin, metres."""
LAYER_GAP = 0.003
"""Minimum distance of cloth from the layer below, metres."""


@dataclass(frozen=True)
class Posed:
    """A posed body for contacts with cloth."""

    points: np.ndarray
    """(N, 3) points of the suit in world coordinates."""
    normals: np.ndarray
    """(N, 3) normals of the suit."""
    hands: np.ndarray
    """(H, 3) points of the hands."""
    hand_normals: np.ndarray
    """(H, 3) normals of the hands."""
    chest: np.ndarray
    """(3, 3) rotation of the chest from rest."""
    transforms: np.ndarray
    """(J, 3, 4) transforms of the bones."""


@dataclass(frozen=True)
class Draped:
    """Cloth after draping."""

    fine: np.ndarray
    """(V', 3) fine vertices."""
    normals: np.ndarray
    """(V', 3) normals."""
    seen: np.ndarray
    """(V',) bool: vertices that are not tucked in."""


def pose_figure(figure: Figure, transforms: np.ndarray) -> Posed:
    """Move a figure's suit and hands into a pose."""
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


def _regions(arms: np.ndarray, legs: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (V,) bool of the vertices, by the part of the body or the layer that they may touch."""
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


def colliders_of(garment: Garment, posed: Posed, layers: list[Draped]) -> list[tuple[str, Collider]]:
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
        if layer.seen.all() or garment.cut.top:  # A layer that is tucked into the garment yields to it.
            add("all", layer.fine[layer.seen], layer.normals[layer.seen], LAYER_GAP, 0.06)
    return result


def contacts_of(
    arms: np.ndarray, legs: np.ndarray, colliders: list[tuple[str, Collider]]
) -> list[tuple[np.ndarray, Collider]]:
    """Regions of the garment that meet each part and layer."""
    regions = _regions(arms, legs)
    return [(regions[region], collider) for region, collider in colliders if regions[region].any()]


def _facing(points: np.ndarray, normals: np.ndarray, posed: Posed) -> np.ndarray:
    """Mask of arm and hand points that face the trunk; only these press on the trunk's cloth, and only inwards."""
    trunk = posed.points[suit().arms.sum(axis=1) < 0.2]
    inwards = trunk[cKDTree(trunk).query(points)[1]] - points
    inwards /= np.maximum(np.linalg.norm(inwards, axis=1, keepdims=True), 1e-9)
    return (normals * inwards).sum(axis=1) > 0.35


def _around_legs(posed: Posed) -> tuple[np.ndarray, np.ndarray]:
    """Points and normals, (P, 3) each, of a hull around both legs, which keeps skirts from falling between them."""
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


def pushed_off(place: np.ndarray, contacts: list[tuple[np.ndarray, Collider]]) -> np.ndarray:
    """Push all vertices, including pinned ones, out of the colliders that they penetrate."""
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
