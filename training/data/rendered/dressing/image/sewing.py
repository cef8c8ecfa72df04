"""Sewn details of a panel: stitches, seams, folds, buttons."""

from __future__ import annotations

import numpy as np

from ...base.panels import Line, Panel
from ..materials import Cloth
from ..pixels.kernels import stitch, stroke

HEM = 0.021
"""Distance in metres from an edge to the stitches of its hem."""
THREAD = 0.0006
"""Half width of a thread, metres."""
STITCH, GAP = 0.0028, 0.0013
"""Length of a stitch and of the gap between stitches, metres."""

OFFSETS: dict[str, tuple[float, ...]] = {
    "hem": (HEM, HEM + 0.005),
    "cuff": (HEM * 0.8, HEM * 0.8 + 0.005),
    "neck": (0.005,),
    "armhole": (0.004,),
    "placket": (0.004,),
    "waist": (0.003,),
    "fly": (0.0, 0.006),
    "pocket": (0.002, 0.008),
    "yoke": (0.002, 0.008),
}
"""Distances in metres of the rows of stitches from each kind of line, towards the panel's centre."""
SEAMS: dict[str, float] = {
    "armhole": 0.34,
    "seam": 0.34,
    "placket": 0.36,
    "waist": 0.36,
    "pocket": 0.32,
    "yoke": 0.3,
    "hem": 0.25,
    "cuff": 0.25,
    "neck": 0.3,
}
"""Darkening of the cloth in the crease along each kind of line."""


def sew(colours: np.ndarray, panel: Panel, cloth: Cloth, left: int, top: int, scale: float) -> None:
    """Draw a panel's lines and buttons onto colours (h, w, 3), sRGB 0..255, whose first texel is (left, top)."""
    height, width = colours.shape[:2]
    crease, light, thread = (np.zeros((height, width), np.float32) for _ in range(3))
    sewn = False
    for line in panel.lines:
        points = line.points.astype(np.float64) * scale - (left, top)
        reach = 0.04 * scale
        low, high = points.min(0), points.max(0)
        if (high < -reach).any() or low[0] > width + reach or low[1] > height + reach:
            continue
        sewn = True
        _draw_line(line, points, _normals(line.points, panel), cloth, scale, crease, light, thread)
    if sewn:
        stitch(colours, crease, light, thread, np.array(cloth.stitch, np.float32), np.float32(cloth.stitching))
    for u, v, radius in panel.buttons:
        _button(colours, u * scale - left, v * scale - top, radius * scale, cloth)


def _normals(points: np.ndarray, panel: Panel) -> np.ndarray:
    """(N, 2) unit vectors perpendicular to a line, pointing towards the panel's centre."""
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    last = len(x) - 1
    after, before = np.minimum(np.arange(last + 1) + 1, last), np.maximum(np.arange(last + 1) - 1, 0)
    across_x, across_y = y[before] - y[after], x[after] - x[before]
    length = np.maximum(np.hypot(across_x, across_y), 1e-9)
    across_x, across_y = across_x / length, across_y / length
    middle_x, middle_y = 0.5 * (panel.box[0] + panel.box[2]), 0.5 * (panel.box[1] + panel.box[3])
    towards = (middle_x - x) @ across_x + (middle_y - y) @ across_y
    return np.stack([across_x, across_y], 1) if towards >= 0 else np.stack([-across_x, -across_y], 1)


def _draw_line(
    line: Line,
    points: np.ndarray,
    normals: np.ndarray,
    cloth: Cloth,
    scale: float,
    crease: np.ndarray,
    light: np.ndarray,
    thread: np.ndarray,
) -> None:
    depth = SEAMS.get(line.role, 0.0)
    if line.role == "pleat":
        for step, share in ((0.0, 0.38), (0.004, 0.22), (0.009, 0.1)):
            stroke(crease, points + normals * step * scale, max(0.003 * scale, 0.5), share, 1.0, 0.0)
        return
    if depth:
        stroke(crease, points, max(0.0011 * scale, 0.3), depth, 1.0, 0.0)
        stroke(light, points + normals * 0.0026 * scale, max(0.0014 * scale, 0.3), 0.09, 1.0, 0.0)
    for offset in OFFSETS.get(line.role, ()):
        stroke(thread, points + normals * offset * scale, max(THREAD * scale, 0.25), 1.0, STITCH * scale, GAP * scale)


def _button(colours: np.ndarray, x: float, y: float, radius: float, cloth: Cloth) -> None:
    """A disc with a rim, four holes, and a shadow below it."""
    reach = int(radius * 1.6) + 2
    x0, y0 = max(int(x) - reach, 0), max(int(y) - reach, 0)
    part = colours[y0 : int(y) + reach + 1, x0 : int(x) + reach + 1]
    if part.size == 0 or x < -reach or y < -reach:
        return
    dx = np.arange(part.shape[1]) + x0 + 0.5 - x
    dy = (np.arange(part.shape[0]) + y0 + 0.5 - y)[:, None]
    r = np.hypot(dx, dy)
    shadow = np.clip(radius * 1.25 + 0.5 - np.hypot(dx, dy - 0.2 * radius), 0, 1)
    part *= (1 - 0.35 * shadow)[..., None].astype(np.float32)
    cover = np.clip(radius + 0.5 - r, 0, 1)[..., None]
    bright = 0.94 + 0.1 * np.clip(-(dx + dy) / radius, -1, 1) * (r > 0.7 * radius) - 0.08 * (r < 0.7 * radius)
    holes = np.clip(0.13 * radius + 0.5 - np.hypot(np.abs(dx) - 0.25 * radius, np.abs(dy) - 0.25 * radius), 0, 1)
    bright = bright * (1 - 0.6 * holes * min(radius / 3, 1))
    part += (cover * (bright[..., None] * np.array(cloth.button) - part)).astype(np.float32)
