"""A sewn garment: one topology with panels, worn by any body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ...base.panels import Panel
from .cuts import Cut

CLEAR_EDGES = 2
"""Distance from an outer layer's open edge within which inner layers may show through, in edges of the fine cloth
(about 1 cm each)."""


@dataclass(frozen=True)
class Springs:
    """Pairs of connected vertices of a mesh."""

    along: np.ndarray
    """(E, 2) int32: the edges."""
    across: np.ndarray
    """(B, 2) int32: vertices that face each other across an edge; these springs resist bending."""


@dataclass(frozen=True)
class Trim:
    """Pieces that are not draped but attached to the cloth: collars, hoods, pockets, plackets."""

    faces: np.ndarray
    """(G, 3) int32: faces, with vertices counted from 0."""
    anchor: sparse.csr_matrix
    """(A, V): position of each of the trim's A vertices on the fine cloth."""
    lift: np.ndarray
    """(A,) distance from the cloth along its normal, metres."""
    offset: np.ndarray
    """(A, 3) further offset in the axes of the chest at rest, metres."""
    uv: np.ndarray
    """(G, 3, 2) positions on the trim's panel, in metres."""
    panel: np.ndarray
    """(G,) int16: index of each face's panel."""
    solid: bool
    """Whether the trim must be kept away from the cloth (collars, hoods)."""


@dataclass(frozen=True)
class Garment:
    """A garment made by `tailor`; wearing it never changes its faces, uv or panels."""

    cut: Cut
    """Cut that the garment was made from."""
    faces: np.ndarray
    """(F, 3) int32: the coarse cloth."""
    basis: sparse.csr_matrix
    """(V, N): matrix that computes the coarse vertices from the suit's points."""
    fall: np.ndarray
    """(V,) distance by which each vertex hangs below its point on the suit, metres on the template."""
    ring: np.ndarray
    """(L,) vertices of the edge from which a skirt or long top hangs in rings of L vertices; empty if nothing hangs."""
    ease: np.ndarray
    """(V,) distance from the skin, metres."""
    weights: np.ndarray
    """(V, J) skin weights."""
    arms: np.ndarray
    """(V, 2) weight of the left and right arm."""
    legs: np.ndarray
    """(V, 2) weight of the left and right leg; 0 on skirts."""
    held: np.ndarray
    """(V,) 0..1: degree to which the vertex is pinned to the body (shoulders, waistbands)."""
    snug: np.ndarray
    """(V,) bool: bands that fit closely and are not widened."""
    smooth: sparse.csr_matrix
    """(V, V) matrix that smooths the cloth at rest, except thin straps."""
    fine_faces: np.ndarray
    """(4 F, 3) int32: four faces for each coarse face."""
    refine: sparse.csr_matrix
    """(V', V) matrix that computes fine vertices from coarse ones."""
    even: sparse.csr_matrix
    """(V', V') matrix that replaces fine vertices by a mean of their neighbours; flat cloth does not move."""
    coarse_even: sparse.csr_matrix
    """(V, V) matrix that does the same for coarse vertices."""
    springs: Springs
    """Springs of the coarse cloth."""
    fine_springs: Springs
    """Springs of the fine cloth."""
    uv: np.ndarray
    """(4 F, 3, 2) float32: positions of the fine faces' corners on the panels, in metres."""
    panel: np.ndarray
    """(4 F,) int16: index of each fine face's panel in `panels`."""
    rim: np.ndarray
    """(R, 2) int32 open edges of the fine cloth, directed as in their faces."""
    rim_face: np.ndarray
    """(R,) the fine face of each open edge."""
    trims: tuple[Trim, ...]
    """Collars, pockets and the like."""
    panels: tuple[Panel, ...]
    """Panels of the cloth and its trims."""

    @property
    def clear(self) -> np.ndarray:
        """(V',) bool: fine vertices more than CLEAR_EDGES edges away from every open edge."""
        near = np.zeros(self.refine.shape[0], bool)
        near[self.rim.ravel()] = True
        for _ in range(CLEAR_EDGES):
            near[self.fine_faces[near[self.fine_faces].any(axis=1)]] = True
        return ~near
