"""Draped cloth as a surface that can be photographed, with trims, thickness and turned-in hems."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ...base.surfaces import Kind, Surface
from ..base.garment import Garment
from .contacts import Draped, Posed


def sewn_surface(garment: Garment, draped: Draped, posed: Posed, kind: Kind) -> Surface:
    """Cloth, trims and turned-in hems as one mesh."""
    vertices, faces = [draped.fine], [garment.fine_faces]
    uv, panel = [garment.uv], [garment.panel]
    count = len(draped.fine)
    for trim in garment.trims:
        points = _placed(trim, draped, posed)
        vertices.append(points)
        faces.append(trim.faces + count)
        uv.append(trim.uv)
        panel.append(trim.panel)
        count += len(points)
    inner, strip, strip_uv = _turned_in(garment, draped, count)
    vertices.append(inner)
    faces.append(strip)
    uv.append(strip_uv)
    panel.append(np.tile(garment.panel[garment.rim_face], 4))
    return Surface(
        kind,
        np.concatenate(vertices),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(uv).astype(np.float32),
        np.concatenate(panel).astype(np.int16),
    )


def _placed(trim, draped: Draped, posed: Posed) -> np.ndarray:
    """(A, 3) positions of a trim's vertices on the draped cloth."""
    base = trim.anchor @ draped.fine
    normals = trim.anchor @ draped.normals
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    points = base + normals * trim.lift[:, None] + trim.offset @ posed.chest.T
    if trim.solid:
        tree = cKDTree(draped.fine)
        for _ in range(2):
            distance, index = tree.query(points)
            height = ((points - draped.fine[index]) * draped.normals[index]).sum(axis=1)
            short = np.maximum(0.003 - height, 0) * (distance < 0.05) * (np.linalg.norm(trim.offset, axis=1) > 0.002)
            points = points + draped.normals[index] * short[:, None]
    return points


def _turned_in(garment: Garment, draped: Draped, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces and uv of two strips along every open edge: the thickness of the cloth, and the turned-in hem."""
    rim, face = garment.rim, garment.rim_face
    used, number = np.unique(rim, return_inverse=True)
    number = number.reshape(-1, 2)
    thick = 0.004 if garment.cut.kind in ("hoodie", "sweater", "jacket", "cardigan") else 0.0022
    turned = 0.006 if garment.cut.neckline == "straps" else 0.014
    middle = draped.fine[garment.fine_faces[face]].mean(axis=1)
    inward = np.zeros((len(used), 3))
    for k in range(2):
        np.add.at(inward, number[:, k], middle - draped.fine[rim[:, k]])
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    first = draped.fine[used] - draped.normals[used] * thick
    second = first + inward * turned - draped.normals[used] * 0.0005
    size = len(used)
    a, b = rim[:, 0], rim[:, 1]
    c, d = count + number[:, 0], count + number[:, 1]
    e, f = c + size, d + size
    strips = [np.stack(t, axis=1) for t in ((b, a, c), (b, c, d), (d, c, e), (d, e, f))]
    corner = garment.uv[face]
    edge_uv = []
    for end in (a, b):
        place = (garment.fine_faces[face] == end[:, None]).argmax(axis=1)
        edge_uv.append(corner[np.arange(len(face)), place])
    at_a, at_b = edge_uv
    uvs = [np.stack(t, axis=1) for t in ((at_b, at_a, at_a), (at_b, at_a, at_b)) * 2]
    return np.concatenate([first, second]), np.concatenate(strips), np.concatenate(uvs)
