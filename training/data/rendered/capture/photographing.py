"""One photo (a person who wears the garment, in a set, in front of a camera) and its annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..base.normals import vertex_normals
from ..base.panels import Panel
from ..base.settings import RenderSettings
from ..base.surfaces import Kind, Surface
from ..base.timing import stage
from ..garments.base.garment import Garment
from ..garments.cloth.crossings import crossing_faces
from ..garments.outfits import Outfit
from ..garments.wearing import wear
from ..people.bags import occluder_surfaces
from ..people.body import Body, draw_shape, make_body, skin
from ..people.joints import joints_of
from ..people.looks import draw_look, person_surfaces
from ..people.poses import HELD_OUT_POSES, POSES, TRAINING_POSES, draw_pose
from ..people.stances import WIDE_STANCES
from ..records.record import Photo
from ..studio.agnostic import agnostic_mask, atr_labels, kind_mask, seen_joints
from ..studio.correspondence import correspond
from ..studio.framing import Framing, draw_camera
from ..studio.guards import OCCLUDED, TRUNCATED, Limits, reasons
from ..studio.layers import Layer
from ..studio.rays.rendering import Shot, photograph
from ..studio.scene.cameras import Camera
from ..studio.scene.sets import draw_set

FRAMINGS: Mapping[str, Mapping[Framing, float]] = {
    "upper": {"cropped_head": 0.4, "waist_up": 0.35, "three_quarter": 0.15, "full_body": 0.1},
    "lower": {"lower_body": 0.5, "full_body": 0.35, "three_quarter": 0.15},
    "full": {"full_body": 0.5, "three_quarter": 0.3, "cropped_head": 0.2},
}
"""Probabilities of framings by category, similar to those in shops and data sets."""
ATR_WORDS = {"upper": "upper-clothes", "full": "dress"}
"""ATR-18's labels for the clothes of a category; skirts and pants are distinguished by their cut."""
UNDER_JACKET = 0.12
"""Minimum visible fraction of a garment under an open jacket."""
COVERED_WITHIN = 0.05
"""Maximum gap in metres between skin and the cloth that covers it."""
COVERED_BESIDE = 0.013
"""Maximum distance in metres from the skin's normal to the cloth that covers the skin."""
SOLE = 0.012
"""Height in metres above the floor of a foot's sole inside a shoe."""


@dataclass(frozen=True)
class Product:
    """A garment, its product shot, and the clothes worn with it."""

    garments: tuple[Garment, ...]
    """All clothes, in the order of the outfit's cuts."""
    wanted: int
    """Index of the photographed garment."""
    surfaces: list[Surface]
    """Surfaces of the garment, as placed for the product shot."""
    shot: Shot
    """The product shot."""
    reasons: list[str]
    """Reasons for rejection; empty for a good product shot."""

    @property
    def garment(self) -> Garment:
        """The garment that was photographed."""
        return self.garments[self.wanted]


@dataclass(frozen=True)
class Photographed:
    """A photo with its own numbering of panels: the garment's panels, then `panels`."""

    photo: Photo
    """The photo."""
    panels: tuple[Panel, ...]
    """Panels of the other clothes and of the set."""
    reasons: list[str]
    """Reasons for rejection; empty for a good photo."""

    def numbered(self, own: int, first: int) -> Photo:
        """The photo with the panels from index `own` onwards renumbered to start at `first`."""
        table = tuple(
            replace(label, panel=label.panel - own + first) if label.panel >= own else label
            for label in self.photo.view.table
        )
        return replace(self.photo, view=replace(self.photo.view, table=table))


@dataclass(frozen=True)
class Worn:
    """A clothed person."""

    body: Body
    """The body."""
    transforms: np.ndarray
    """(J, 3, 4) transforms of the bones."""
    surfaces: list[Surface]
    """Surfaces of clothes, skin, hair, shoes and bags."""
    panels: tuple[Panel, ...]
    """Panels of the other clothes, numbered after the garment's panels."""
    attributes: dict[str, str | float | bool]
    """Attributes: pose, hair, bag, the other cuts."""


def take_photo(
    rng: np.random.Generator, outfit: Outfit, product: Product, defect: str, settings: RenderSettings
) -> Photographed:
    """Draw a person, a pose, a set and a camera, and take the photo of the outfit."""
    worn = _dressed(rng, outfit, product.garments, defect, settings)
    joints = joints_of(worn.body, worn.transforms)
    cloth = np.concatenate([surface.vertices for surface in worn.surfaces if surface.kind == "garment"])
    framing = _pick(rng, FRAMINGS[outfit.cut.category])
    camera = draw_camera(
        rng, framing, joints, cloth, settings.size, side=defect == "side_view", truncated=defect == "truncated"
    )
    yaw = float(np.rad2deg(np.arctan2(camera.position[0] - camera.target[0], camera.target[1] - camera.position[1])))
    first = len(product.garment.panels) + len(worn.panels)
    floor = min(-SOLE, min(float(surface.vertices[:, 2].min()) for surface in worn.surfaces))
    room = draw_set(rng, yaw, floor, first)
    surfaces = list(worn.surfaces)
    if defect == "occluded":
        surfaces += occluder_surfaces(rng, worn.body, worn.transforms, _occluded_height(rng, cloth))
    with stage("render"):
        shot = photograph(surfaces, room, camera, int(rng.integers(1 << 31)), settings.samples)
    limits = {"occluded": OCCLUDED, "truncated": TRUNCATED}.get(defect, Limits())
    if outfit.attributes["under_jacket"] == "yes":
        limits = replace(limits, least_visible=UNDER_JACKET)
    with stage("label"):
        photo = _labelled(
            shot,
            surfaces,
            camera,
            joints,
            outfit,
            product,
            worn.attributes
            | {
                "framing": framing,
                "yaw": round(yaw, 1),
                "set": room.name,
                "light": room.mood,
            },
        )
        found = reasons(shot, surfaces, camera, limits, layers=_layers(surfaces, product))
    return Photographed(photo, (*worn.panels, *room.panels), list(found))


def _dressed(
    rng: np.random.Generator, outfit: Outfit, garments: Sequence[Garment], defect: str, settings: RenderSettings
) -> Worn:
    with stage("body"):
        shape = draw_shape(rng, extreme=defect == "extreme_proportion")
        gender = rng.uniform(0.85, 1.0) if outfit.sex == "female" else rng.uniform(0.0, 0.15)
        body = make_body(replace(shape, gender=float(gender)))
        pose = draw_pose(rng, body, poses_in(outfit, HELD_OUT_POSES if settings.held_out else TRAINING_POSES))
        transforms = body.transforms(pose.rotations)
    with stage("drape"):
        worn = wear(list(garments), body, transforms, rng, outfit.kinds)
    clothes, panels = _numbered(worn, garments, outfit.wanted)
    with stage("look"):
        look = draw_look(rng, body)
        covered = _covered(body, transforms, clothes)
        person = person_surfaces(body, transforms, look, covered, clothes)
    others = {kind: cut.kind for kind, cut in zip(outfit.kinds, outfit.cuts, strict=True) if kind != "garment"}
    attributes: dict[str, str | float | bool] = {
        "pose": pose.name,
        "hair": look.hair.style,
        "bag": look.bag.kind,
        "gender": round(float(gender), 2),
        **others,
    }
    return Worn(body, transforms, [*clothes, *person], panels, attributes)


def poses_in(outfit: Outfit, names: tuple[str, ...]) -> tuple[str, ...]:
    """The named poses that are possible in an outfit."""
    if not _has_pockets(outfit):
        names = tuple(name for name in names if "hand_in_pocket" not in POSES[name].attributes)
    if any(cut.narrow for cut in outfit.cuts):
        names = tuple(name for name in names if POSES[name].legs not in WIDE_STANCES)
    return names


def _has_pockets(outfit: Outfit) -> bool:
    """Whether a pose may have hands in trouser pockets: only trousers hide that such hands intersect the body."""
    return any(cut.category == "lower" and "skirt" not in cut.kind for cut in outfit.cuts)


def _numbered(
    worn: list[list[Surface]], garments: Sequence[Garment], wanted: int
) -> tuple[list[Surface], tuple[Panel, ...]]:
    """All clothes, with the panels of the garment first."""
    count = len(garments[wanted].panels)
    surfaces: list[Surface] = []
    panels: list[Panel] = []
    for number, (own, garment) in enumerate(zip(worn, garments, strict=True)):
        if number == wanted:
            surfaces.extend(own)
            continue
        for surface in own:
            assert surface.panel is not None
            surfaces.append(replace(surface, panel=(surface.panel + count + len(panels)).astype(np.int16)))
        panels.extend(replace(panel, kind=own[0].kind) for panel in garment.panels)
    return surfaces, tuple(panels)


def _covered(body: Body, transforms: np.ndarray, clothes: Sequence[Surface]) -> np.ndarray:
    """(B,) bool: vertices of the body that are covered by cloth."""
    part = body.part("body")
    place = skin(part.vertices, part.weights, transforms)
    outwards = vertex_normals(place, part.triangles)
    found = np.zeros(len(place), bool)
    for surface in clothes:
        tree = cKDTree(surface.vertices)
        _, nearest = tree.query(place, distance_upper_bound=COVERED_WITHIN)
        near = nearest < len(surface.vertices)
        gap = surface.vertices[nearest[near]] - place[near]
        ahead = (gap * outwards[near]).sum(1)
        beside = np.linalg.norm(gap - ahead[:, None] * outwards[near], axis=1)
        found[near] |= (ahead > -0.02) & (beside < COVERED_BESIDE)
    return found


def _layers(surfaces: Sequence[Surface], product: Product) -> list[Layer]:
    """The clothes (the first of `surfaces`) as layers for the guards; only the garment is checked for
    self-intersection."""
    layers = []
    for number, garment in enumerate(product.garments):
        cloth = surfaces[number].vertices[: garment.refine.shape[0]]
        crossing = crossing_faces(cloth, garment.fine_faces) if number == product.wanted else None
        layers.append(Layer(number, garment.fine_faces, garment.clear, crossing))
    return layers


def _labelled(
    shot: Shot,
    surfaces: Sequence[Surface],
    camera: Camera,
    joints: Mapping[str, np.ndarray],
    outfit: Outfit,
    product: Product,
    attributes: dict[str, str | float | bool],
) -> Photo:
    mask = kind_mask(shot.view, "garment")
    words: dict[Kind, str] = {
        kind: _atr_word(cut.kind, cut.category) for kind, cut in zip(outfit.kinds, outfit.cuts, strict=True)
    }
    return Photo(
        view=shot.view,
        correspondence=correspond(product.shot, product.surfaces, shot, surfaces, camera),
        parsing=atr_labels(shot, joints, camera, words),
        joints=seen_joints(joints, camera, shot),
        garment_mask=mask,
        agnostic_mask=agnostic_mask(mask, joints, camera, outfit.cut.category),
        attributes=attributes,
    )


def _atr_word(kind: str, category: str) -> str:
    if category == "lower":
        return "skirt" if "skirt" in kind else "pants"
    return ATR_WORDS[category]


def _occluded_height(rng: np.random.Generator, cloth: np.ndarray) -> float:
    """Height of an occluder's centre, in front of the garment."""
    low, high = float(cloth[:, 2].min()), float(cloth[:, 2].max())
    return low + (high - low) * float(rng.uniform(0.35, 0.65))


def _pick(rng: np.random.Generator, shares: Mapping[Framing, float]) -> Framing:
    names = list(shares)
    return names[int(rng.choice(len(names), p=list(shares.values())))]
