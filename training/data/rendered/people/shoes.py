"""Shoes, made by pushing the feet of the tights outwards, with a sole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..base.normals import vertex_normals
from ..base.surfaces import Surface
from .body import Body, skin, triangles
from .shapes import compact, smooth, subdivided

ShoeKind = Literal["sneaker", "flat", "boot", "pump", "barefoot"]
SHOE_KINDS: tuple[ShoeKind, ...] = ("sneaker", "flat", "boot", "pump", "barefoot")
"""Kinds of shoes: `flat` is a closed low shoe; `pump` is open over the instep and has no heel."""


@dataclass(frozen=True)
class Shoe:
    """A pair of shoes."""

    kind: ShoeKind = "sneaker"
    """One of SHOE_KINDS."""
    shaft: float = 0.09
    """Height of the upper edge at the ankle, metres."""
    sole: float = 0.02
    """Thickness of the sole, metres."""


def draw_shoe(rng: np.random.Generator) -> Shoe:
    """Draw a random pair of shoes or, rarely, bare feet."""
    kind = SHOE_KINDS[int(rng.choice(len(SHOE_KINDS), p=[0.4, 0.2, 0.17, 0.2, 0.03]))]
    shaft = {"sneaker": (0.075, 0.13), "flat": (0.065, 0.085), "boot": (0.15, 0.33), "pump": (0.05, 0.06)}
    sole = {"sneaker": (0.02, 0.035), "flat": (0.008, 0.018), "boot": (0.015, 0.03), "pump": (0.006, 0.01)}
    if kind == "barefoot":
        return Shoe(kind, 0.0, 0.0)
    return Shoe(kind, float(rng.uniform(*shaft[kind])), float(rng.uniform(*sole[kind])))


def shoe_surfaces(body: Body, transforms: np.ndarray, shoe: Shoe) -> list[Surface]:
    """Surfaces of kind shoe, with paint (1, sole, 0); soles extend below z = 0 by their thickness."""
    if shoe.kind == "barefoot":
        return []
    part = body.part("tights")
    near = part.vertices[:, 2] < shoe.shaft + 0.06
    quads = part.quads[near[part.quads].all(1)]
    outwards = vertex_normals(part.vertices, part.triangles)
    values = [part.vertices, outwards, part.weights]
    for _ in range(2):
        quads, values = subdivided(quads, *values)
    points, faces, outwards, weights = compact(values[0], triangles(quads), *values[1:])
    ahead = (body.head("foot.L")[1] - points[:, 1]) / (body.head("foot.L")[1] - points[:, 1].min())
    edge = np.full(len(points), shoe.shaft)
    if shoe.kind in ("pump", "flat"):
        vamp = (0.42, 0.62) if shoe.kind == "pump" else (0.15, 0.35)
        cut = 0.028 if shoe.kind == "pump" else 0.055
        edge = np.where(ahead > 0, cut + (shoe.shaft - cut) * (1 - smooth(0, 0.2, ahead)), edge)
        edge = edge + 0.08 * smooth(*vamp, ahead)
    inside = edge - points[:, 2]
    keep = (inside > -0.025)[faces].any(1)
    away = np.clip(0.004 + 0.8 * inside, -0.014, 0.006 if shoe.kind in ("pump", "flat") else 0.009)
    low = smooth(0.03, 0.012, points[:, 2])
    flat = outwards * [1, 1, 0.3]
    moved = points + flat * (away + 0.004 * low * (shoe.kind == "sneaker"))[:, None]
    bottom = smooth(0.022, 0.006, points[:, 2])
    moved[:, 2] = np.where(bottom > 0, moved[:, 2] * (1 - bottom) - bottom * shoe.sole, moved[:, 2])
    sole = smooth(0.016, 0.011, points[:, 2])
    moved, faces, weights, sole = compact(moved, faces[keep], weights, sole)
    weights = weights / weights.sum(1, keepdims=True)
    paint = np.stack([1 - sole, sole, np.zeros_like(sole)], 1).astype(np.float32)
    return [Surface("shoe", skin(moved, weights, transforms), faces, paint=paint)]
