"""Cameras: position, and projection of points into the image."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion; in its images x points right and y points down."""

    position: tuple[float, float, float]
    """Position in metres."""
    target: tuple[float, float, float]
    """Point at the centre of the image."""
    fov: float
    """Vertical angle of view, degrees."""
    size: tuple[int, int]
    """Width and height in pixels."""
    roll: float = 0.0
    """Clockwise roll in degrees."""

    @functools.cached_property
    def axes(self) -> np.ndarray:
        """(3, 3): unit vectors that point right, down and forward in the image."""
        forward = np.subtract(self.target, self.position).astype(np.float64)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        angle = np.deg2rad(self.roll)
        turned = np.cos(angle) * right + np.sin(angle) * down, np.cos(angle) * down - np.sin(angle) * right
        return np.stack([*turned, forward])

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return self.size[1] / 2 / float(np.tan(np.deg2rad(self.fov) / 2))

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Project `points` (N, 3) to x and y, in pixels from the image's upper left corner, and depth in metres, (N,)
        each."""
        seen = (np.asarray(points, np.float64) - self.position) @ self.axes.T
        depth = seen[:, 2]
        scale = self.focal / np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        return seen[:, 0] * scale + self.size[0] / 2, seen[:, 1] * scale + self.size[1] / 2, depth

    def pixels_per_metre(self, at: np.ndarray) -> float:
        """Pixels per metre of the image at the depth of the point `at` (3,)."""
        return self.focal / float((np.asarray(at) - self.position) @ self.axes[2])

    def ray_axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vectors corner, right and down, (3,) each: the ray through the pixel position (x, y) has the direction corner
        + right * x + down * y."""
        right, down, forward = self.axes
        corner = forward * self.focal - right * self.size[0] / 2 - down * self.size[1] / 2
        return corner, right, down

    def directions(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Unit vectors (N, 3) through the image points `x`, `y` (N,) in pixels."""
        corner, right, down = self.ray_axes()
        rays = corner + x[:, None] * right + y[:, None] * down
        return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def moved(camera: Camera, right: float, down: float) -> Camera:
    """The camera moved by `right` and `down` metres along the image's axes, looking the same way."""
    shift = camera.axes[0] * right + camera.axes[1] * down
    return replace(
        camera, position=tuple((camera.position + shift).tolist()), target=tuple((camera.target + shift).tolist())
    )
