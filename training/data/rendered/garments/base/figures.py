"""A body prepared for tailoring: a smooth closed suit, and positions of neck, waist, arms and legs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import sparse

from ...base.normals import vertex_normals
from ...people.body import Body, body_model
from .meshes import smoothing, subdivide_quads, triangles_of

ARM_BONES = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
LEG_BONES = ("upperleg", "lowerleg", "foot", "toe")
SIDES = ("left", "right")


@dataclass(frozen=True)
class Suit:
    """The body's tights, subdivided and smoothed into a suit; only vertex positions differ between bodies."""

    faces: np.ndarray
    """(F, 3) int32."""
    combine: sparse.csr_matrix
    """(N, T): the suit's vertices as combinations of the tights' vertices."""
    even: sparse.csr_matrix
    """(N, N): matrix that smooths normals."""
    weights: np.ndarray
    """(N, J) float32: skin weights."""
    arms: np.ndarray
    """(N, 2): weight of the left and right arm's bones."""
    legs: np.ndarray
    """(N, 2): weight of the left and right leg's bones."""


@dataclass(frozen=True)
class Figure:
    """One body's suit and its measurements in metres, at rest (arms about 45 degrees out)."""

    body: Body
    """The measured body."""
    points: np.ndarray
    """(N, 3) positions of the suit."""
    normals: np.ndarray
    """(N, 3) smoothed unit normals."""
    neck: np.ndarray
    """(3,) base of the neck, on its axis."""
    shoulder: np.ndarray
    """(2, 3) shoulder joints, left and right."""
    elbow: np.ndarray
    """(2, 3) elbows."""
    wrist: np.ndarray
    """(2, 3) wrists."""
    armpit: np.ndarray
    """(2, 3) armpits."""
    waist: float
    """Height of the natural waist."""
    crotch: float
    """Height of the crotch."""
    knee: float
    """Height of the knees."""
    ankle: float
    """Height of the ankles."""
    side: np.ndarray
    """(2, K): heights from the ankles to the shoulders, and the depth (y) of the side seam at each height."""

    @property
    def arm_length(self) -> float:
        """Length of the arm from the shoulder joint to the wrist."""
        return float(np.linalg.norm(self.elbow[0] - self.shoulder[0]) + np.linalg.norm(self.wrist[0] - self.elbow[0]))


@lru_cache(maxsize=1)
def suit() -> Suit:
    """The suit's topology and weights; raises IGRError if the body's data is missing."""
    model = body_model()
    chosen = model.ranges["tights"]
    quads, combine = subdivide_quads(model.quads["tights"] - chosen.start, chosen.stop - chosen.start)
    faces = triangles_of(quads)
    count = combine.shape[0]
    combine = (smoothing(faces, count, 0.5, 3) @ combine).tocsr()
    weights = (combine @ model.weights[chosen]).astype(np.float32)

    def share(words: tuple[str, ...], side: str) -> np.ndarray:
        chosen = [i for i, bone in enumerate(model.bones) if bone.endswith(side) and bone.startswith(words)]
        return weights[:, chosen].sum(axis=1)

    arms = np.stack([share(ARM_BONES, ".L"), share(ARM_BONES, ".R")], axis=1)
    legs = np.stack([share(LEG_BONES, ".L"), share(LEG_BONES, ".R")], axis=1)
    return Suit(faces, combine, smoothing(faces, count, 0.7, 5), weights, arms, legs)


def make_figure(body: Body) -> Figure:
    """Measure a body at rest."""
    shared = suit()
    points = shared.combine @ body.part("tights").vertices
    normals = shared.even @ vertex_normals(points, shared.faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    shoulder = np.stack([body.head("upperarm01.L"), body.head("upperarm01.R")])
    elbow = np.stack([body.head("lowerarm01.L"), body.head("lowerarm01.R")])
    wrist = np.stack([body.head("wrist.L"), body.head("wrist.R")])
    armpit = np.stack([_armpit(points, shared.arms[:, k]) for k in range(2)])
    hip = body.head("upperleg01.L")[2]
    middle = (np.abs(points[:, 0]) < 0.012) & (points[:, 2] < hip + 0.05)
    return Figure(
        body=body,
        points=points,
        normals=normals,
        neck=body.head("neck01"),
        shoulder=shoulder,
        elbow=elbow,
        wrist=wrist,
        armpit=armpit,
        waist=float(body.head("spine04")[2] + 0.06),
        crotch=float(points[middle, 2].min()),
        knee=float(body.head("lowerleg01.L")[2]),
        ankle=float(body.head("foot.L")[2]),
        side=_side_line(points, shared.arms.sum(axis=1), shoulder[0], armpit[0], body),
    )


def dress_form(figure: Figure) -> Figure:
    """The figure with hips no wider than its chest, so that tops hang straight."""
    trunk = suit().arms.sum(axis=1) < 0.2
    points = figure.points
    height = points[:, 2]

    def half_width(low: float, high: float) -> float:
        return float(np.abs(points[trunk & (height > low) & (height < high), 0]).max())

    chest = half_width(figure.armpit[0, 2] - 0.08, figure.armpit[0, 2] - 0.04)
    hips = half_width(figure.crotch, figure.waist)
    narrow = min(chest / hips, 1.0)
    factor = 1 - (1 - narrow) * smoothstep(figure.waist + 0.02, figure.waist - 0.12, height) * trunk
    centre = np.interp(height, *figure.side)
    slim = np.stack([points[:, 0] * factor, centre + (points[:, 1] - centre) * factor, height], axis=1)
    return replace(figure, points=slim)


def along_arm(points: np.ndarray, figure: Figure, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates along an arm: distance from the shoulder (N,), offset from the axis (N, 3), axis direction (N, 3)."""
    start, bend, end = figure.shoulder[side], figure.elbow[side], figure.wrist[side]
    upper, lower = np.linalg.norm(bend - start), np.linalg.norm(end - bend)
    first, second = (bend - start) / upper, (end - bend) / lower
    beyond = (points - bend) @ (first + second) > 0
    near, far = (points - start) @ first, (points - bend) @ second
    axis = np.where(beyond[:, None], bend + second * far[:, None], start + first * near[:, None])
    return np.where(beyond, upper + far, near), points - axis, np.where(beyond[:, None], second, first)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Interpolate smoothly from 0 at `low` to 1 at `high`, with zero slope at both ends; `low` may exceed `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _armpit(points: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Lowest point between arm and torso."""
    between = np.flatnonzero((arm > 0.3) & (arm < 0.7))
    low = between[np.argsort(points[between, 2])[:4]]
    return points[low].mean(axis=0)


def _side_line(points, arms, shoulder, armpit, body):
    """Heights, and the depth of the torso's outermost points at each; above the armpit, the line leads to the top of
    the shoulder."""
    torso = arms < 0.15
    hip = body.head("upperleg01.L")[2]
    heights = np.linspace(hip - 0.1, armpit[2] - 0.03, 16)
    depths = []
    for height in heights:
        ring = points[torso & (np.abs(points[:, 2] - height) < 0.025)]
        outer = ring[np.abs(ring[:, 0]) > 0.9 * np.abs(ring[:, 0]).max()]
        depths.append(outer[:, 1].mean())
    ridge = points[(np.abs(points[:, 0] - 0.75 * shoulder[0]) < 0.02) & (points[:, 2] > armpit[2])]
    top = ridge[ridge[:, 2].argmax()]
    smooth = np.convolve(np.pad(depths, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    legs = np.stack([body.head("foot.L"), body.head("lowerleg01.L")])
    z = np.concatenate([legs[:, 2], heights, [top[2] - 0.02, top[2] + 0.2]])
    return np.stack([z, np.concatenate([legs[:, 1], smooth, [top[1], top[1]]])])
