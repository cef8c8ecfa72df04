"""Light environments: skies, soft boxes, windows and low suns, painted as small radiance images."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ENVIRONMENT_SIZE = (64, 128)
"""Height and width of every environment; constant, so that kernels are compiled once."""

MOODS: Mapping[str, tuple[str, ...]] = {
    "sweep": ("key_left", "key_right", "key_left", "key_right", "beauty", "flat", "top", "hard"),
    "plain": ("key_left", "key_right", "window", "flat", "warm", "top", "hard"),
    "corner": ("window", "warm", "key_left", "key_right", "flat"),
    "street": ("overcast", "overcast", "low_sun", "low_sun", "high_sun"),
}
"""Possible lights for each set, by name; common ones are listed more than once."""


@dataclass(frozen=True)
class SoftBox:
    """A bright rectangle in the environment."""

    aside: float
    """Angle in degrees from the camera, towards the right of the image, for a camera straight in front of the
    person."""
    up: float
    """Degrees above the horizon."""
    width: float
    """Half width, degrees."""
    height: float
    """Half height, degrees."""
    share: float
    """Light that the box alone casts on a white card facing it."""
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Linear, mean about 1."""


@dataclass(frozen=True)
class Lamp:
    """A bright part of an environment, for reflections."""

    direction: np.ndarray
    """(3,) unit vector from the person towards the lamp."""
    spread: float
    """Half of the lamp's width, radians."""
    strength: float
    """Light that the lamp alone casts on a white card facing it."""


@functools.cache
def environment_directions() -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (h, w, 3) of an environment's pixels, and the solid angles (h, w) that they cover."""
    height, width = ENVIRONMENT_SIZE
    polar = (np.arange(height) + 0.5) / height * np.pi
    turn = (np.arange(width) + 0.5) / width * 2 * np.pi
    flat = np.sin(polar)[:, None]
    up = np.broadcast_to(np.cos(polar)[:, None], (height, width))
    directions = np.stack([flat * np.sin(turn), flat * np.cos(turn), up], axis=-1)
    areas = np.broadcast_to(flat * (np.pi / height) * (2 * np.pi / width), (height, width))
    return directions, areas


def light_of(
    sky: float, ground: float, boxes: Sequence[SoftBox], yaw: float = 0.0, tint: Sequence[float] = (1.0, 1.0, 1.0)
) -> tuple[np.ndarray, tuple[Lamp, ...]]:
    """Return the radiance (64, 128, 3) float32 by direction, and the environment's lamps.

    `sky` and `ground` are the radiances at the zenith and the nadir, and `tint` is their colour. The boxes are turned
    with the camera, by `yaw` degrees towards the person's left.
    """
    directions, areas = environment_directions()
    up = directions[..., 2]
    level = 0.5 * (sky + ground)
    gradient = np.where(up > 0, level + (sky - level) * up, level + (level - ground) * up)
    radiance = gradient[..., None] * np.asarray(tint)
    lamps = []
    for box in boxes:
        shape, lamp = _soft_box(box, yaw)
        toward = np.clip(directions @ lamp.direction, 0, None)
        radiance = radiance + shape[..., None] * np.asarray(box.colour) * (
            box.share * np.pi / (shape * toward * areas).sum()
        )
        lamps.append(lamp)
    return radiance.astype(np.float32), tuple(lamps)


def _soft_box(box: SoftBox, yaw: float) -> tuple[np.ndarray, Lamp]:
    """Coverage of each direction by the box (64, 128), 0..1 with soft edges, and the box as a lamp."""
    directions, _ = environment_directions()
    aside, up = np.deg2rad(box.aside + yaw), np.deg2rad(box.up)
    middle = np.array([np.sin(aside) * np.cos(up), -np.cos(aside) * np.cos(up), np.sin(up)])
    level = np.array([np.cos(aside), np.sin(aside), 0.0])
    over = np.cross(level, middle)
    ahead = directions @ middle
    x = np.arctan2(directions @ level, ahead)
    y = np.arctan2(directions @ over, ahead)
    # edges are slightly wider than the environment's pixels, so that small lamps do not alias
    soft = np.deg2rad(4.0)
    fill = [
        np.clip((np.deg2rad(half) - np.abs(at)) / soft + 0.5, 0, 1) for half, at in ((box.width, x), (box.height, y))
    ]
    shape = np.where(ahead > 0, fill[0] * fill[1], 0)
    return shape, Lamp(middle, float(np.deg2rad(np.sqrt(box.width * box.height))), box.share)


def draw_light(rng: np.random.Generator, mood: str, yaw: float = 0.0) -> tuple[np.ndarray, tuple[Lamp, ...]]:
    """An environment (64, 128, 3) of a mood named in MOODS, for a camera at `yaw` degrees, and its lamps."""
    side = float(rng.choice([-1, 1]))
    if mood in ("key_left", "key_right"):
        side = -1.0 if mood == "key_left" else 1.0
    fill, ground, tint = 0.35, 0.2, (1.0, 1.0, 1.0)
    draw = rng.uniform
    if mood in ("key_left", "key_right"):
        fill = draw(0.08, 0.38)
        boxes = [SoftBox(side * draw(30, 65), draw(15, 45), draw(12, 24), draw(16, 34), draw(0.8, 1.3))]
        boxes += [SoftBox(-side * draw(40, 75), draw(0, 30), 20, 30, draw(0.1, 0.4))]
    elif mood == "beauty":
        boxes = [
            SoftBox(side * draw(0, 15), draw(35, 55), 20, 14, draw(0.7, 1.1)),
            SoftBox(0, -20, 30, 10, draw(0.1, 0.3)),
        ]
        boxes += [SoftBox(side * 125, 35, 12, 30, draw(0.2, 0.7))]
    elif mood == "flat":
        boxes = [SoftBox(one * draw(30, 50), draw(10, 30), 24, 34, draw(0.4, 0.6)) for one in (-1, 1)]
        fill = draw(0.5, 0.8)
    elif mood == "top":
        boxes = [SoftBox(side * draw(0, 60), draw(58, 75), 26, 20, draw(0.9, 1.4))]
        fill = draw(0.25, 0.5)
    elif mood == "hard":
        boxes = [SoftBox(side * draw(15, 50), draw(25, 45), 5, 5, draw(0.8, 1.2))]
        fill = draw(0.2, 0.45)
    elif mood == "window":
        boxes = [
            SoftBox(side * draw(50, 88), draw(5, 25), draw(12, 20), draw(20, 32), draw(0.9, 1.5), (0.94, 1.0, 1.08))
        ]
        fill, tint = draw(0.1, 0.32), (1.05, 1.0, 0.93)
    elif mood == "warm":
        boxes = [SoftBox(draw(-70, 70), draw(30, 75), 14, 14, draw(0.3, 0.7), (1.2, 0.98, 0.72)) for _ in range(3)]
        fill, tint = draw(0.25, 0.45), (1.12, 1.0, 0.84)
    else:
        return _outdoors(rng, mood, side, yaw)
    return light_of(fill, ground * fill / 0.35, boxes, yaw, tint)


def _outdoors(rng: np.random.Generator, mood: str, side: float, yaw: float) -> tuple[np.ndarray, tuple[Lamp, ...]]:
    draw = rng.uniform
    if mood == "overcast":
        boxes = [SoftBox(side * draw(0, 90), draw(40, 80), 40, 30, draw(0.2, 0.6))]
        return light_of(1.0, 0.15, boxes, yaw, (0.97, 1.0, 1.04))
    low = mood == "low_sun"
    sun = (1.22, 0.99, 0.74) if low else (1.05, 1.0, 0.93)
    up = draw(14, 30) if low else draw(40, 60)
    boxes = [SoftBox(side * draw(25, 75), up, 4.5, 4.5, draw(0.7, 1.3), sun)]
    return light_of(draw(0.45, 0.8), 0.1, boxes, yaw, (0.92, 1.0, 1.12))
