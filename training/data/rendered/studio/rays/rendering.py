"""Render scenes to buffers, including the face at every pixel and the position on that face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ...base.surfaces import Surface
from ...base.views import SUBSAMPLES, View
from ..scene.cameras import Camera
from ..scene.sets import Set, product_set
from .merging import Merged, merge
from .seeing import Places, Sight, look
from .shine import gloss
from .tracing import Tracer, denoise

WHITE_CARD = 0.9
"""Light, after exposure, on a white card that faces the camera at the person's position."""

CARD_DISTANCE = 0.9
"""Distance in metres of the card in front of the garment's centre, far enough not to be shaded by an arm."""


@dataclass(frozen=True)
class Shot:
    """A rendered view of (h, w) pixels, and the geometry at its pixels' centres."""

    view: View
    """Buffers for dressing."""
    surface: np.ndarray
    """(h, w) int16: index of the surface; -1 if empty."""
    face: np.ndarray
    """(h, w) int32: index of the face in its surface; -1 if empty."""
    bary: np.ndarray
    """(h, w, 2) float32: weights of the face's second and third corner."""
    depth: np.ndarray
    """(h, w) float32: metres from the camera's plane; inf if empty."""
    normals: np.ndarray
    """(h, w, 3) float32: unit normals towards the camera; 0 if empty."""


def photograph(
    surfaces: Sequence[Surface],
    room: Set | None,
    camera: Camera,
    seed: int,
    samples: int = 8,
    at: np.ndarray | None = None,
) -> Shot:
    """Render `surfaces` in `room`, or in the soft light of product shots and without a background if `room` is None.

    The shot numbers the given `surfaces` first, then those of the room. `samples` is the number of light paths per
    pixel. `at` (3,) is the point that the scale refers to; None for the centre of the garment. Raises IGRError for
    invalid surfaces, or if the packages of the `render` extra are missing.
    """
    chosen = product_set() if room is None else room
    mesh = merge([*surfaces, *chosen.surfaces])
    room_start = sum(len(surface.faces) for surface in surfaces)
    tracer = Tracer(mesh, chosen.environment)
    sight = look(mesh, tracer, camera)
    middle = _middle(surfaces) if at is None else np.asarray(at)
    exposure = WHITE_CARD / _card(tracer, middle, camera, seed)
    light = _light(tracer, sight, room_start, seed, samples) * np.float32(exposure)
    normals = sight.centre.normals.reshape(*sight.shape, 3)
    lamps = [replace(lamp, strength=lamp.strength * exposure) for lamp in chosen.lamps]
    view = View(
        labels=sight.labels(mesh),
        table=mesh.table,
        uv=sight.centre.at_corners(mesh.uv).reshape(*sight.shape, 2),
        light=light,
        gloss=gloss(normals, camera, lamps, light),
        paint=sight.centre.at_vertices(mesh.paint, mesh).reshape(*sight.shape, 3),
        pixels_per_metre=camera.pixels_per_metre(middle),
    )
    return _shot(view, mesh, sight, camera)


def _shot(view: View, mesh: Merged, sight: Sight, camera: Camera) -> Shot:
    hits, seen, shape = sight.centre.hits, sight.centre.seen, sight.shape
    surface = np.where(seen, mesh.surface[hits.face], -1).astype(np.int16)
    ahead = (sight.centre.points - np.asarray(camera.position)) @ camera.axes[2]
    return Shot(
        view=view,
        surface=surface.reshape(shape),
        face=np.where(seen, hits.face - mesh.first[surface], -1).astype(np.int32).reshape(shape),
        bary=np.where(seen[:, None], hits.bary, 0).astype(np.float32).reshape(*shape, 2),
        depth=np.where(seen, ahead, np.inf).astype(np.float32).reshape(shape),
        normals=sight.centre.normals.reshape(*shape, 3),
    )


def _card(tracer: Tracer, middle: np.ndarray, camera: Camera, seed: int) -> float:
    """Light, before exposure, on a white card that faces the camera in front of a person at `middle` (3,)."""
    forward = camera.axes[2]
    found = tracer.light((middle - CARD_DISTANCE * forward)[None], -forward[None], seed + 3, 4096)
    return max(float(found.mean()), 1e-6)


def _light(tracer: Tracer, sight: Sight, first_of_room: int, seed: int, samples: int) -> np.ndarray:
    """Light (h, w, 3) float32, before exposure, extended over empty pixels.

    Faces numbered `first_of_room` and above are walls and floors, whose smooth light needs only half of the samples.
    """
    centre, edges = sight.centre, sight.edges
    flat = centre.seen.copy()
    flat[edges] = False
    is_room = centre.hits.face >= first_of_room
    light = np.zeros((len(flat), 3), np.float32)
    for number, (chosen, rays) in enumerate(((flat & ~is_room, samples), (flat & is_room, max(1, samples // 2)))):
        if chosen.any():
            light[chosen] = tracer.light(centre.points[chosen], centre.normals[chosen], seed + number, rays)
    lit = flat
    lit[edges], light[edges] = _edge_light(tracer, sight.fine, seed + 2, max(1, samples // 4))
    filled = _carried_on(light.reshape(*sight.shape, 3), lit.reshape(sight.shape))
    return np.maximum(denoise(filled, sight.smooth_normals()), 0)


def _edge_light(tracer: Tracer, fine: Places, seed: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each pixel at an edge is lit, (E,) bool, and the mean light of its subsamples, (E, 3)."""
    found = np.zeros((len(fine.seen), 3), np.float32)
    if fine.seen.any():
        found[fine.seen] = tracer.light(fine.points[fine.seen], fine.normals[fine.seen], seed, samples)
    counts = fine.seen.reshape(-1, SUBSAMPLES**2).sum(axis=1)
    sums = found.reshape(-1, SUBSAMPLES**2, 3).sum(axis=1)
    return counts > 0, sums / np.maximum(counts, 1)[:, None].astype(np.float32)


def _carried_on(light: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """`light` (h, w, 3), with unlit pixels filled with the mean of nearby `lit` (h, w) pixels or, failing that, of all
    lit pixels."""
    if lit.all() or not lit.any():
        return light
    share = ndimage.uniform_filter(lit.astype(np.float32), 7)[..., None]
    near = ndimage.uniform_filter(light * lit[..., None], (7, 7, 1)) / np.maximum(share, 1e-6)
    return np.where(lit[..., None], light, np.where(share > 0.01, near, light[lit].mean(axis=0))).astype(np.float32)


def _middle(surfaces: Sequence[Surface]) -> np.ndarray:
    """Centre (3,) of the box around the garment, or around all surfaces if there is no garment."""
    chosen = [surface for surface in surfaces if surface.kind == "garment"] or list(surfaces)
    low = np.min([surface.vertices.min(axis=0) for surface in chosen], axis=0)
    high = np.max([surface.vertices.max(axis=0) for surface in chosen], axis=0)
    return (low + high) / 2
