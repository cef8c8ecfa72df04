"""Framing of photos and product shots: focal length, height, angle, distance and truncation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from .scene.cameras import Camera, moved

Framing = Literal["full_body", "three_quarter", "waist_up", "cropped_head", "lower_body"]
FRAMINGS: tuple[Framing, ...] = ("full_body", "three_quarter", "waist_up", "cropped_head", "lower_body")
"""Parts of the person in the frame."""

FILM_HEIGHT = 36.0
"""Height in millimetres of the film that focal lengths refer to."""
LENSES = (35.0, 85.0)
"""Shortest and longest focal length, millimetres."""
NEAREST = 1.8
"""Minimum distance of a camera from the person, metres."""
SPARE: Mapping[Framing, float] = {"cropped_head": 1.0, "lower_body": 0.0}
"""Fraction of a frame's spare height that is added below the person, so that the person stays cropped; 0.5 for the
other framings."""
TURN = 35.0
"""Maximum angle of a camera to either side of the person, degrees."""
SIDE_TURN = (60.0, 85.0)
"""Range of angles of the camera in photos from the side, degrees."""
TOES = 0.3
"""Distance by which feet extend towards the camera, metres."""
TRUNCATED = (0.2, 0.5)
"""Range of the fraction of the garment that a truncated photo cuts off."""
CLOSE = 0.9
"""Minimum fraction of the frame that the garment fills in a truncated photo before the camera is shifted."""
PRODUCT_SHARE = 0.86
"""Fraction of a product shot's width or height that the garment fills."""
PRODUCT_DISTANCE = 6.0
"""Metres between the camera of a product shot and the garment."""


def draw_camera(
    rng: np.random.Generator,
    framing: Framing,
    joints: Mapping[str, np.ndarray],
    garment: np.ndarray,
    size: tuple[int, int],
    side: bool = False,
    truncated: bool = False,
) -> Camera:
    """A camera for a photo of a person with `joints` (names of JOINTS_25, (3,) each) who wears `garment` (V, 3).

    The whole garment is in the frame with any framing; if `truncated`, 20 to 50% of it is cut off.
    With `side`, the camera is far to one side.
    """
    yaw = float(rng.uniform(*SIDE_TURN) * rng.choice([-1, 1]) if side else rng.triangular(-TURN, 0, TURN))
    focal = float(np.exp(rng.uniform(*np.log(LENSES))))
    top, low = _extent(rng, framing, joints)
    half = min(FILM_HEIGHT / 2 / focal, (top - low) / 2 / NEAREST)
    fov = float(np.rad2deg(2 * np.arctan(half)))
    middle = np.mean([joints["neck"], joints["mid_hip"]], axis=0)
    upper = joints["mid_hip"] if framing == "lower_body" else joints["nose"]
    angle = np.deg2rad(yaw)
    away = np.array([np.sin(angle), -np.cos(angle), 0.0])
    lower = middle
    if framing in ("full_body", "lower_body"):
        # toes are nearer to the camera than the body, and therefore lower in the image
        lower = (joints["left_ankle"] + joints["right_ankle"]) / 2 + TOES * away
    axis = np.array([[*upper[:2], top], [*lower[:2], low]])
    distance = (top - low) / 2 / half
    eye = joints["mid_hip"][2] + rng.uniform(0.1, 0.65)
    target = np.array([*middle[:2], (top + low) / 2])
    lift = 0.6 * (eye - target[2])
    roll = float(np.clip(rng.normal(0, 0.7), -2.0, 2.0))
    margin = float(rng.uniform(0.02, 0.06))
    camera = Camera(tuple(target + away * distance + (0, 0, lift)), tuple(target), fov, size, roll)
    camera = _fitted(camera, axis, garment, margin, SPARE.get(framing, 0.5))
    camera = _aside(rng, camera, garment, margin)
    return _truncating(rng, camera, garment) if truncated else camera


def product_camera(garment: np.ndarray, size: tuple[int, int]) -> Camera:
    """The frontal camera of a product shot: the vertices `garment` (V, 3) fill 86% of its width or height."""
    low, high = garment.min(axis=0), garment.max(axis=0)
    middle = (low + high) / 2
    camera = Camera((middle[0], middle[1] - PRODUCT_DISTANCE, middle[2] + 0.12), tuple(middle), 20.0, size)
    for _ in range(4):
        box = _box(camera, garment)
        camera = _centred(camera, box, middle)
        share = max((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
        half = np.tan(np.deg2rad(camera.fov) / 2) * share / PRODUCT_SHARE
        camera = replace(camera, fov=float(np.rad2deg(2 * np.arctan(half))))
    return _centred(camera, _box(camera, garment), middle)


def _extent(rng: np.random.Generator, framing: Framing, joints: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Heights of the frame's upper and lower border, metres."""
    height = {name: float(joint[2]) for name, joint in joints.items()}
    ankles = min(height["left_ankle"], height["right_ankle"])
    knees = (height["left_knee"] + height["right_knee"]) / 2
    tall = height["nose"] - ankles
    draw = rng.uniform
    sole = ankles - 0.06 * tall
    crown = height["nose"] + 0.115 * tall
    above, below = crown + draw(0.02, 0.12), sole - draw(0.02, 0.1)
    if framing == "full_body":
        return above, below
    if framing == "three_quarter":
        return above, knees + draw(-0.12, 0.12) * tall
    if framing == "waist_up":
        return above, height["mid_hip"] + draw(-0.1, 0.02) * tall
    if framing == "cropped_head":
        return height["nose"] - draw(0.012, 0.05) * tall, knees + draw(0.02, 0.24) * tall
    return height["mid_hip"] + draw(0.1, 0.26) * tall, below


def _fitted(camera: Camera, axis: np.ndarray, garment: np.ndarray, margin: float, below: float) -> Camera:
    """Aim the camera and set its distance so that the ends of `axis` (2, 3) are on the frame's borders.

    The camera moves further away if `garment` (V, 3) is not in the frame with a `margin`, a fraction of the frame;
    the fraction `below` of the gained height is then added at the bottom.
    """
    width, height = camera.size
    for _ in range(5):
        ends = _box(camera, axis)
        cloth = _box(camera, garment)
        top, low = min(ends[1], cloth[1] - margin * height), max(ends[3], cloth[3] + margin * height)
        share = max((low - top) / height, (cloth[2] - cloth[0]) / width / (1 - 2 * margin))
        spare = share * height - (low - top)
        top, low = top - spare * (1 - below), low + spare * below
        camera = _centred(camera, np.array([cloth[0], top, cloth[2], low]), axis.mean(axis=0), sideways=0.5)
        position = np.asarray(camera.target) + np.subtract(camera.position, camera.target) * share
        camera = replace(camera, position=tuple(position.tolist()))
    return camera


def _aside(rng: np.random.Generator, camera: Camera, garment: np.ndarray, margin: float) -> Camera:
    """Shift the camera sideways a little while the garment stays in the frame."""
    width = camera.size[0]
    box = _box(camera, garment)
    shift = rng.normal(0, 0.03) * width
    least, most = box[2] - width * (1 - margin), box[0] - width * margin
    shift = float(np.clip(shift, least, most)) if least <= most else (least + most) / 2
    return moved(camera, shift / camera.pixels_per_metre(garment.mean(axis=0)), 0.0)


def _truncating(rng: np.random.Generator, camera: Camera, garment: np.ndarray) -> Camera:
    """Move the camera closer to the garment and shift it so that an edge of the frame cuts part of it off."""
    box = _box(camera, garment)
    filled = max((box[2] - box[0]) / camera.size[0], (box[3] - box[1]) / camera.size[1])
    half = np.tan(np.deg2rad(camera.fov) / 2) * min(1.0, filled / CLOSE)
    camera = replace(_centred(camera, box, garment.mean(axis=0)), fov=float(np.rad2deg(2 * np.arctan(half))))
    x, y, _ = camera.project(garment)
    share = rng.uniform(*TRUNCATED)
    scale = camera.pixels_per_metre(garment.mean(axis=0))
    border = str(rng.choice(["left", "right", "low", "top"], p=[0.3, 0.3, 0.3, 0.1]))
    if border == "left":
        return moved(camera, float(np.quantile(x, share)) / scale, 0.0)
    if border == "right":
        return moved(camera, (float(np.quantile(x, 1 - share)) - camera.size[0]) / scale, 0.0)
    if border == "top":
        return moved(camera, 0.0, float(np.quantile(y, share)) / scale)
    return moved(camera, 0.0, (float(np.quantile(y, 1 - share)) - camera.size[1]) / scale)


def _box(camera: Camera, points: np.ndarray) -> np.ndarray:
    """left, top, right, bottom in pixels of the projections of `points` (N, 3)."""
    x, y, _ = camera.project(points)
    return np.array([x.min(), y.min(), x.max(), y.max()])


def _centred(camera: Camera, box: np.ndarray, at: np.ndarray, sideways: float = 1.0) -> Camera:
    """Shift the camera so that `box`, in pixels, of objects near the point `at` (3,) is centred in the frame."""
    scale = camera.pixels_per_metre(at)
    right = ((box[0] + box[2]) / 2 - camera.size[0] / 2) / scale * sideways
    return moved(camera, right, ((box[1] + box[3]) / 2 - camera.size[1] / 2) / scale)
