"""Simple surfaces for the tests of the studio: spheres and sheets with uv coordinates."""

from __future__ import annotations

import numpy as np

from training.data.rendered.base.surfaces import CLOTH, Kind, Surface


def sphere(kind: Kind, middle: tuple[float, float, float], radius: float, rings: int = 40, panel: int = 0) -> Surface:
    """A sphere with `rings` rings of faces; uv along its circles."""
    turn, polar = np.meshgrid(np.linspace(0, 2 * np.pi, 2 * rings + 1), np.linspace(0, np.pi, rings + 1))
    flat = np.sin(polar)
    unit = np.stack([flat * np.cos(turn), flat * np.sin(turn), np.cos(polar)], axis=-1).reshape(-1, 3)
    corner = (np.arange(rings)[:, None] * (2 * rings + 1) + np.arange(2 * rings)).reshape(-1)
    below = corner + 2 * rings + 1
    faces = np.concatenate([np.stack([corner, below, corner + 1], 1), np.stack([corner + 1, below, below + 1], 1)])
    plane = np.stack([turn.ravel(), polar.ravel()], axis=1) * radius
    return _surface(kind, unit * radius + middle, faces, plane, panel)


def sheet(kind: Kind, middle: tuple[float, float, float], width: float, height: float, panel: int = 0) -> Surface:
    """An upright rectangle that faces the camera at -y; uv in metres from its middle, v down."""
    across, down = np.meshgrid(np.linspace(-0.5, 0.5, 9) * width, np.linspace(-0.5, 0.5, 9) * height)
    plane = np.stack([across.ravel(), down.ravel()], axis=1)
    points = np.stack([plane[:, 0], np.zeros(len(plane)), -plane[:, 1]], axis=1) + middle
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).reshape(-1)
    faces = np.concatenate(
        [np.stack([corner, corner + 9, corner + 1], 1), np.stack([corner + 1, corner + 9, corner + 10], 1)]
    )
    return _surface(kind, points, faces, plane, panel)


def _surface(kind: Kind, points: np.ndarray, faces: np.ndarray, plane: np.ndarray, panel: int) -> Surface:
    faces = faces.astype(np.int32)
    if kind not in CLOTH:
        return Surface(kind, points, faces)
    return Surface(kind, points, faces, plane[faces].astype(np.float32), np.full(len(faces), panel, np.int16))
