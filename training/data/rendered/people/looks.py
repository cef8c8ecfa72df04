"""Everything about a person except the clothes: skin, face, hair, shoes and bag, as surfaces for the studio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..base.normals import vertex_normals
from ..base.surfaces import Surface
from .bags import Bag, bag_surfaces, draw_bag
from .body import TEMPLATE_SHAPES, Body, body_model, make_body, skin, triangles
from .hair import Hair, draw_hair, hair_surfaces
from .shapes import compact, smooth, split, subdivided
from .shoes import Shoe, draw_shoe, shoe_surfaces

PULLED_IN = 0.010
"""Distance in metres by which covered skin is moved inwards, so that it does not poke through cloth."""


@dataclass(frozen=True)
class Look:
    """Everything about a person except shape, pose and clothes."""

    hair: Hair = Hair()
    """Hair style."""
    shoe: Shoe = Shoe()
    """Shoes."""
    bag: Bag = Bag()
    """Bag; its kind may be none."""
    brows: float = 1.0
    """Thickness of the brows, about 1."""
    make_up: float = 0.4
    """0..1, strength of the lips' and lashes' colour."""


def draw_look(rng: np.random.Generator, body: Body) -> Look:
    """Hair, shoes and a bag that are usual for the body's gender and age."""
    female = body.shape.gender > 0.5
    return Look(
        hair=draw_hair(rng, body),
        shoe=draw_shoe(rng),
        bag=draw_bag(rng, body),
        brows=float(rng.uniform(0.7, 1.15) if female else rng.uniform(0.9, 1.5)),
        make_up=float(rng.uniform(0.3, 1.0) if female else rng.uniform(0.1, 0.35)),
    )


def person_surfaces(
    body: Body,
    transforms: np.ndarray,
    look: Look,
    covered: np.ndarray | None = None,
    over: Sequence[Surface] = (),
) -> list[Surface]:
    """Skin, eyes, hair, shoes and bag of a posed body (bones (J, 3, 4)).

    `covered` (B,) marks the vertices of the part `body` that are under cloth; they are pulled inwards. Loose hair and
    straps lie on the surfaces `over` (the clothes). Soles extend below z = 0.
    """
    return [
        _skin_surface(body, transforms, look, covered),
        _eye_surface(body, transforms),
        *hair_surfaces(body, transforms, look.hair, over),
        *shoe_surfaces(body, transforms, look.shoe),
        *bag_surfaces(body, transforms, look.bag, over),
    ]


def pulled_in(vertices: np.ndarray, faces: np.ndarray, covered: np.ndarray, depth: float = PULLED_IN) -> np.ndarray:
    """(V, 3): the vertices, with those that are `covered` (V,) moved inwards by `depth` metres, or less near uncovered
    vertices."""
    share = covered.astype(float)
    around = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    around = np.concatenate([around, around[:, ::-1]])
    degree = np.maximum(np.bincount(around[:, 0], minlength=len(vertices)), 1)
    for _ in range(3):
        mean = np.bincount(around[:, 0], share[around[:, 1]], len(vertices)) / degree
        share = np.minimum(share, mean)
    return vertices - vertex_normals(vertices, faces) * (depth * share)[:, None]


@lru_cache(maxsize=1)
def _face_topology() -> tuple[np.ndarray, np.ndarray]:
    """Return the triangles of the skin, refined at face and nails, and the four vertices (E, 4) whose mean is each new
    vertex."""
    model = body_model()
    count = model.ranges["body"].stop
    quads = model.quads["body"]
    template = make_body(TEMPLATE_SHAPES["female"])
    eye = template.head("eye.L")
    places = template.vertices[:count]
    fine = (places[:, 1] < eye[1] + 0.045) & (np.abs(places[:, 2] - eye[2] + 0.02) < 0.09)
    chosen = fine[quads].all(1) | (model.paint["nails"][:count][quads] > 0.3).any(1)
    finer, edges = split(quads[chosen], count)
    faces = np.concatenate([triangles(quads[~chosen]), triangles(finer)])
    return faces, np.concatenate([edges[:, [0, 1, 0, 1]], quads[chosen]])


def _refined(values: np.ndarray) -> np.ndarray:
    """(B + E, ...): values (B, ...) at the body's vertices, then at the vertices added for the finer face."""
    return np.concatenate([values, values[_face_topology()[1]].mean(1)])


def _skin_surface(body: Body, transforms: np.ndarray, look: Look, covered: np.ndarray | None) -> Surface:
    """The skin, with lips, brows and lashes, and nails."""
    part = body.part("body")
    posed = skin(part.vertices, part.weights, transforms)
    if covered is not None:
        posed = pulled_in(posed, part.triangles, covered)
    faces = _face_topology()[0]
    rest = _refined(part.vertices)
    paint = {name: _refined(body.model.paint[name][: len(posed)]) for name in ("lips", "nails", "lids")}
    lips = np.clip(paint["lips"], 0, 1) * (0.35 + 0.65 * look.make_up)
    dark = np.maximum(_brows(body, rest, look), _lashes(body, rest, look))
    return Surface("skin", _refined(posed), faces, paint=np.stack([lips, dark, paint["nails"]], 1).astype(np.float32))


def _brows(body: Body, rest: np.ndarray, look: Look) -> np.ndarray:
    """(N,) coverage of the face at rest by the brows."""
    found = np.zeros(len(rest))
    for side in "LR":
        eye = body.head(f"eye.{side}")
        out = (rest[:, 0] - eye[0]) * np.sign(eye[0])
        arch = eye[2] + 0.0225 - 9.0 * (out - 0.004) ** 2
        thick = 0.0036 * look.brows * (1 - 0.45 * smooth(0.0, 0.024, out))
        inside = smooth(-0.021, -0.015, out) * smooth(0.026, 0.018, out)
        found = np.maximum(found, inside * np.exp(-(((rest[:, 2] - arch) / thick) ** 2)))
    return np.where(rest[:, 1] < body.head("eye.L")[1] + 0.02, found, 0.0)


def _lashes(body: Body, rest: np.ndarray, look: Look) -> np.ndarray:
    """(N,) darkness of the eyelids' rims."""
    found = np.zeros(len(rest))
    for side in "LR":
        eye = body.head(f"eye.{side}")
        way = rest - eye
        out, up = way[:, 0] * np.sign(eye[0]), way[:, 2]
        ring = np.abs(np.hypot(out / 0.0155, (up - 0.0005) / 0.0068) - 1)
        upper = 0.35 + 0.65 * smooth(-0.002, 0.004, up)
        found = np.maximum(found, np.exp(-((ring / 0.3) ** 2)) * upper * (way[:, 1] < 0.004))
    return found * (0.45 + 0.5 * look.make_up)


def _eye_surface(body: Body, transforms: np.ndarray) -> Surface:
    """Both eyes, with white, iris and pupil."""
    part = body.part("eyes")
    quads, values = part.quads, [part.vertices, part.weights]
    for _ in range(2):
        quads, values = subdivided(quads, *values)
    points, faces, weights = compact(values[0], triangles(quads), values[1])
    paint = np.zeros((len(points), 3), np.float32)
    for side, sign in (("L", 1.0), ("R", -1.0)):
        own = sign * points[:, 0] > 0
        ball = points[own]
        middle = (ball.min(0) + ball.max(0)) / 2
        far = np.hypot(ball[:, 0] - middle[0], ball[:, 2] - middle[2])
        front = ball[:, 1] < middle[1]
        iris = smooth(0.0064, 0.0054, far) * front
        pupil = smooth(0.0030, 0.0022, far) * front
        paint[own] = np.stack([1 - iris, iris - np.minimum(iris, pupil), pupil], 1)
    return Surface("eye", skin(points, weights, transforms), faces, paint=paint)
