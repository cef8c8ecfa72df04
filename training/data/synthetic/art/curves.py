"""Bones as curves, which map local (across, along) coordinates to the body plane and back; smooth outlines."""

from dataclasses import dataclass

import numpy as np

from .arrays import Array


@dataclass(frozen=True)
class Bone:
    """A curve through a limb; local x is the signed distance from it (right is positive), local y the arc length."""

    s: Array  # (K,) arc length in local units
    xy: Array  # (K, 2) body plane
    phi: Array  # (K,) angle of the tangent from straight down, towards +x
    wide: float = 1.0  # foreshortening across the bone

    def forward(self, local: Array) -> Array:
        """Map local points (N, 2) to the body plane (N, 2)."""
        s = local[:, 1]
        phi = np.interp(s, self.s, self.phi)
        x, y = np.interp(s, self.s, self.xy[:, 0]), np.interp(s, self.s, self.xy[:, 1])
        over = s - np.clip(s, self.s[0], self.s[-1])
        d = local[:, 0] * self.wide
        return np.stack([x + d * np.cos(phi) + over * np.sin(phi), y - d * np.sin(phi) + over * np.cos(phi)], 1)

    def inverse(self, points: Array) -> Array:
        """Map body-plane points (N, 2) to local coordinates (N, 2), using the nearest point of the curve."""
        # |p - c|^2 without |p|^2 is one matrix product, by far the cheapest way to find the nearest of K points
        k = np.argmin((self.xy**2).sum(1) - points @ (2 * self.xy.T), 1)
        sin, cos = np.sin(self.phi), np.cos(self.phi)
        gap = points - self.xy[k]
        step = gap[:, 0] * sin[k] + gap[:, 1] * cos[k]
        half = (self.s[1] - self.s[0]) * 0.75
        bounded = np.clip(step, -half, half)
        step = np.where((k > 0) & (k < len(self.s) - 1), bounded, step)
        turn = np.gradient(self.phi, self.s).astype(np.float32)[k] * bounded
        right = gap[:, 0] * cos[k] - gap[:, 1] * sin[k]
        ahead = gap[:, 0] * sin[k] + gap[:, 1] * cos[k] - step
        across = right - turn * ahead  # the normal turns with the curve; second-order terms are below a pixel
        return np.stack([across / self.wide, self.s[k] + step], 1).astype(np.float32)


def bone(
    start: tuple[float, float],
    s_range: tuple[float, float],
    knots: list[tuple[float, float]],
    count: int,
    anchor: float | None = None,
    wide: float = 1.0,
    squeeze: float = 1.0,
) -> Bone:
    """Build a bone from smoothly blended (arc length, angle) knots; `anchor` is the arc length at `start`."""
    s = np.linspace(s_range[0], s_range[1], count)
    at, angle = np.array([k[0] for k in knots]), np.array([k[1] for k in knots])
    phi = np.interp(s, at, angle)
    middle = (phi[1:] + phi[:-1]) / 2
    ds = np.diff(s) * squeeze
    x = np.concatenate([[0.0], np.cumsum(np.sin(middle) * ds)])
    y = np.concatenate([[0.0], np.cumsum(np.cos(middle) * ds)])
    here = s_range[0] if anchor is None else anchor
    x += start[0] - np.interp(here, s, x)
    y += start[1] - np.interp(here, s, y)
    return Bone(s.astype(np.float32), np.stack([x, y], 1).astype(np.float32), phi.astype(np.float32), wide)


def smooth(points: list[tuple[float, float]], per: int = 6) -> Array:
    """Open Catmull-Rom curve through control points, as a polyline (N, 2)."""
    p = np.array(points, np.float32)
    ends = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    t = np.linspace(0, 1, per, endpoint=False, dtype=np.float32)[:, None]
    pieces = []
    for a, b, c, d in zip(ends[:-3], ends[1:-2], ends[2:-1], ends[3:], strict=True):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate([*pieces, p[-1:]])


def mirrored(half: Array) -> Array:
    """Close the right half of an outline (from the top centre to the bottom centre) with its mirror image."""
    left = half[::-1] * np.array([-1, 1], np.float32)
    return np.concatenate([half, left])


def ellipse(cx: float, cy: float, rx: float, ry: float, count: int = 28, turn: float = 0.0) -> Array:
    """Outline of an ellipse rotated by `turn` radians; (count, 2)."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = rx * np.cos(t), ry * np.sin(t)
    c, s = np.cos(turn), np.sin(turn)
    return np.stack([cx + c * x - s * y, cy + s * x + c * y], 1).astype(np.float32)
