"""Check photos and product shots, and name the reasons for rejecting bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from ..base.normals import vertex_normals
from ..base.surfaces import CLOTH, Surface
from .agnostic import kind_mask
from .layers import Layer, showing_through
from .rays.merging import NOTHING
from .rays.rendering import Shot
from .scene.cameras import Camera

Reason = Literal[
    "hidden",
    "outside_frame",
    "too_small",
    "poke_through",
    "wrong_order",
    "crosses_itself",
    "inside_out",
    "light",
    "exposure",
    "beyond_set",
]


@dataclass(frozen=True)
class Limits:
    """Limits for acceptable photos."""

    least_visible: float = 0.45
    """Minimum visible fraction of the garment's side towards the camera, within the frame."""
    least_in_frame: float = 0.97
    """Minimum fraction of the garment's vertices within the frame."""
    least_area: float = 0.02
    """Minimum fraction of the image covered by the garment."""
    most_poking: float = 0.002
    """Maximum area of specks that poke through the garment, as a fraction of the garment's area."""
    most_through: float = 0.01
    """Maximum area of skin or inner layers that show through an outer layer, as a fraction of the garment's area."""
    most_crossing: float = 0.02
    """Maximum fraction of the garment's pixels at which its cloth intersects itself."""
    most_inside: float = 0.25
    """Maximum fraction of the garment's pixels that show its inside."""
    darkest: float = 0.2
    """Minimum median light on the garment."""
    brightest: float = 1.6
    """Light level that may be exceeded on at most a twentieth of the garment."""

    most_beyond: float = 5e-4
    """Maximum fraction of the image that shows neither the person nor the set; rays may pass between two faces."""


TRUNCATED = Limits(least_in_frame=0.3)
"""Limits for deliberately truncated photos."""
OCCLUDED = Limits(least_visible=0.2)
"""Limits for deliberately occluded photos."""


def reasons(
    shot: Shot,
    surfaces: Sequence[Surface],
    camera: Camera,
    limits: Limits = Limits(),
    on_set: bool = True,
    layers: Sequence[Layer] = (),
) -> list[Reason]:
    """Reasons for the rejection of a shot of `surfaces`; empty for a good shot.

    `on_set` is False for product shots. `layers` are the person's clothes in the order in which they were put on.
    """
    if not all(np.isfinite(buffer).all() for buffer in (shot.view.light, shot.view.gloss, shot.view.paint)):
        return ["light"]
    area = float((kind_mask(shot.view, "garment") > 0).mean())
    if area < limits.least_area:
        return ["too_small"]
    visible, in_frame = garment_shares(shot, surfaces, camera)
    dark, blown = exposure(shot, limits.brightest)
    failed: dict[Reason, bool] = {
        "hidden": visible < limits.least_visible,
        "outside_frame": in_frame < limits.least_in_frame,
        "poke_through": poking_share(shot, camera) > limits.most_poking,
        "wrong_order": through_share(shot, surfaces, camera, layers) > limits.most_through,
        "crosses_itself": crossing_share(shot, layers) > limits.most_crossing,
        "inside_out": inside_share(shot) > limits.most_inside,
        "exposure": dark < limits.darkest or blown > 0.05,
        "beyond_set": on_set and float((shot.view.labels == NOTHING).mean()) > limits.most_beyond,
    }
    return [reason for reason, is_so in failed.items() if is_so]


def garment_shares(shot: Shot, surfaces: Sequence[Surface], camera: Camera) -> tuple[float, float]:
    """Visible fraction of the garment's side towards the camera within the frame, and fraction within the frame.

    Counted by vertices, 0..1. Parts hidden by the garment itself, such as by a sleeve or a placket, count as visible.
    """
    height, width = shot.depth.shape
    shown, facing, inside, count = 0, 0, 0, 0
    for number, surface in enumerate(surfaces):
        if surface.kind != "garment":
            continue
        x, y, depth = camera.project(surface.vertices)
        within = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depth > 0)
        count, inside = count + len(x), inside + int(within.sum())
        towards = np.asarray(camera.position) - surface.vertices
        ahead = (vertex_normals(surface.vertices, surface.faces) * towards).sum(axis=1) > 0.2 * depth
        chosen = within & ahead
        rows, columns = y[chosen].astype(np.intp), x[chosen].astype(np.intp)
        facing += int(chosen.sum())
        shown += int((shot.surface[rows, columns] == number).sum())
    return shown / max(facing, 1), inside / max(count, 1)


def poking_share(shot: Shot, camera: Camera, largest: float = 0.045, nearest: float = 0.012) -> float:
    """Area of specks that poke through the garment, as a fraction of the garment's area.

    A speck is an area of skin or other cloth that is surrounded by the garment, less than `largest` metres wide, and
    less than `nearest` metres in front of the garment. Hands that really rest on the garment are thicker than this.
    """
    garment = kind_mask(shot.view, "garment") > 0
    below = np.zeros_like(garment)
    for kind in ("skin", *CLOTH[1:]):
        below |= kind_mask(shot.view, kind) > 0
    islands, count = ndimage.label(below)
    area = 0
    for number, box in enumerate(ndimage.find_objects(islands), 1):
        rows, columns = (slice(max(0, side.start - 1), side.stop + 1) for side in box)
        island = islands[rows, columns] == number
        depth = shot.depth[rows, columns]
        scale = camera.focal / float(depth[island].mean())
        if max(island.shape) - 2 > largest * scale:
            continue
        ring = ndimage.binary_dilation(island, np.ones((3, 3))) & ~island
        if garment[rows, columns][ring].all() and abs(depth[ring].mean() - depth[island].mean()) < nearest:
            area += int(island.sum())
    return area / max(int(garment.sum()), 1)


def through_share(shot: Shot, surfaces: Sequence[Surface], camera: Camera, layers: Sequence[Layer]) -> float:
    """Area that shows through an outer layer, as a fraction of the garment's area."""
    through = int(showing_through(shot, surfaces, camera, layers).sum())
    return through / max(int((kind_mask(shot.view, "garment") > 0).sum()), 1)


def crossing_share(shot: Shot, layers: Sequence[Layer]) -> float:
    """Fraction of pixels with self-intersecting cloth, in the layers that are checked for self-intersection."""
    crossing, count = 0, 0
    for layer in layers:
        if layer.crossing is not None:
            seen = shot.face[(shot.surface == layer.surface) & (shot.face < len(layer.faces))]
            crossing, count = crossing + int(layer.crossing[seen].sum()), count + len(seen)
    return crossing / max(count, 1)


def inside_share(shot: Shot) -> float:
    """Fraction of the garment's pixels, by subsamples, that show its inside."""
    counts = np.bincount(shot.view.labels.ravel(), minlength=256)
    own = [(number, label) for number, label in enumerate(shot.view.table) if label.kind == "garment"]
    total = sum(int(counts[number]) for number, _ in own)
    return sum(int(counts[number]) for number, label in own if label.inside) / max(total, 1)


def exposure(shot: Shot, brightest: float) -> tuple[float, float]:
    """Median light on the garment, and the fraction of the garment that is brighter than `brightest`."""
    light = shot.view.light[kind_mask(shot.view, "garment") > 0].mean(axis=-1)
    if not len(light):
        return 0.0, 0.0
    return float(np.median(light)), float((light > brightest).mean())
