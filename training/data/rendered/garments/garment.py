"""A sewn garment: one topology with panels, worn by any body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..base.panels import Panel
from .cloth.draping import Springs
from .cuts import Cut

CLEAR_EDGES = 2
"""Edges of fine cloth, about a centimetre each, within which cloth may lie beside an open edge of a layer over it."""


@dataclass(frozen=True)
class Trim:
    """Pieces that are not draped but ride on the cloth: collars, hoods, pockets, plackets."""

    faces: np.ndarray
    """(G, 3) int32 of the trim's own vertices, counted from 0."""
    anchor: sparse.csr_matrix
    """(A, V) where each of its A vertices sits on the fine cloth."""
    lift: np.ndarray
    """(A,) how far from the cloth along its normal, metres."""
    offset: np.ndarray
    """(A, 3) how far from there in the axes of the chest at rest, metres."""
    uv: np.ndarray
    """(G, 3, 2) metres on its panel."""
    panel: np.ndarray
    """(G,) int16."""
    solid: bool
    """Whether it must be kept off the cloth (collars, hoods)."""


@dataclass(frozen=True)
class Garment:
    """What `tailor` makes; wearing it never changes faces, uv or panels."""

    cut: Cut
    """What it was made from."""
    faces: np.ndarray
    """(F, 3) int32: the coarse cloth."""
    basis: sparse.csr_matrix
    """(V, N): coarse vertices from the suit's points."""
    fall: np.ndarray
    """(V,) how far each hangs below that, metres on the template."""
    ring: np.ndarray
    """(L,) vertices of the edge at the hips from which a skirt hangs, ring by ring of L vertices; empty without."""
    ease: np.ndarray
    """(V,) distance from the skin, metres."""
    weights: np.ndarray
    """(V, J) skin weights."""
    arms: np.ndarray
    """(V, 2) share of the left and right arm."""
    legs: np.ndarray
    """(V, 2) share of the left and right leg; 0 on skirts."""
    held: np.ndarray
    """(V,) 0..1: how firmly it is pinned to the body (shoulders, waistbands)."""
    snug: np.ndarray
    """(V,) bool: bands that lie close and are not widened."""
    smooth: sparse.csr_matrix
    """(V, V) evens out the cut."""
    fine_faces: np.ndarray
    """(4 F, 3) int32: each coarse face in four."""
    refine: sparse.csr_matrix
    """(V', V): fine vertices from coarse ones."""
    even: sparse.csr_matrix
    """(V', V') replaces fine vertices by the mean of their neighbours, which moves none on flat cloth."""
    coarse_even: sparse.csr_matrix
    """(V, V) the same of coarse ones."""
    springs: Springs
    """Of the coarse cloth."""
    fine_springs: Springs
    """Of the fine cloth."""
    uv: np.ndarray
    """(4 F, 3, 2) float32 metres on the panels, of the fine faces."""
    panel: np.ndarray
    """(4 F,) int16."""
    rim: np.ndarray
    """(R, 2) int32 open edges of the fine cloth, directed as in their faces."""
    rim_face: np.ndarray
    """(R,) the fine face of each."""
    trims: tuple[Trim, ...]
    """Collars, pockets and the like."""
    panels: tuple[Panel, ...]
    """What `panel` numbers mean."""

    @property
    def clear(self) -> np.ndarray:
        """(V',) bool: fine vertices that are more than CLEAR_EDGES edges away from every open edge."""
        near = np.zeros(self.refine.shape[0], bool)
        near[self.rim.ravel()] = True
        for _ in range(CLEAR_EDGES):
            near[self.fine_faces[near[self.fine_faces].any(axis=1)]] = True
        return ~near
