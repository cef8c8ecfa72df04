"""Hair meshes: a cap over the scalp, and sheets of strands that fall over head, back and shoulders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import cKDTree

from ..base.normals import vertex_normals
from ..base.surfaces import Surface
from .body import TEMPLATE_SHAPES, Body, make_body, skin, triangles
from .shapes import compact, grid_faces, joined, outward, smooth, split, tube

Style = Literal["bald", "short", "bob", "long", "shoulders", "bun", "ponytail"]
STYLES: tuple[Style, ...] = ("bald", "short", "bob", "long", "shoulders", "bun", "ponytail")
"""Hair styles: `bob` ends at the jaw, `long` falls behind the shoulders, `shoulders` both behind and in front of
them."""

Mesh = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Hair:
    """One hair style."""

    style: Style = "short"
    """One of STYLES."""
    thickness: float = 0.016
    """Thickness of the hair on the head, metres."""
    length: float = 0.3
    """Length of loose hair below the ears, metres."""
    fringe: float = 0.0
    """Fraction of the forehead covered by a fringe; 0 for none."""
    parting: float = 0.0
    """Position of the parting, metres to the left."""
    hairline: float = 0.062
    """Height of the hairline above the eyes, metres."""
    wave: float = 0.3
    """0 straight, 1 wavy."""
    seed: int = 0
    """Seed of the strands."""


def draw_hair(rng: np.random.Generator, body: Body) -> Hair:
    """Draw a hair style: mostly short for men, and mostly long for women."""
    female = body.shape.gender > 0.5
    shares = [0.01, 0.1, 0.15, 0.24, 0.22, 0.14, 0.14] if female else [0.12, 0.74, 0.05, 0.03, 0.02, 0.03, 0.01]
    style = STYLES[int(rng.choice(len(STYLES), p=shares))]
    short = style in ("short", "bun", "ponytail")
    receding = 0.0 if female else float(rng.uniform(0, 0.02)) * (body.shape.age > 0.72)
    return Hair(
        style=style,
        thickness=float(rng.uniform(0.006, 0.024) if style == "short" else rng.uniform(0.009, 0.018)),
        length=float(rng.uniform(0.06, 0.11) if style == "bob" else rng.uniform(0.22, 0.4)),
        fringe=float(rng.uniform(0.55, 0.95)) if not short and rng.random() < 0.3 else 0.0,
        parting=float(rng.choice([0.0, rng.uniform(-0.03, 0.03)])),
        hairline=float(rng.uniform(0.056, 0.066)) + receding,
        wave=float(rng.beta(1.2, 2.0)),
        seed=int(rng.integers(2**31)),
    )


def hair_surfaces(body: Body, transforms: np.ndarray, hair: Hair, over: Sequence[Surface] = ()) -> list[Surface]:
    """Surfaces of kind hair; loose hair lies on the skin and on the surfaces `over`."""
    if hair.style == "bald":
        return []
    meshes = [_cap(body, hair)]
    head = transforms[body.index("head")]
    meshes = [(vertices @ head[:, :3].T + head[:, 3], faces, paint) for vertices, faces, paint in meshes]
    if hair.style in ("bob", "long", "shoulders"):
        meshes += _loose(body, transforms, hair, over)
    if hair.style == "bun":
        meshes.append(_bun(body, head, hair))
    if hair.style == "ponytail":
        meshes.append(_ponytail(body, transforms, hair, over))
    vertices, faces, paint = joined(meshes)
    return [Surface("hair", vertices, faces, paint=paint)]


def _centre(body: Body) -> np.ndarray:
    """(3,) centre of the skull at rest."""
    eye = body.head("eye.L")
    return np.array([0.0, eye[1] + 0.085, eye[2] + 0.025])


def _cap(body: Body, hair: Hair) -> Mesh:
    """The extruded scalp at rest; it passes under the skin at the hairline, so that the line is smooth."""
    part = body.part("body")
    eye = body.head("eye.L")
    outwards = vertex_normals(part.vertices, part.triangles)
    values = [part.vertices, outwards, body.model.paint["ears"][body.model.ranges["body"]]]
    for quads, edges in _cap_topology()[0]:
        values = [np.concatenate([value, value[edges].mean(1), value[quads].mean(1)]) for value in values]
    points, outwards, ears = values
    points, faces, outwards, ears = compact(points, _cap_topology()[1], outwards, ears)
    inside = _inside(points, eye, hair)
    low = 0.35 if hair.style == "short" else 0.8
    grown = smooth(0.0, 0.03, inside) * (low + (1 - low) * smooth(0.03, 0.11, points[:, 2] - eye[2]))
    rng = np.random.default_rng(hair.seed)
    strands = _strands(rng, np.arctan2(points[:, 0] - hair.parting, 0.09 - (points[:, 1] - eye[1])), points[:, 2], 0.35)
    around = np.arctan2(points[:, 0] - hair.parting, 0.09 - (points[:, 1] - eye[1]))
    waves = np.sin(around * 31 + 3 * np.sin(points[:, 2] * 40)) + 0.6 * np.sin(around * 57 + points[:, 2] * 60)
    rough = hair.thickness * (0.01 + 0.06 * hair.wave) * waves
    away = np.where(inside > 0, 0.0015 + hair.thickness * grown + rough * grown, -0.004)
    away = np.minimum(away, 0.0015 + np.maximum(inside, -0.004) * 0.8) * (ears < 0.3) - 0.004 * (ears >= 0.3)
    centre = _centre(body)
    direction = outwards + 0.5 * (points - centre) / np.linalg.norm(points - centre, axis=1, keepdims=True)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    parted = np.exp(-(((points[:, 0] - hair.parting) / 0.003) ** 2)) * (points[:, 1] < eye[1] + 0.11) * (inside > 0.004)
    away = away - parted * 0.35 * hair.thickness * (hair.style != "short")
    shade = np.clip(strands - 0.3 * parted * (hair.style != "short"), 0, 1)
    keep = (inside > -0.02)[faces].any(1)
    points, faces, shade = compact(points + direction * away[:, None], faces[keep], shade)
    return points, faces, _paint(shade)


@lru_cache(maxsize=1)
def _cap_topology() -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Quads and edges of the scalp's skin before each of two subdivisions, and the triangles after them."""
    body = make_body(TEMPLATE_SHAPES["female"])
    part = body.part("body")
    near = part.weights[:, body.index("head")] > 0.4
    quads = part.quads[(near & (part.vertices[:, 2] > body.head("eye.L")[2] - 0.065))[part.quads].all(1)]
    count, steps = len(part.vertices), []
    for _ in range(2):
        finer, edges = split(quads, count)
        steps.append((quads, edges))
        count += len(edges) + len(quads)
        quads = finer
    return steps, triangles(quads)


def _inside(points: np.ndarray, eye: np.ndarray, hair: Hair) -> np.ndarray:
    """(N,) distance in metres inside the hairline; negative on the face and the neck."""
    back = points[:, 1] - eye[1]
    up = points[:, 2] - eye[2]
    temple = 9 * np.maximum(np.abs(points[:, 0]) - 0.028, 0) ** 2 + 4 * np.minimum(np.abs(points[:, 0]) - 0.028, 0) ** 2
    front = up - hair.hairline + 0.95 * np.maximum(back - 0.03, 0) - temple
    sideburn = up + 0.035 - 1.2 * np.maximum(0.088 - back, 0)
    nape = up + 0.055 - 0.25 * np.maximum(0.16 - back, 0)
    side = smooth(0.055, 0.075, np.abs(points[:, 0])) * smooth(0.05, 0.07, back)
    return np.minimum(np.maximum(front, np.where(side > 0.5, sideburn * 0.6, -0.05)), nape)


def _strands(rng: np.random.Generator, across: np.ndarray, along: np.ndarray, fine: float = 1.0) -> np.ndarray:
    """(N,) brightness in 0..1 that runs along the hair: `across` in radians, `along` in metres.

    `fine` reduces details that coarse meshes cannot show.
    """
    phases = rng.uniform(0, 2 * np.pi, 4)
    bent = across + 0.05 * np.sin(along * 25 + phases[0])
    tone = 0.5 + 0.16 * np.sin(bent * 37 + phases[1]) + 0.14 * fine * np.sin(bent * 83 + phases[2] + along * 9)
    tone = tone + 0.1 * fine * np.sin(bent * 171 + phases[3] - along * 14)
    return np.clip(tone + rng.normal(size=len(across)) * 0.04, 0, 1)


def _paint(shade: np.ndarray) -> np.ndarray:
    """(N, 3) float32 paint of hair: the brightness `shade`, and two unused channels."""
    return np.stack([shade, np.zeros_like(shade), np.zeros_like(shade)], 1).astype(np.float32)


def _hull(body: Body, polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """(R, C) smoothed distances in metres from the skull's centre to the head and ears, for grids of angles (R, C)."""
    part = body.part("body")
    centre = _centre(body)
    way = part.vertices[part.weights[:, body.index("head")] > 0.5] - centre
    far = np.linalg.norm(way, axis=1)
    tree = cKDTree(way / far[:, None])
    directions = _directions(polar, azimuth)
    _, near = tree.query(directions.reshape(-1, 3), k=6)
    radius = np.maximum(far[near].mean(1), np.sort(far[near], 1)[:, -2]).reshape(polar.shape)
    return gaussian_filter(radius, (2, 3), mode="nearest")


def _directions(polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """(R, C, 3) unit vectors: polar angle from a crown behind the top, azimuth from 0 in front towards the left."""
    flat = np.stack([np.sin(polar) * np.sin(azimuth), -np.sin(polar) * np.cos(azimuth), np.cos(polar)], axis=-1)
    tilt = np.deg2rad(14) * np.clip(np.cos(polar), 0, 1) ** 2
    y = flat[..., 1] * np.cos(tilt) + flat[..., 2] * np.sin(tilt)
    z = flat[..., 2] * np.cos(tilt) - flat[..., 1] * np.sin(tilt)
    return np.stack([flat[..., 0], y, z], axis=-1)


@dataclass(frozen=True)
class _Obstacles:
    """The surface that loose hair lies on."""

    points: np.ndarray
    """(N, 3) points."""
    outwards: np.ndarray
    """(N, 3) outward normals."""
    tree: cKDTree
    """Search tree of the points."""


def _obstacles(body: Body, transforms: np.ndarray, over: Sequence[Surface]) -> _Obstacles:
    """Skin of trunk, neck, upper arms and jaw, and the clothes."""
    part = body.part("body")
    points = skin(part.vertices, part.weights, transforms)
    outwards = vertex_normals(points, part.triangles)
    hands = [n for n, name in enumerate(body.model.bones) if name.startswith(("wrist", "finger", "lowerarm"))]
    chosen = (part.vertices[:, 2] > 0.5 * body.height) & (part.weights[:, hands].sum(1) < 0.2)
    places, directions = [points[chosen]], [outwards[chosen]]
    for surface in over:
        places.append(surface.vertices)
        directions.append(vertex_normals(surface.vertices, surface.faces))
    joined_points = np.concatenate(places)
    return _Obstacles(joined_points, np.concatenate(directions), cKDTree(joined_points))


def _loose(body: Body, transforms: np.ndarray, hair: Hair, over: Sequence[Surface]) -> list[Mesh]:
    """Sheets of strands: the back with the sides, or the back and two fronts, and a fringe."""
    obstacles = _obstacles(body, transforms, over)
    if hair.style == "shoulders":
        spans = [(62, 128, -1.0), (118, 242, 1.0), (232, 298, -1.0)]
    else:
        spans = [(66, 294, 1.0 if hair.style == "long" else 0.0)]
    meshes = [_sheet(body, transforms, hair, span, obstacles) for span in spans]
    if hair.fringe > 0:
        meshes.append(_fringe(body, transforms, hair))
    return meshes


def _sheet(
    body: Body, transforms: np.ndarray, hair: Hair, span: tuple[float, float, float], obstacles: _Obstacles
) -> Mesh:
    """Strands from the crown down. `span` contains the range of azimuths in degrees, and 1 for hair behind the
    shoulders or -1 for hair in front of them."""
    rng = np.random.default_rng(hair.seed + int(span[0]))
    columns = int((span[1] - span[0]) * 0.75)
    azimuth, polar = np.meshgrid(
        np.deg2rad(np.linspace(span[0], span[1], columns)), np.deg2rad(np.linspace(4, 100, 22))
    )
    clumps = gaussian_filter1d(rng.normal(size=columns), 1.2, mode="nearest") * 0.9
    lift = hair.thickness * smooth(0, 0.5, polar) + 0.004 + 0.0025 * clumps * smooth(0.4, 1.5, polar)
    head = transforms[body.index("head")]
    scalp = _centre(body) + _directions(polar, azimuth) * (_hull(body, polar, azimuth) + lift)[..., None]
    scalp = scalp @ head[:, :3].T + head[:, 3]  # (R, C, 3)
    lengths = hair.length * (1 + 0.06 * clumps + 0.03 * rng.normal(size=columns))
    hanging = _hang(scalp, lengths, span[2], hair, obstacles, rng)
    outer = np.concatenate([scalp, hanging])  # (R, C, 3)
    rows = len(outer)
    shade = _strands(rng, np.tile(azimuth[0], rows), outer[..., 2].ravel())
    shade = np.clip(shade + 0.12 * np.tile(clumps, rows), 0, 1)
    faces = grid_faces(rows, columns)
    depth = 0.007 * smooth(0.0, 0.35, np.linspace(0, 1, rows))[:, None] * np.ones((1, columns))
    outwards = vertex_normals(outer.reshape(-1, 3), faces)
    middle = outer[10, columns // 2] - _centre(body) @ head[:, :3].T - head[:, 3]
    outwards = outwards * np.sign(outwards.reshape(rows, columns, 3)[10, columns // 2] @ middle)
    inner = outer.reshape(-1, 3) - outwards * depth.reshape(-1, 1)
    both = np.concatenate([outer.reshape(-1, 3), inner])
    rim = _rim(rows, columns)
    count = rows * columns
    following = np.roll(rim, -1)
    wall = np.concatenate(
        [np.stack([following, rim, rim + count], 1), np.stack([following, rim + count, following + count], 1)]
    )
    faces = outward(both, np.concatenate([faces, faces[:, ::-1] + count, wall]))
    return both, faces, _paint(np.concatenate([shade, shade * 0.6]))


def _rim(rows: int, columns: int) -> np.ndarray:
    """(N,) indices of the vertices around a grid."""
    numbers = np.arange(rows * columns).reshape(rows, columns)
    return np.concatenate([numbers[0], numbers[1:, -1], numbers[-1, -2::-1], numbers[-2:0:-1, 0]])


def _hang(
    scalp: np.ndarray, lengths: np.ndarray, side: float, hair: Hair, obstacles: _Obstacles, rng: np.random.Generator
) -> np.ndarray:
    """(S, C, 3) positions of strands below the head, which fall and slide over surfaces."""
    place, direction = scalp[-1].copy(), scalp[-1] - scalp[-2]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    steps = 26
    step = (lengths / steps)[:, None]
    phase = gaussian_filter1d(rng.uniform(0, 2 * np.pi, len(lengths)), 3, mode="nearest")
    sway = np.stack([np.cos(phase), np.sin(phase), np.zeros_like(phase)], 1) * 0.35 * hair.wave
    sway = sway - sway.mean(0)
    turned = np.array([0.0, side * (0.3 if side > 0 else 0.12), -1.0])
    inwards = -0.12 * np.sign(place[:, :1] - place[:, :1].mean()) * [[1.0, 0.0, 0.0]] * (side >= 0)
    pull = turned + inwards * np.minimum(np.abs(place[:, :1] - place[:, :1].mean()) / 0.05, 1.0)
    direction = 0.35 * direction + 0.65 * pull
    found = []
    for number in range(steps):
        direction = 0.7 * direction + 0.3 * (pull + sway * np.sin(number * 0.75))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        place = place + direction * step
        clear = 0.012 + 0.012 * min(number / 8, 1)
        for _ in range(2):
            far, near = obstacles.tree.query(place)
            outwards = obstacles.outwards[near]
            signed = np.einsum("ij,ij->i", place - obstacles.points[near], outwards)
            hit = (signed < clear) & (far < 0.09)
            place = place + np.where(hit, clear - signed, 0.0)[:, None] * outwards
            into = np.minimum(np.einsum("ij,ij->i", direction, outwards), 0) * hit
            direction = direction - into[:, None] * outwards + hit[:, None] * np.array([0.0, 0.3 * side, 0.0])
            direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-6)
        found.append(place)
    grid = np.stack(found)
    return gaussian_filter(grid, (1.0, 1.3, 0), mode="nearest")


def _fringe(body: Body, transforms: np.ndarray, hair: Hair) -> Mesh:
    """Hair that falls over the forehead."""
    rng = np.random.default_rng(hair.seed + 1)
    columns, rows = 64, 18
    lowest = np.deg2rad(62 + 22 * hair.fringe)
    azimuth, share = np.meshgrid(np.deg2rad(np.linspace(-72, 72, columns)), np.linspace(0.05, 1, rows))
    clumps = gaussian_filter1d(rng.normal(size=columns), 1.2, mode="nearest")
    polar = share * (lowest * (1 + 0.02 * clumps) + 0.25 * np.abs(azimuth) ** 2 * 0.3)
    radius = _hull(body, polar, azimuth) + hair.thickness * smooth(0, 0.5, polar) * (1 - 0.45 * share) + 0.003
    points = _centre(body) + _directions(polar, azimuth) * (radius + 0.002 * clumps * share)[..., None]
    head = transforms[body.index("head")]
    points = points.reshape(-1, 3) @ head[:, :3].T + head[:, 3]
    shade = _strands(rng, azimuth.ravel(), share.ravel() * 0.1)
    return points, grid_faces(rows, columns)[:, ::-1], _paint(shade)


def _bun(body: Body, head: np.ndarray, hair: Hair) -> Mesh:
    """A ball of hair behind the crown."""
    rng = np.random.default_rng(hair.seed + 2)
    high = rng.uniform(-0.1, 0.95)
    size = rng.uniform(0.032, 0.044)
    azimuth, polar = np.meshgrid(np.linspace(0, 2 * np.pi, 48, endpoint=False), np.linspace(0.02, np.pi - 0.02, 26))
    twist = azimuth + 1.6 * polar
    radius = size * (1 + 0.05 * np.sin(7 * twist) + 0.03 * np.sin(15 * twist + 1))
    ball = _directions(polar, azimuth) * radius[..., None] * np.array([1.0, 0.85, 0.9])
    way = np.array([0.0, np.cos(high), np.sin(high)])
    reach = _hull(body, np.full((5, 5), np.pi / 2 - high), np.full((5, 5), np.pi))[2, 2]
    points = (ball.reshape(-1, 3) + _centre(body) + way * (reach + 0.55 * size)) @ head[:, :3].T + head[:, 3]
    shade = np.clip(0.5 + 0.2 * np.sin(14 * twist) + 0.15 * np.sin(33 * twist), 0, 1).ravel()
    return points, outward(points, grid_faces(26, 48, closed=True)), _paint(shade)


def _ponytail(body: Body, transforms: np.ndarray, hair: Hair, over: Sequence[Surface]) -> Mesh:
    """A tail of hair from the back of the head."""
    rng = np.random.default_rng(hair.seed + 3)
    high = rng.uniform(0.0, 0.7)
    way = np.array([0.0, np.cos(high), np.sin(high)])
    reach = _hull(body, np.full((5, 5), np.pi / 2 - high), np.full((5, 5), np.pi))[2, 2]
    head = transforms[body.index("head")]
    start = np.stack([_centre(body) + way * (reach + away) for away in (-0.005, 0.012, 0.03)])
    start = (start @ head[:, :3].T + head[:, 3])[:, None]  # (3, 1, 3)
    path = np.concatenate(
        [start, _hang(start, np.array([hair.length]), 1.0, hair, _obstacles(body, transforms, over), rng)]
    )
    path = path[:, 0]
    share = np.linspace(0, 1, len(path))
    wide = 0.012 + 0.012 * smooth(0.05, 0.35, share) - 0.018 * smooth(0.5, 1.0, share)
    vertices, faces = tube(path, np.stack([wide * 1.2, wide * 0.8], 1), 40)
    angle = np.tile(np.linspace(0, 2 * np.pi, 40, endpoint=False), len(path))
    shade = _strands(rng, np.concatenate([angle, [0, 0]]), vertices[:, 2])
    return vertices, faces, _paint(shade)
