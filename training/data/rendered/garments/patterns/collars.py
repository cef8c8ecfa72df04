"""Collars, lapels and hoods: strips that start at the neck's edge and fold over."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ...base.normals import vertex_normals
from ..base.cuts import Cut
from ..base.figures import Figure, smoothstep
from ..base.garment import Trim
from ..base.meshes import boundary_loops, strip_faces
from .fields import neck_field
from .laying import outside_up


def make_collar(
    cut: Cut, figure: Figure, rest: np.ndarray, faces: np.ndarray, first_panel: int
) -> list[tuple[str, str, Trim]]:
    """The collar's pieces as (panel name, role, trim), with panels numbered from `first_panel`; empty without a
    collar."""
    if cut.collar == "none":
        return []
    chain = _neck_chain(cut, figure, rest, faces)
    into, normal = _directions(chain, rest, faces)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(rest[chain], axis=0), axis=1))])
    end = np.minimum(along, along[-1] - along)  # metres to the nearer end in front
    up = np.tile([0.0, 0.0, 1.0], (len(chain), 1))
    if cut.collar == "stand":
        height = np.full(len(chain), 0.042)
        rings = [up * (height * t)[:, None] - into * 0.004 * t for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
        rings += [rings[-1] - normal * 0.004 - up * 0.003, rings[2] - normal * 0.004]
        return [("collar", "rib", _strip_trim(chain, rings, along, len(rest), first_panel, False))]
    if cut.collar == "hood":
        rings = _hood(end / along[-1] * 2, into, normal, up)
        return [("hood", "body", _strip_trim(chain, rings, along, len(rest), first_panel, True))]
    height, width, spread = _collar_shape(cut, end, along[-1])
    stand = [up * (height * t)[:, None] - into * 0.002 * t for t in (0.0, 0.5, 1.0)]
    fall = _fall(stand[-1], height, width, spread, into, normal, rest[chain], end)
    return [
        ("collar_stand", "trim", _strip_trim(chain, stand, along, len(rest), first_panel, False)),
        ("collar", "trim", _strip_trim(chain, fall, along, len(rest), first_panel + 1, True)),
    ]


def _neck_chain(cut: Cut, figure: Figure, rest: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertices once around the neck's edge, starting at the front centre; an open front separates the two ends."""
    loops = [loop for loop in boundary_loops(faces) if len(loop) > 10]
    loop = max(loops, key=lambda chain: (np.abs(neck_field(rest[chain], cut, figure)) < 0.025).sum())
    if cut.front == "open":
        near = np.abs(neck_field(rest[loop], cut, figure)) < 0.03
        shift = int(np.flatnonzero(near & ~np.roll(near, 1))[0])
        loop, near = np.roll(loop, -shift), np.roll(near, -shift)
        runs = np.flatnonzero(~near)
        return loop[: int(runs[0])] if len(runs) else loop
    front = rest[loop]
    start = int(np.argmin(front[:, 2] + 0.5 * np.abs(front[:, 0]) + (front[:, 1] > figure.neck[1])))
    loop = np.roll(loop, -start)
    return np.concatenate([loop, loop[:1]])


def _directions(chain: np.ndarray, rest: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors from the edge into the cloth, and the cloth's normals; (L, 3) each."""
    normals = vertex_normals(rest, faces)
    inside = np.zeros_like(rest)
    middle = rest[faces].mean(axis=1)
    for k in range(3):
        np.add.at(inside, faces[:, k], middle - rest[faces[:, k]])
    into, normal = inside[chain], normals[chain]
    tangent = np.gradient(rest[chain], axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    into = into - (into * tangent).sum(axis=1, keepdims=True) * tangent
    for values in (into, normal):
        for _ in range(6):
            values[1:-1] = 0.5 * values[1:-1] + 0.25 * (values[:-2] + values[2:])
        values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    return into, normal


def _collar_shape(cut: Cut, end: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Height of the stand and width of the fall along the edge, and the spread of the collar's points; metres."""
    if cut.collar == "lapel":
        notch = 0.5 * length - 0.15
        lapel = 0.095 * smoothstep(0.0, 0.75 * notch, end)
        collar = np.full_like(end, 0.052)
        width = np.where(end < notch, lapel, collar) - 0.04 * np.exp(-(((end - notch) / 0.008) ** 2))
        return 0.022 * smoothstep(0.6 * notch, notch + 0.04, end) + 0.001, width, 0.0
    point = np.exp(-end / 0.03)
    if cut.collar == "polo":
        return np.full_like(end, 0.018), 0.036 + 0.012 * point, 0.02
    return 0.03 - 0.008 * point, 0.034 + 0.02 * point, 0.024


def _fall(top, height, width, spread, into, normal, base, end):
    """Rings of the part that is folded over, from the fold to its edge."""
    out = np.sign(base[:, 0])
    out[0], out[-1] = out[1], out[-2]
    sideways = np.zeros_like(base)
    sideways[:, 0] = out * spread * np.exp(-end / 0.03)
    rings = [top, top + normal * 0.004 + np.array([0, 0, 0.003])]
    up = np.array([0.0, 0.0, 1.0])
    for t in (0.12, 0.3, 0.5, 0.75, 1.0):
        drop = np.maximum(height * (1 - 1.3 * t), 0)[:, None] * up
        rings.append(drop + into * (width * t)[:, None] + normal * (0.008 + 0.004 * t) + sideways * t)
    rings.append(rings[-1] - normal * 0.003 - into * 0.002)
    return rings


def _hood(share: np.ndarray, into: np.ndarray, normal: np.ndarray, up: np.ndarray) -> list[np.ndarray]:
    """Rings of a hood that lies on the shoulders and the back; `share` is 0 in front, 1 at the back."""
    back = smoothstep(0.45, 1.0, share)
    side = smoothstep(0.0, 0.35, share)
    height = 0.012 + 0.03 * side + 0.018 * back
    width = 0.028 + 0.025 * side + 0.095 * back
    thick = 0.012 + 0.018 * side + 0.022 * back
    profile = [(0, 0, 0), (0.0, 0.55, 0.1), (0.02, 0.95, 0.3), (0.12, 1.1, 0.7), (0.28, 0.9, 1.0), (0.5, 0.5, 1.15),
               (0.72, 0.2, 1.1), (0.9, 0.0, 0.9), (1.0, 0.0, 0.5), (0.97, 0.0, 0.15)]  # fmt: skip
    return [
        into * (width * a)[:, None] + up * (height * b)[:, None] + normal * (thick * c)[:, None] for a, b, c in profile
    ]


def _strip_trim(
    chain: np.ndarray, rings: list[np.ndarray], along: np.ndarray, count: int, panel: int, flipped: bool
) -> Trim:
    """Rings over a chain of cloth vertices as a trim; u runs along the chain, v away from it."""
    size = len(chain)
    rows = np.arange(size * len(rings))
    anchor = sparse.csr_matrix((np.ones(len(rows)), (rows, np.tile(chain, len(rings)))), shape=(len(rows), count))
    numbers = rows.reshape(len(rings), size)
    faces = np.concatenate([strip_faces(a, b, closed=False) for a, b in zip(numbers[:-1], numbers[1:], strict=True)])
    steps = [np.linalg.norm(b - a, axis=1).mean() for a, b in zip(rings[:-1], rings[1:], strict=True)]
    v = np.concatenate([[0.0], np.cumsum(steps)])
    u = along - along[-1] / 2
    uv = np.stack([np.tile(u, len(rings)), np.repeat(v, size)], axis=1)
    if flipped:
        faces = faces[:, [0, 2, 1]]
    return Trim(
        faces.astype(np.int32),
        anchor,
        np.zeros(len(rows)),
        np.concatenate(rings),
        outside_up(uv[faces]).astype(np.float32),
        np.full(len(faces), panel, np.int16),
        True,
    )
