"""Cutting and sewing: from a cut to a garment that any body can wear."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import sparse

from ..base.normals import vertex_normals
from ..people.body import TEMPLATE_SHAPES, make_body
from .base.cuts import Cut
from .base.figures import SIDES, Figure, dress_form, make_figure, smoothstep, suit
from .base.garment import Garment
from .base.meshes import boundary_edges, flat_averaging, smoothing, upsample, upsample_corners
from .cloth.draping import make_springs
from .cloth.fitting import ease_of, fit
from .patterns.fields import (
    STRAP,
    armhole_field,
    below_straps,
    height_of,
    hem_field,
    neck_field,
    opening_field,
    side_field,
    sleeve_field,
    waist_field,
)
from .patterns.laying import lay
from .patterns.pattern import Pattern
from .patterns.trims import make_trims

HIP_CUT = 0.12
"""Height above the crotch at which skirts and long tops leave the body, metres."""

RING = 0.016
"""Distance between the rings of a skirt, metres."""

LEAST_BAND = 0.01
"""Smallest part of a hem band above the rings that is cut separately, metres."""

PLEATS_BELOW = 0.015
"""Distance below the waistband at which pleats begin, metres."""


@lru_cache(maxsize=2)
def template_figure(sex: str) -> Figure:
    """The average body that garments are cut on."""
    return make_figure(make_body(TEMPLATE_SHAPES[sex]))


@lru_cache(maxsize=2)
def product_figure(sex: str) -> Figure:
    """The body that tops hang on in their product shots."""
    return dress_form(template_figure(sex))


def tailor(cut: Cut) -> Garment:
    """Make a garment from its cut: faces, panels, uv and weights, once for all bodies."""
    figure = template_figure(cut.sex)
    pattern = Pattern(figure)
    pattern.divide("back", side_field(pattern.points, pattern.arms, figure))
    if cut.top:
        _cut_top(pattern, cut, figure)
    else:
        _cut_waist(pattern, cut, figure)
    _cut_below(pattern, cut, figure)
    pattern.keep_largest()
    ring = _lengthen(pattern, cut, figure)
    return _sewn(pattern, cut, figure, ring)


def _cut_top(pattern: Pattern, cut: Cut, figure: Figure) -> None:
    """Cut the neck, front opening, armholes and sleeves of a top."""
    if cut.neckline == "straps":
        _cut_straps(pattern, cut, figure)
    else:
        pattern.clip(neck_field(pattern.points, cut, figure))
    if cut.neck_band > 0 and cut.neckline != "high":
        pattern.divide("neck_body", neck_field(pattern.points, cut, figure) - cut.neck_band)
    if cut.front == "open":
        pattern.clip(opening_field(pattern.points, cut, figure))
    for side, name in enumerate(SIDES):
        field = armhole_field(pattern.points, pattern.arms, figure, side, cut.drop)
        if cut.sleeve == "none":
            pattern.clip(-field)
            continue
        pattern.divide(f"sleeve_{name}", field)
        length = cut.sleeve_length * figure.arm_length
        pattern.clip(sleeve_field(pattern.points, pattern.arms, figure, side, length))
        if cut.cuff > 0:
            pattern.divide(
                f"_cuff_{name}", -sleeve_field(pattern.points, pattern.arms, figure, side, length - cut.cuff)
            )


def _cut_straps(pattern: Pattern, cut: Cut, figure: Figure) -> None:
    """Keep the part below the top edge and two straps; the straps are cut edge by edge, because they are narrower than
    a face."""
    for name, sign in (("_outside", 1.0), ("_inside", -1.0)):
        edge = cut.neck_width - sign * STRAP / 2
        pattern.divide(name, sign * (np.abs(pattern.points[:, 0]) - edge))
    pattern.divide("_low", below_straps(pattern.points, cut, figure))
    outside, inside, low = (pattern.tags.pop(name) for name in ("_outside", "_inside", "_low"))
    pattern.keep(low | (outside & inside))


def _cut_waist(pattern: Pattern, cut: Cut, figure: Figure) -> None:
    """Cut the top edge and waistband of a lower garment."""
    height = height_of(cut.waist, figure)

    def field(width: float) -> np.ndarray:
        return np.where(pattern.arms.sum(axis=1) > 0.5, -0.5, waist_field(pattern.points, height - width))

    pattern.clip(field(0.0))
    if cut.waistband > 0:
        pattern.divide("waist_body", field(cut.waistband))


def _cut_below(pattern: Pattern, cut: Cut, figure: Figure) -> None:
    """Cut the hem, or the edge from which skirts and long tops continue."""
    low, edge = height_of(cut.length, figure), _hanging_edge(cut, figure)
    height = low if cut.legs else max(low, edge)

    def field(low: float) -> np.ndarray:
        curved = hem_field(pattern.points, cut, low) if low > edge else pattern.points[:, 2] - low
        return np.where(pattern.arms.sum(axis=1) > 0.5, 0.5, curved)

    pattern.clip(field(height))
    band = low + cut.hem_band
    if cut.hem_band > 0 and band > height + LEAST_BAND:
        pattern.divide("hem_body", field(band))


def _hanging_edge(cut: Cut, figure: Figure) -> float:
    """Height at which skirts and long tops leave the body: below the waistband for pleats, otherwise at the hips."""
    if cut.pleats:
        return height_of(cut.waist, figure) - cut.waistband - PLEATS_BELOW
    return figure.crotch + HIP_CUT


def _lengthen(pattern: Pattern, cut: Cut, figure: Figure) -> np.ndarray:
    """Hang skirts and long tops from their edge, ring by ring; returns the edge's vertices, empty if nothing hangs."""
    start = _hanging_edge(cut, figure)
    total = start - height_of(cut.length, figure)
    if cut.legs or total < 0.008:
        return np.zeros(0, int)
    points = pattern.points
    loop = min(pattern.loops(), key=lambda chain: points[chain, 2].mean())
    if cut.front == "open":
        loop = _chain_at(pattern, start)
    total = np.full(len(loop), total)
    if cut.hem == "curved":
        total = np.maximum(total - 0.05 * smoothstep(0.06, 0.15, np.abs(points[loop, 0])), 0.01)
    first = len(pattern.faces)
    banded = cut.hem_band > 0 and "hem_body" not in pattern.tags
    shares = _ring_shares(float(total.max()), cut.hem_band if banded else 0.0)
    pattern.lengthen(loop, [total * share for share in shares], closed=cut.front != "open")
    if banded:
        faces = pattern.faces[first:]
        body = pattern.fall[faces].max(axis=1) <= float(total.max()) - cut.hem_band + 1e-6
        pattern.tags["hem_body"] = np.concatenate([np.ones(first, bool), body])
    return loop


def _ring_shares(total: float, band: float) -> list[float]:
    """Positions of the rings as fractions of the fall, one of them at the start of a hem band of width `band`."""
    above = max(total - band, 0.0)
    count = max(1, round(above / RING)) if above > 0 else 0
    shares = [above / total * k / count for k in range(1, count + 1)]
    if band > 0:
        count = max(2, round(band / RING))
        shares += [(above + (total - above) * k / count) / total for k in range(1, count + 1)]
    return shares


def _chain_at(pattern: Pattern, height: float) -> np.ndarray:
    """The part of an open edge that is at a given height, as an open chain."""
    points = pattern.points
    loop = max(pattern.loops(), key=lambda chain: (np.abs(points[chain, 2] - height) < 0.002).sum())
    level = np.abs(points[loop, 2] - height) < 0.002
    shift = int(np.flatnonzero(level & ~np.roll(level, 1))[0])
    loop, level = np.roll(loop, -shift), np.roll(level, -shift)
    return loop[: int(np.argmin(level))] if not level.all() else loop


def _sewn(pattern: Pattern, cut: Cut, figure: Figure, ring: np.ndarray) -> Garment:
    """Assemble the garment once its faces are final."""
    count = len(pattern.marks)
    points, arms = pattern.points, pattern.arms
    legs = pattern.legs if cut.legs else np.zeros((count, 2))
    weights = (pattern.basis @ suit().weights).astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    snug = _vertices_of(pattern, ("_band",), cut)
    ease = ease_of(points, arms, legs, cut, figure)
    if cut.neckline == "straps":
        ease = np.where(below_straps(points, cut, figure) < 0, 0.006, ease)
    ease[snug] = np.minimum(ease[snug], _snug_ease(points, cut, figure)[snug])
    fine_faces, refine = upsample(pattern.faces, count)
    garment = Garment(
        cut=cut,
        faces=pattern.faces,
        basis=pattern.basis,
        fall=pattern.fall,
        ring=ring,
        ease=ease,
        weights=weights,
        arms=arms,
        legs=legs,
        held=np.zeros(count),
        snug=snug,
        smooth=_smoothing(pattern, cut, figure),
        fine_faces=fine_faces,
        refine=refine,
        even=sparse.csr_matrix((0, 0)),
        coarse_even=sparse.csr_matrix((0, 0)),
        springs=make_springs(pattern.faces),
        fine_springs=make_springs(fine_faces),
        uv=np.zeros((0, 3, 2), np.float32),
        panel=np.zeros(0, np.int16),
        rim=np.zeros((0, 2), np.int32),
        rim_face=np.zeros(0, int),
        trims=(),
        panels=(),
    )
    rest = fit(garment, figure, figure)
    uv, panel, panels = lay(pattern, cut, figure, rest)
    fine_uv = upsample_corners(uv).astype(np.float32)
    fine_panel = np.repeat(panel, 4).astype(np.int16)
    trims, all_panels = make_trims(cut, figure, refine @ rest, fine_faces, fine_uv, fine_panel, panels)
    rim, rim_face = _rim(fine_faces)
    return replace(
        garment,
        held=_held(pattern, cut, figure, rest),
        even=flat_averaging(fine_faces, refine @ rest),
        coarse_even=flat_averaging(pattern.faces, rest),
        uv=fine_uv,
        panel=fine_panel,
        rim=rim,
        rim_face=rim_face,
        trims=trims,
        panels=all_panels,
    )


def _smoothing(pattern: Pattern, cut: Cut, figure: Figure) -> sparse.csr_matrix:
    """Matrix (V, V) that smooths the cloth at rest, except thin straps, which it would pull under the skin."""
    pieces = np.unique(np.stack(list(pattern.tags.values()), axis=1), axis=0, return_inverse=True)[1].ravel()
    smooth = smoothing(pattern.faces, len(pattern.marks), 0.5, 2 if cut.pleats else 6, pieces)
    if cut.neckline != "straps":
        return smooth
    strap = (below_straps(pattern.points, cut, figure) < -0.004).astype(float)
    return (sparse.diags(1 - strap) @ smooth + sparse.diags(strap)).tocsr()


def _vertices_of(pattern: Pattern, words: tuple[str, ...], cut: Cut) -> np.ndarray:
    """Vertices of ribbed bands: hem bands and cuffs."""
    chosen = np.zeros(len(pattern.faces), bool)
    if "hem_body" in pattern.tags:
        chosen |= ~pattern.tags["hem_body"]
    for name in SIDES:
        if f"_cuff_{name}" in pattern.tags:
            chosen |= pattern.tags[f"_cuff_{name}"]
    result = np.zeros(len(pattern.marks), bool)
    result[pattern.faces[chosen].ravel()] = True
    return result


def _snug_ease(points: np.ndarray, cut: Cut, figure: Figure) -> np.ndarray:
    """Distance of bands from the skin."""
    return np.where(points[:, 2] < figure.armpit[0, 2] - 0.1, 0.012, 0.008) if cut.top else np.full(len(points), 0.003)


def _held(pattern: Pattern, cut: Cut, figure: Figure, rest: np.ndarray) -> np.ndarray:
    """(V,) 1 where the cloth is pinned: shoulders and necks of tops, waistbands of lower garments."""
    points, arms = pattern.points, pattern.arms.sum(axis=1)
    if not cut.top:
        height = height_of(cut.waist, figure)
        return (waist_field(points, height) < max(cut.waistband, 0.02) + 0.002).astype(float)
    if cut.neckline == "straps":
        return (below_straps(points, cut, figure) < -0.004).astype(float)
    normals = vertex_normals(rest, pattern.faces)
    flat = (normals[:, 2] > 0.55) & (points[:, 2] > figure.shoulder[0, 2] - 0.01) & (arms < 0.5)
    near_neck = neck_field(points, cut, figure) < 0.03
    high = points[:, 2] > figure.neck[2] - 0.05
    return (flat | (near_neck & high)).astype(float)


def _rim(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Open edges and the face that each belongs to."""
    rim = boundary_edges(faces)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    owner = np.tile(np.arange(len(faces)), 3)
    size = int(faces.max()) + 1
    key = edges[:, 0].astype(np.int64) * size + edges[:, 1]
    order = np.argsort(key)
    found = order[np.searchsorted(key[order], rim[:, 0].astype(np.int64) * size + rim[:, 1])]
    return rim.astype(np.int32), owner[found]
