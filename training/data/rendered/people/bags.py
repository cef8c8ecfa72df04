"""Bags in hands and over shoulders, and large objects that occlude the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from ..base.normals import vertex_normals
from ..base.surfaces import Surface
from .body import Body, skin
from .kinematics import turn, unit
from .shapes import grid_faces, joined, outward, rounded_box, tube

BagKind = Literal["none", "shoulder", "crossbody", "tote", "handbag", "clutch"]
BAG_KINDS: tuple[BagKind, ...] = ("none", "shoulder", "crossbody", "tote", "handbag", "clutch")
"""Kinds of bags: `shoulder` and `tote` hang from the shoulder on the same side, `crossbody` from the other; `handbag`
and `clutch` are held."""

OccluderKind = Literal["board", "box", "big_bag", "plant"]
OCCLUDERS: tuple[OccluderKind, ...] = ("board", "box", "big_bag", "plant")
"""Large objects in front of a person, for deliberately bad pairs."""


@dataclass(frozen=True)
class Bag:
    """One bag."""

    kind: BagKind = "none"
    """One of BAG_KINDS, which also determines how the bag is carried."""
    side: Literal["L", "R"] = "L"
    """Side of the shoulder or hand that carries the bag."""
    size: tuple[float, float, float] = (0.26, 0.09, 0.2)
    """Width, depth and height, metres."""
    roundness: float = 6.0
    """Exponent of the bag's shape: 2 is an ellipsoid, and 10 has sharp edges."""
    strap: float = 0.012
    """Half width of the strap, metres."""
    drop: float = 0.4
    """Distance from the shoulder or hand to the bag's top, metres."""


def draw_bag(rng: np.random.Generator, body: Body) -> Bag:
    """A random bag, or none with a probability of 3/4."""
    many = body.shape.gender > 0.5
    shares = [0.72, 0.06, 0.05, 0.05, 0.08, 0.04] if many else [0.86, 0.03, 0.05, 0.04, 0.02, 0.0]
    kind = BAG_KINDS[int(rng.choice(len(BAG_KINDS), p=shares))]
    wide = {"none": 0.2, "shoulder": 0.27, "crossbody": 0.21, "tote": 0.36, "handbag": 0.26, "clutch": 0.23}[kind]
    tall = {"none": 0.8, "shoulder": 0.65, "crossbody": 0.7, "tote": 0.95, "handbag": 0.75, "clutch": 0.6}[kind]
    deep = {"none": 0.3, "shoulder": 0.3, "crossbody": 0.3, "tote": 0.25, "handbag": 0.45, "clutch": 0.14}[kind]
    drop = {"none": 0.3, "shoulder": 0.36, "crossbody": 0.5, "tote": 0.3, "handbag": 0.11, "clutch": 0.0}[kind]
    wide *= float(rng.uniform(0.85, 1.15))
    size = (wide, wide * deep * float(rng.uniform(0.8, 1.2)), wide * tall * float(rng.uniform(0.9, 1.1)))
    return Bag(
        kind=kind,
        side="L" if rng.random() < 0.5 else "R",
        size=size,
        roundness=float(rng.uniform(4, 10)),
        strap=float(rng.uniform(0.006, 0.02)),
        drop=drop * float(rng.uniform(0.85, 1.2)),
    )


def bag_surfaces(body: Body, transforms: np.ndarray, bag: Bag, over: Sequence[Surface] = ()) -> list[Surface]:
    """Surfaces of kind bag, on top of the body and the surfaces `over`; empty if the hands are busy."""
    if bag.kind == "none":
        return []
    if bag.kind in ("handbag", "clutch"):
        meshes = _in_hand(body, transforms, bag)
    else:
        meshes = _on_shoulder(body, transforms, bag, over)
    if not meshes:
        return []
    vertices, faces, paint = joined(meshes)
    return [Surface("bag", vertices, faces, paint=paint)]


def occluder_surfaces(rng: np.random.Generator, body: Body, transforms: np.ndarray, height: float) -> list[Surface]:
    """A large object in front of the person at `height` (metres above the floor) that hides much of the clothes."""
    kind = OCCLUDERS[int(rng.integers(len(OCCLUDERS)))]
    part = body.part("body")
    posed = skin(part.vertices, part.weights, transforms)
    near = np.abs(posed[:, 2] - height) < 0.25
    place = np.array([rng.uniform(-0.08, 0.08), posed[near, 1].min() - rng.uniform(0.06, 0.14), height])
    if kind == "plant":
        meshes = _leaves(rng)
    else:
        size = {"board": (0.5, 0.02, 0.62), "box": (0.42, 0.3, 0.34), "big_bag": (0.46, 0.2, 0.42)}[kind]
        scale = rng.uniform(0.9, 1.15)
        wide, deep, tall = (length * scale for length in size)
        place[1] -= deep / 2
        tilt = turn((0, 1, 0), float(rng.uniform(-8, 8))) @ turn((0, 0, 1), float(rng.uniform(-15, 15)))
        points, faces = rounded_box((wide, deep, tall), 5.0 if kind == "big_bag" else 14.0)
        meshes = [(points @ tilt.T, faces, _paint(len(points), 0))]
        if kind == "big_bag":
            meshes += [_handle(np.array([0.0, sign * deep / 3, tall / 2]) @ tilt.T, 0.16, 0.18) for sign in (-1, 1)]
    vertices, faces, paint = joined(meshes)
    return [Surface("bag", vertices + place, faces, paint=paint)]


def _paint(count: int, which: int) -> np.ndarray:
    """(N, 3) one-hot: main, second or metal."""
    paint = np.zeros((count, 3), np.float32)
    paint[:, which] = 1
    return paint


def _posed(body: Body, transforms: np.ndarray, bone: str) -> np.ndarray:
    """(3,) head of a bone."""
    number = body.index(bone)
    return transforms[number] @ np.append(body.heads[number], 1.0)


def _in_hand(body: Body, transforms: np.ndarray, bag: Bag) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A bag that hangs from a hand, or a clutch held under it, in the other hand if the bag's is busy; empty if both
    are busy."""
    for side in (bag.side, "R" if bag.side == "L" else "L"):
        elbow, wrist, knuckle, middle = (
            _posed(body, transforms, f"{bone}.{side}") for bone in ("lowerarm01", "wrist", "finger3-1", "finger3-2")
        )
        hip = _posed(body, transforms, f"upperleg01.{side}")
        lower = unit(wrist - elbow)
        if lower[2] < -0.75 and abs(wrist[0]) > abs(hip[0]) + 0.06:
            break
    else:
        return []
    ahead = unit(np.array([0.15 * np.sign(hip[0]), -1.0, 0.0]))
    frame = np.column_stack([ahead, np.cross([0, 0, 1.0], ahead), [0.0, 0.0, 1.0]])
    wide, deep, tall = bag.size
    points, faces = rounded_box((wide, deep, tall), bag.roundness)
    grip = (knuckle + middle) / 2
    if bag.kind == "clutch":
        inward = np.array([-np.sign(hip[0]), 0.0, 0.0])
        place = grip + inward * (deep / 2 + 0.012) + np.array([0, 0, 0.02])
        return [(points @ frame.T + place, faces, _paint(len(points), 0))]
    slack = points * [1, 1 + 0.25 * 1, 1]
    slack[:, 0] *= 1 - 0.12 * (points[:, 2:].ravel() / tall + 0.5)
    low = grip - [0, 0, bag.drop + tall / 2]
    meshes = [(slack @ frame.T + low, faces, _paint(len(points), 0))]
    for sign in (-1, 1):
        path, handle_faces, paint = _handle(np.zeros(3), wide * 0.28, bag.drop + 0.012)
        path = path + [0, sign * deep * 0.3, tall / 2 - 0.006]
        path[:, 1] *= np.clip(1 - (path[:, 2] - tall / 2) / bag.drop * 0.85, 0.1, 1)
        meshes.append((path @ frame.T + low, handle_faces, paint))
    buckle, buckle_faces = rounded_box((0.03, 0.008, 0.016), 4)
    buckle = buckle + [0, -deep * 0.62, tall * 0.3]
    meshes.append((buckle @ frame.T + low, buckle_faces, _paint(len(buckle), 2)))
    return meshes


def _handle(foot: np.ndarray, half: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An arch from one side of `foot` to the other."""
    angle = np.linspace(0, np.pi, 24)
    path = foot + np.stack([half * np.cos(angle), 0 * angle, high * np.sin(angle) ** 0.8], 1)
    vertices, faces = tube(path, np.tile([[0.006, 0.006]], (len(path), 1)), 8)
    return vertices, faces, _paint(len(vertices), 1)


def _on_shoulder(
    body: Body, transforms: np.ndarray, bag: Bag, over: Sequence[Surface]
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A bag at the hip with a strap over the shoulder on the same side or, across the body, on the other side."""
    sign = 1.0 if bag.side == "L" else -1.0
    other = {"L": "R", "R": "L"}[bag.side] if bag.kind == "crossbody" else bag.side
    part = body.part("tights")
    points = skin(part.vertices, part.weights, transforms)
    outwards = vertex_normals(points, part.triangles)
    arms = [n for n, name in enumerate(body.model.bones) if name.startswith(("upperarm", "lowerarm", "wrist"))]
    trunk = part.weights[:, arms].sum(1) < (0.35 if bag.kind == "crossbody" else 2)
    places, directions = [points[trunk]], [outwards[trunk]]
    for surface in over:
        places.append(surface.vertices)
        directions.append(vertex_normals(surface.vertices, surface.faces))
    points, outwards = np.concatenate(places), np.concatenate(directions)
    tree = cKDTree(points)
    neck = _posed(body, transforms, "neck01")
    shoulder = _posed(body, transforms, f"upperarm01.{other}")
    top = 0.42 * neck + 0.58 * shoulder if bag.kind == "crossbody" else 0.3 * neck + 0.7 * shoulder
    below = np.hypot(points[:, 0] - top[0], points[:, 1] - top[1]) < 0.03
    top[2] = points[below, 2].max(initial=shoulder[2] + 0.04) + 0.008
    hip = _posed(body, transforms, f"upperleg01.{bag.side}")
    wide, deep, tall = bag.size
    low = np.array([hip[0] + sign * 0.05, hip[1] + 0.02, max(top[2] - bag.drop - tall / 2, hip[2] - 0.05)])
    for _ in range(12):
        corners = low + np.array([[0, y, z] for y in (-wide / 2, 0, wide / 2) for z in (-tall / 2, 0, tall / 2)])
        close = tree.query_ball_point(corners, max(deep, 0.05))
        edge = max((sign * points[found, 0].max(initial=-9 * sign) if sign > 0 else (-points[found, 0]).max(initial=-9)
                    for found in close), default=-9)  # fmt: skip
        if sign * low[0] - deep / 2 > edge + 0.004:
            break
        low[0] += sign * 0.015
    box, faces = rounded_box((wide, deep, tall), bag.roundness)
    frame = np.column_stack([[0.0, -1.0, 0.0], [sign, 0.0, 0.0], [0.0, 0.0, 1.0]])
    if np.linalg.det(frame) < 0:
        frame[:, 0] *= -1
    meshes = [(box @ frame.T + low, faces, _paint(len(box), 0))]
    flap, flap_faces = rounded_box((wide * 1.01, deep * 1.06, tall * 0.5), bag.roundness)
    meshes.append(((flap + [0, 0, tall * 0.262]) @ frame.T + low, flap_faces, _paint(len(flap), 0)))
    ends = [low + [0, y * wide * 0.42, tall / 2 - 0.01] for y in (-1, 1)]
    path = _strap(ends, top, points, outwards, tree)
    meshes.append(_ribbon(path, bag.strap, points, outwards, tree))
    return meshes


def _strap(
    ends: list[np.ndarray], top: np.ndarray, points: np.ndarray, outwards: np.ndarray, tree: cKDTree
) -> np.ndarray:
    """(N, 3) path of a strap from one end of a bag over the shoulder to the other end, lying tightly on the body and
    clothes."""
    half = np.linspace(0, 1, 32)[:, None]
    path = np.concatenate([ends[0] * (1 - half) + top * half, top * (1 - half[1:]) + ends[1] * half[1:]])
    for _ in range(120):
        path[1:-1] = 0.5 * path[1:-1] + 0.25 * (path[2:] + path[:-2])
        far, near = tree.query(path)
        signed = np.einsum("ij,ij->i", path - points[near], outwards[near])
        hit = (signed < 0.008) & (far < 0.1)
        hit[[0, 31, -1]] = False
        path[31] = top
        path = path + np.where(hit, 0.008 - signed, 0.0)[:, None] * outwards[near]
    return gaussian_filter1d(path, 1.0, axis=0, mode="nearest")


def _ribbon(
    path: np.ndarray, half: float, points: np.ndarray, outwards: np.ndarray, tree: cKDTree
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A flat band along a path, lying on the surface below."""
    ahead = np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    _, near = tree.query(path, k=8)
    up = gaussian_filter1d(outwards[near].mean(1), 2.0, axis=0, mode="nearest")
    across = np.cross(ahead, up)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    up = np.cross(across, ahead)
    rings = [
        path + across * x + up * z for x, z in ((half, -0.0015), (half, 0.0015), (-half, 0.0015), (-half, -0.0015))
    ]
    vertices = np.stack(rings, 1).reshape(-1, 3)
    return vertices, outward(vertices, grid_faces(len(path), 4, closed=True)), _paint(len(vertices), 1)


def _leaves(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Large leaves on stems that rise from below, around the origin."""
    meshes = []
    for _ in range(16):
        lean = rng.uniform(-1, 1)
        long, wide = rng.uniform(0.22, 0.34), rng.uniform(0.06, 0.1)
        share, across = np.meshgrid(np.linspace(0, 1, 14), np.linspace(-1, 1, 7), indexing="ij")
        width = wide * np.sin(np.pi * np.clip(share, 0.02, 0.98)) ** 0.7
        flat = np.stack([across * width, 0.03 * np.abs(across) - 0.15 * long * share**2, share * long], -1)
        spin = turn((0, 1, 0), float(50 * lean)) @ turn((0, 0, 1), float(rng.uniform(-70, 70)))
        foot = np.array([rng.uniform(-0.22, 0.22), rng.uniform(-0.06, 0.02), rng.uniform(-0.35, 0.12)])
        points = flat.reshape(-1, 3) @ spin.T + foot
        meshes.append((points, grid_faces(14, 7), _paint(len(points), 0)))
        stem = np.linspace(0, 1, 12)[:, None]
        path = foot * (1 - stem) + np.array([0.3 * foot[0], 0.0, -0.6]) * stem
        vertices, faces = tube(path, np.full((12, 2), 0.005), 6)
        meshes.append((vertices, faces, _paint(len(vertices), 1)))
    return meshes
