"""Triangle meshes with materials, which people and garments pass to the studio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["garment", "other_1", "other_2", "skin", "hair", "eye", "shoe", "bag", "wall", "floor"]
KINDS: tuple[Kind, ...] = ("garment", "other_1", "other_2", "skin", "hair", "eye", "shoe", "bag", "wall", "floor")
"""Kind of a surface. `garment` is the garment to restore, `other_*` are the rest of the outfit."""

CLOTH: tuple[Kind, ...] = ("garment", "other_1", "other_2")
"""Kinds that have panels and are dressed with fabrics."""


@dataclass(frozen=True)
class Surface:
    """A mesh in world coordinates: metres, z up, the person faces -y, and x points to the person's left."""

    kind: Kind
    """Kind of the surface."""
    vertices: np.ndarray
    """(V, 3) float64."""
    faces: np.ndarray
    """(F, 3) int32, counter-clockwise seen from outside."""
    uv: np.ndarray | None = None
    """(F, 3, 2) float32 per corner: positions on the plane of the face's panel, in metres; seen from outside, u points
    right and v down."""
    panel: np.ndarray | None = None
    """(F,) int16: index of the face's panel in the scene's list of panels."""
    paint: np.ndarray | None = None
    """(V, 3) float32 in 0..1; the meaning of the three channels depends on the kind. skin: lips; brows and lashes;
    nails. hair: brightness of the strand; unused; unused. eye: white; iris; pupil. shoe and bag: main; second (sole,
    lining); metal."""
