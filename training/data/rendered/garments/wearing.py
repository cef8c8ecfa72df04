"""Dress a posed body: each garment is draped over the body and over the layers below it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..base.normals import vertex_normals
from ..base.surfaces import CLOTH, Kind, Surface
from ..people.body import Body, skin
from ..people.poses import product_pose
from .base.figures import Figure, make_figure
from .base.garment import Garment
from .cloth.contacts import LAYER_GAP, Draped, Posed, colliders_of, contacts_of, pose_figure, pushed_off
from .cloth.draping import Settle, drape, unwrinkled
from .cloth.fitting import fit, pleats_of, tucked, tucked_in
from .cloth.surfacing import sewn_surface
from .patterns.fields import height_of
from .tailoring import product_figure, template_figure

COARSE = Settle(steps=64, passes=5, gravity=3.5, damping=0.98)
"""Draping of the coarse cloth, for the large folds."""
FINE = Settle(steps=18, passes=4, gravity=2.0, damping=0.95, renew=6)
"""Subsequent draping of the fine cloth, for the small folds."""
FLAT_SHARE = 0.25
"""Probability that a product shot shows the garment lying flat."""
GHOST_FLAT = 0.35
"""Maximum flatness in all other product shots."""


def wear(
    garments: list[Garment],
    body: Body,
    transforms: np.ndarray,
    rng: np.random.Generator,
    kinds: list[Kind] | None = None,
) -> list[list[Surface]]:
    """Drape garments over a posed body.

    Args:
        garments: from the innermost to the outermost.
        body: the body; garments are first fitted to its rest shape.
        transforms: (J, 3, 4) from `body.transforms`.
        rng: draws the initial folds.
        kinds: kind of each garment; by default `garment` for the first, then `other_1`, `other_2`.

    Returns:
        The surfaces of each garment, in the order of `garments`. Vertices and faces are numbered identically in every
        pose.
    """
    figure = make_figure(body)
    posed = pose_figure(figure, transforms)
    layers: list[Draped] = []
    result = []
    for number, garment in enumerate(garments):
        over = [other.cut for other in garments[number + 1 :] if not other.cut.top]
        tuck = height_of(over[0].waist, figure) if over and garment.cut.top else None
        draped = _drape(garment, figure, posed, layers, rng, tuck)
        layers = [_below(layer, draped, garment) for layer in layers]
        layers.append(draped)
    for garment, draped, kind in zip(garments, layers, kinds or list(CLOTH), strict=False):
        result.append([sewn_surface(garment, draped, posed, kind)])
    return result


def product_shot(garment: Garment, rng: np.random.Generator, flat: float | None = None) -> list[Surface]:
    """The garment alone, as on an invisible body of the template's shape.

    Args:
        garment: the garment to show.
        rng: draws the initial folds and the flatness.
        flat: flatness, from 0 (on a ghost mannequin) to 1 (flat on a table); None draws it.
    """
    cut = garment.cut
    figure = product_figure(cut.sex) if cut.category == "upper" else template_figure(cut.sex)
    pose = product_pose(figure.body, cut.category)
    posed = pose_figure(figure, figure.body.transforms(pose.rotations))
    surface = sewn_surface(garment, _drape(garment, figure, posed, [], rng), posed, "garment")
    if flat is None:
        flat = float(rng.uniform(0.4, 1.0)) if rng.random() < FLAT_SHARE else float(rng.uniform(0.0, GHOST_FLAT))
    middle = surface.vertices[:, 1].mean()
    scale = np.array([1 + 0.14 * flat, 1 - 0.75 * flat, 1.0])
    vertices = (surface.vertices - [0.0, middle, 0.0]) * scale + [0.0, middle, 0.0]
    return [Surface(surface.kind, vertices, surface.faces, surface.uv, surface.panel)]


def _drape(
    garment: Garment,
    figure: Figure,
    posed: Posed,
    layers: list[Draped],
    rng: np.random.Generator,
    tuck: float | None = None,
) -> Draped:
    """Drape the coarse cloth for the large folds, then the fine cloth, which has four times as many faces. `tuck` is
    the height of a waist that is worn over the cloth."""
    cut = garment.cut
    rest = fit(garment, figure, template_figure(cut.sex))
    held = garment.held
    hidden = np.zeros(len(rest))
    if tuck is not None:
        hidden = tucked(garment, figure, tuck)
        rest = tucked_in(rest, garment, figure, hidden)
        held = np.maximum(held, hidden > 0.9)
    if layers:
        rest = rest + vertex_normals(rest, garment.faces) * (0.003 * len(layers))
    start = skin(rest, garment.weights, posed.transforms)
    grow = _grow(garment)
    colliders = colliders_of(garment, posed, layers)
    contacts = contacts_of(garment.arms, garment.legs, colliders)
    pressed = pushed_off(start, contacts)
    start = np.where(hidden[:, None] > 0.9, start, pressed)
    coarse = drape(start, rest, garment.springs, cut.bend, grow, 1.0 - held, contacts, COARSE, rng)
    if cut.neckline == "straps":
        coarse = np.where(held[:, None] > 0, coarse, unwrinkled(coarse, garment.faces, garment.coarse_even, 12))
    else:
        coarse = unwrinkled(coarse, garment.faces, garment.coarse_even, 12)
    fine_rest = garment.refine @ rest
    fine_rest = fine_rest + 0.3 * (garment.even @ fine_rest - fine_rest)
    arms, legs = garment.refine @ garment.arms, garment.refine @ garment.legs
    contacts = contacts_of(arms, legs, colliders)
    free = 1.0 - np.floor(garment.refine @ held + 1e-6)
    grow = (garment.refine @ grow) * 1.015
    place = garment.refine @ coarse
    place = drape(place, fine_rest, garment.fine_springs, cut.bend * 0.6, grow, free, contacts, FINE)
    place = place + 0.35 * (garment.even @ place - place)
    armhole = np.clip(4 * arms.max(axis=1) * (1 - arms.max(axis=1)) * 1.5 - 0.2, 0, 0.5)[:, None]
    for _ in range(4):
        place = place + armhole * (garment.even @ place - place)
    edge = np.unique(garment.rim)
    for _ in range(6):
        # Along open edges, `even` averages only the two neighbours on the edge, so that hems become even.
        place[edge] += 0.5 * (garment.even[edge] @ place - place[edge])
    place = unwrinkled(place, garment.fine_faces, garment.even, 16)
    if cut.neckline == "straps":
        # Straps are too narrow to be smoothed.
        place = np.where(free[:, None] > 0, place, garment.refine @ coarse)
    if cut.pleats:
        pleats = garment.refine @ pleats_of(garment)
        level = vertex_normals(place, garment.fine_faces) * [1.0, 1.0, 0.0]  # Keep the hem straight.
        place = place + level * pleats[:, None]
    pressed = pushed_off(place, contacts)
    hidden = garment.refine @ hidden
    place = np.where(hidden[:, None] > 0.9, place, pressed)
    return Draped(place, vertex_normals(place, garment.fine_faces), hidden < 0.3)


def _grow(garment: Garment) -> np.ndarray:
    """(V,) excess cloth, as a factor on lengths; bands have none."""
    return np.where(garment.snug | (garment.held > 0.5), 1.0, garment.cut.grow)


def _below(inner: Draped, outer: Draped, garment: Garment) -> Draped:
    """Push a lower layer inwards where it would show through the layer above it."""
    rim = np.zeros(len(outer.fine), bool)
    rim[garment.rim.ravel()] = True
    distance, index = cKDTree(outer.fine).query(inner.fine, distance_upper_bound=0.03)
    near = np.flatnonzero(np.isfinite(distance))
    index = index[near]
    offset = inner.fine[near] - outer.fine[index]
    height = (offset * outer.normals[index]).sum(axis=1)
    beside = np.linalg.norm(offset - height[:, None] * outer.normals[index], axis=1)
    covered = ~rim[index] | (beside < 0.006)
    near, index, height = near[covered], index[covered], height[covered]
    fine = inner.fine.copy()
    fine[near] -= np.maximum(height + LAYER_GAP, 0)[:, None] * outer.normals[index]
    return Draped(fine, inner.normals, inner.seen)
