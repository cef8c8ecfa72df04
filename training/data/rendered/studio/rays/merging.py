"""All surfaces of a scene as one mesh, with data per face for ray hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igr_core.errors import IGRError

from ...base.normals import vertex_normals
from ...base.surfaces import CLOTH, Surface
from ...base.views import Label

NOTHING = 255
"""Label of empty areas."""


@dataclass(frozen=True)
class Merged:
    """One mesh of all surfaces, (V) vertices and (F) faces."""

    vertices: np.ndarray
    """(V, 3) float32, metres."""
    normals: np.ndarray
    """(V, 3) float32, unit length, averaged over the faces around each vertex."""
    faces: np.ndarray
    """(F, 3) int32."""
    face_normals: np.ndarray
    """(F, 3) float32: unit normals of the faces, pointing outwards; 0 for faces without area."""
    surface: np.ndarray
    """(F,) int16: index of the face's surface."""
    first: np.ndarray
    """(S,) int32: index of each surface's first face."""
    table: tuple[Label, ...]
    """Meaning of the labels."""
    labels: np.ndarray
    """(F, 2) uint8: label of a face seen from outside and from inside."""
    uv: np.ndarray
    """(F, 3, 2) float32: positions on the panel, in metres; NaN on faces without a panel."""
    paint: np.ndarray
    """(V, 3) float32; 0 on surfaces without paint."""


def merge(surfaces: Sequence[Surface]) -> Merged:
    """One mesh of all `surfaces`; raises IGRError for an empty scene, bad shapes or more than 255 different labels."""
    if not surfaces:
        raise IGRError("The scene is empty: pass at least one surface.")
    for number, surface in enumerate(surfaces):
        _check(number, surface)
    vertex_counts = [len(surface.vertices) for surface in surfaces]
    face_counts = [len(surface.faces) for surface in surfaces]
    vertex_starts = np.cumsum([0, *vertex_counts[:-1]])
    vertices = np.concatenate([surface.vertices for surface in surfaces])
    faces = np.concatenate([s.faces + start for s, start in zip(surfaces, vertex_starts, strict=True)]).astype(np.int32)
    table, labels = _labels(surfaces)
    return Merged(
        vertices=vertices.astype(np.float32),
        normals=_shading_normals(vertices, faces),
        faces=faces,
        face_normals=face_normals(vertices, faces),
        surface=np.repeat(np.arange(len(surfaces), dtype=np.int16), face_counts),
        first=np.cumsum([0, *face_counts[:-1]]).astype(np.int32),
        table=table,
        labels=labels,
        uv=np.concatenate([_or_constant(s.uv, (len(s.faces), 3, 2), np.nan) for s in surfaces]),
        paint=np.concatenate([_or_constant(s.paint, (len(s.vertices), 3), 0.0) for s in surfaces]),
    )


def _shading_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3) float32; undefined normals point upwards, because rays need a valid normal."""
    found = vertex_normals(vertices, faces)
    return np.where(found.any(axis=1, keepdims=True), found, (0.0, 0.0, 1.0)).astype(np.float32)


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (F, 3) float32 of faces (F, 3) on vertices (V, 3); 0 for faces without area."""
    across = _crosses(vertices, faces)
    return (across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-20)).astype(np.float32)


def _crosses(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]  # (F, 3, 3)
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _labels(surfaces: Sequence[Surface]) -> tuple[tuple[Label, ...], np.ndarray]:
    """The table of all labels, and the label (F, 2) uint8 of each face from outside and from inside."""
    numbers: dict[Label, int] = {}
    per_face = []
    for surface in surfaces:
        panels = np.full(len(surface.faces), -1) if surface.panel is None else surface.panel
        found = np.empty((len(surface.faces), 2), np.uint8)
        for panel in np.unique(panels):
            for side in (0, 1):
                label = Label(surface.kind, int(panel), bool(side) and surface.kind in CLOTH)
                number = numbers.setdefault(label, len(numbers))
                if number >= NOTHING:
                    raise IGRError("The scene has more than 255 labels: use garments with fewer panels.")
                found[panels == panel, side] = number
        per_face.append(found)
    return tuple(numbers), np.concatenate(per_face)


def _or_constant(values: np.ndarray | None, shape: tuple[int, ...], constant: float) -> np.ndarray:
    return np.full(shape, constant, np.float32) if values is None else np.asarray(values, np.float32)


def _check(number: int, surface: Surface) -> None:
    what = f"Surface {number} ({surface.kind})"
    if len(surface.faces) == 0:
        raise IGRError(f"{what} has no faces: remove it.")
    if surface.faces.min() < 0 or surface.faces.max() >= len(surface.vertices):
        raise IGRError(f"{what} has faces with missing vertices: check its faces.")
    if not np.isfinite(surface.vertices).all():
        raise IGRError(f"{what} has vertices that are not finite: check how it was draped.")
    if surface.uv is not None and surface.uv.shape != (len(surface.faces), 3, 2):
        raise IGRError(f"{what} has uv of shape {surface.uv.shape}: it must be (faces, 3, 2).")
    if surface.panel is not None and surface.panel.shape != (len(surface.faces),):
        raise IGRError(f"{what} has panel numbers of shape {surface.panel.shape}: it must be (faces,).")
