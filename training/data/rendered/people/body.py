"""A parametric human body in numpy: shapes from MakeHuman's CC0 data, a skeleton, and linear skinning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from safetensors import safe_open

from igr_core.errors import IGRError

ASSET = Path(__file__).with_name("assets") / "body.safetensors"
"""File written by export_body.py."""


@dataclass(frozen=True)
class Shape:
    """Shape of a person; 0..1 unless stated otherwise."""

    gender: float = 0.5
    """0 male, 1 female."""
    age: float = 0.68
    """Age on MakeHuman's scale: 0.6 is about 16 years, 0.67 about 25, and 0.9 about 70."""
    muscle: float = 0.5
    """From flabby to muscular."""
    weight: float = 0.5
    """From thin to heavy."""
    height: float = 0.5
    """From short to tall: 0.4 is about 1.66 m for a woman and 1.80 m for a man, and 0.1 more is 11 cm more."""
    proportions: float = 0.7
    """From uncommon to ideal proportions."""
    cupsize: float = 0.5
    """Size of the breasts."""
    african: float = 0.33
    """Proportion of African features; the three proportions are normalised to sum to one."""
    asian: float = 0.33
    """Proportion of Asian features."""
    caucasian: float = 0.34
    """Proportion of European features."""
    shoulders: float = 0.0
    """-1..1, from narrow to wide shoulders."""
    bust: float = 0.0
    """-1..1, chest girth."""
    waist: float = 0.0
    """-1..1, waist girth."""
    hips: float = 0.0
    """-1..1, hip girth."""
    belly: float = 0.0
    """0..1, size of the stomach."""
    buttocks: float = 0.0
    """-1..1, volume of the buttocks."""
    torso: float = 0.0
    """-1..1, from a short to a long torso."""


TEMPLATE_SHAPES: Mapping[str, Shape] = {
    "female": Shape(gender=1.0, age=0.68, muscle=0.45, weight=0.45, height=0.4, proportions=0.75),
    "male": Shape(gender=0.0, age=0.68, muscle=0.55, weight=0.5, height=0.4, proportions=0.75),
}
"""Average bodies that garments are cut for."""


@dataclass(frozen=True)
class BodyModel:
    """Data shared by all bodies."""

    bones: tuple[str, ...]
    """Names of the J bones, parents first."""
    parents: tuple[int, ...]
    """Index of each bone's parent, -1 for the root."""
    weights: np.ndarray
    """(V, J) float32: skin weights, rows sum to 1."""
    ranges: Mapping[str, slice]
    """Range of vertices of each part: body, eyes, lashes, tights, skirt, hair."""
    quads: Mapping[str, np.ndarray]
    """(Q, 4) int32 by part: faces, counter-clockwise seen from outside, as indices of vertices in the whole model."""
    paint: Mapping[str, np.ndarray]
    """(V,) float32 masks in 0..1 by name: lips, brows, nails, mouth (its inside), lids, face, ears."""
    rest: np.ndarray
    """(V, 3) float32: vertices of a body whose coefficients are all 0, metres."""
    modes: np.ndarray
    """(R, V, 3) float32: offsets of the vertices for each shape coefficient."""
    rest_heads: np.ndarray
    """(J, 3) float32: heads of that body's bones, metres."""
    head_modes: np.ndarray
    """(R, J, 3) float32: offsets of the bones' heads for each shape coefficient."""
    targets: np.ndarray
    """(K, P) uint8: the weight of each of MakeHuman's targets is the product of the weights of the anchors marked 1."""
    projection: np.ndarray
    """(K, R - 2 L) float32: projection from targets to phenotype modes. The last 2 L modes are not included: they are
    the increasing and decreasing local changes."""
    anchors: tuple[tuple[str, tuple[float, ...]], ...]
    """Each phenotype with the values of its anchors, in the order of the columns of `targets`."""
    locals: tuple[str, ...]
    """Fields of Shape, in the order of the last modes."""


@dataclass(frozen=True)
class Part:
    """A part of a body as a separate mesh."""

    vertices: np.ndarray
    """(N, 3) float64 vertices at rest."""
    quads: np.ndarray
    """(Q, 4) int32 faces."""
    weights: np.ndarray
    """(N, J) float32 skin weights."""

    @property
    def triangles(self) -> np.ndarray:
        """(2 Q, 3) int32 triangles."""
        return triangles(self.quads)


@dataclass(frozen=True)
class Body:
    """A body at rest, arms about 45 degrees out, soles at z = 0: metres, z up, facing -y, x to the person's left."""

    shape: Shape
    """Shape that the body was made from."""
    model: BodyModel
    """Data shared by all bodies."""
    vertices: np.ndarray
    """(V, 3) float64: all parts, helper meshes included."""
    heads: np.ndarray
    """(J, 3) float64: head of each bone."""

    def index(self, bone: str) -> int:
        """Index of a bone; raises IGRError for an unknown name."""
        if bone not in self.bone_numbers:
            raise IGRError(f"The body has no bone {bone!r}: choose one of body.model.bones.")
        return self.bone_numbers[bone]

    def head(self, bone: str) -> np.ndarray:
        """(3,) head of a bone at rest."""
        return self.heads[self.index(bone)]

    @cached_property
    def bone_numbers(self) -> dict[str, int]:
        """Indices of the bones by name."""
        return {name: number for number, name in enumerate(self.model.bones)}

    @property
    def height(self) -> float:
        """Metres from the soles to the top of the head."""
        body = self.vertices[self.model.ranges["body"]]
        return float(np.ptp(body[:, 2]))

    def part(self, name: str) -> Part:
        """A part (body, eyes, lashes, tights, skirt, hair) with vertices counted from 0; raises IGRError if unknown."""
        if name not in self.model.ranges:
            raise IGRError(f"The body has no part {name!r}: choose one of {', '.join(self.model.ranges)}.")
        chosen = self.model.ranges[name]
        return Part(self.vertices[chosen], self.model.quads[name] - chosen.start, self.model.weights[chosen])

    def transforms(self, rotations: Mapping[str, np.ndarray]) -> np.ndarray:
        """(J, 3, 4) float64 transforms from rest to a pose in which the lowest point of the feet is at z = 0.

        `rotations` maps bone names to rotations (3, 3) about the bone's head, in the axes of the rest pose; child bones
        follow.
        """
        placed = np.zeros((len(self.heads), 3, 4))
        for name in rotations:
            self.index(name)
        for number, (name, parent) in enumerate(zip(self.model.bones, self.model.parents, strict=True)):
            turn = np.asarray(rotations.get(name, np.eye(3)))
            local = np.column_stack([turn, self.heads[number] - turn @ self.heads[number]])
            placed[number] = local if parent < 0 else _compose(placed[parent], local)
        feet = self._feet
        placed[:, 2, 3] -= skin(self.vertices[feet], self.model.weights[feet], placed)[:, 2].min()
        return placed

    def transforms_of_arm(self, placed: np.ndarray, rotations: Mapping[str, np.ndarray], side: str) -> np.ndarray:
        """(J, 3, 4): the transforms `placed`, with one arm (side L or R) rotated and everything else unchanged."""
        found = placed.copy()
        for number in self._arms[side][0]:
            turn = np.asarray(rotations.get(self.model.bones[number], np.eye(3)))
            local = np.column_stack([turn, self.heads[number] - turn @ self.heads[number]])
            found[number] = _compose(found[self.model.parents[number]], local)
        return found

    def arm_samples(self, side: str) -> np.ndarray:
        """(N,) indices of every eighth vertex of forearm and hand (side L or R)."""
        return self._arms[side][1]

    @cached_property
    def _arms(self) -> dict[str, tuple[list[int], np.ndarray]]:
        """Bones of each arm, parents first, and samples of its forearm and hand."""
        found = {}
        for side in "LR":
            arm = ("upperarm", "lowerarm", "wrist", "finger")
            bones = [n for n, name in enumerate(self.model.bones) if name.startswith(arm) and name.endswith(side)]
            lower = [n for n in bones if not self.model.bones[n].startswith("upperarm")]
            weights = self.model.weights[self.model.ranges["body"]]
            found[side] = bones, np.flatnonzero(weights[:, lower].sum(1) > 0.8)[::8]
        return found

    @cached_property
    def _feet(self) -> np.ndarray:
        """Indices of the lowest vertices of the body at rest."""
        return np.flatnonzero(self.vertices[self.model.ranges["body"]][:, 2] < 0.06)


def _compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(3, 4) composition of two rigid motions; `inner` is applied first."""
    return np.column_stack([outer[:, :3] @ inner[:, :3], outer[:, :3] @ inner[:, 3] + outer[:, 3]])


def skin(points: np.ndarray, weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """(N, 3) float64: points (N, 3) moved by bones (J, 3, 4) with weights (N, J) (linear blend skinning)."""
    blended = (weights @ transforms.reshape(len(transforms), 12).astype(weights.dtype)).reshape(-1, 3, 4)
    return np.einsum("nij,nj->ni", blended[:, :, :3].astype(np.float64), points) + blended[:, :, 3]


def triangles(quads: np.ndarray) -> np.ndarray:
    """(2 Q, 3) int32: quads (Q, 4) cut in two."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


@lru_cache(maxsize=1)
def body_model() -> BodyModel:
    """The shared data of all bodies; raises IGRError if the file is missing."""
    if not ASSET.is_file():
        raise IGRError(f"The body data is missing ({ASSET.name}): run `python -m training data export-body`.")
    with safe_open(str(ASSET), framework="np") as file:
        metadata = file.metadata()
        data = {name: file.get_tensor(name) for name in file.keys()}
    ranges = {name: slice(*map(int, span.split(":"))) for name, span in _pairs(metadata["ranges"])}
    weights = np.zeros((len(data["rest"]), len(data["parents"])), np.float32)
    np.add.at(
        weights, (np.arange(len(weights))[:, None], data["bone_numbers"]), data["bone_weights"] / np.float32(65535)
    )
    weights /= weights.sum(1, keepdims=True)
    rest = data["rest"]
    modes = np.concatenate([data[name].astype(np.float32) for name in ("modes16", "modes8")])
    modes *= data["mode_scales"][:, None, None]
    return BodyModel(
        bones=tuple(metadata["bones"].split()),
        parents=tuple(int(parent) for parent in data["parents"]),
        weights=weights,
        ranges=ranges,
        quads={name: data[f"quads.{name}"].astype(np.int32) for name in ranges},
        paint={name: data[f"paint.{name}"] / np.float32(255) for name in metadata["paint"].split()},
        rest=rest,
        modes=modes,
        rest_heads=data["rest_heads"],
        head_modes=data["head_modes"],
        targets=data["targets"],
        projection=data["projection"],
        anchors=tuple((name, tuple(map(float, values.split(",")))) for name, values in _pairs(metadata["anchors"])),
        locals=tuple(metadata["locals"].split()),
    )


def _pairs(text: str) -> list[tuple[str, str]]:
    """Parse text such as `a=1 b=2` into pairs."""
    return [(name, value) for name, value in (item.split("=") for item in text.split())]


def anchor_weights(shape: Shape, model: BodyModel) -> np.ndarray:
    """(P,) weight of each phenotype's anchors for the shape, in the order of the columns of `targets`."""
    shares = np.array([shape.african, shape.asian, shape.caucasian])
    found = list(shares / shares.sum() if shares.sum() > 0 else np.full(3, 1 / 3))
    for name, values in model.anchors:
        found.extend(np.interp(getattr(shape, name), values, row) for row in np.eye(len(values)))
    return np.array(found)


def coefficients(shape: Shape, model: BodyModel) -> np.ndarray:
    """(R,) coefficients of the modes for a shape."""
    near = anchor_weights(shape, model)
    targets = np.prod(np.where(model.targets > 0, near, 1.0), axis=1)
    changes = np.array([getattr(shape, name) for name in model.locals])
    pairs = np.stack([np.maximum(changes, 0), np.maximum(-changes, 0)], axis=1).ravel()
    return np.concatenate([targets @ model.projection, pairs])


def make_body(shape: Shape) -> Body:
    """A body of the given shape, at rest, standing on z = 0 with its hips above the origin."""
    for field in fields(shape):
        if not -1 <= getattr(shape, field.name) <= 1:
            raise IGRError(f"The shape's {field.name} is {getattr(shape, field.name)}: choose a value from -1 to 1.")
    model = body_model()
    amounts = coefficients(shape, model).astype(np.float32)
    vertices = (model.rest + np.tensordot(amounts, model.modes, axes=1)).astype(np.float64)
    heads = (model.rest_heads + np.tensordot(amounts, model.head_modes, axes=1)).astype(np.float64)
    shift = np.array([0.0, -heads[0, 1], -vertices[model.ranges["body"]][:, 2].min()])
    return Body(shape, model, vertices + shift, heads + shift)


def draw_shape(rng: np.random.Generator, extreme: bool = False) -> Shape:
    """Draw a random shape of a person aged 16 to 70, more often slim than heavy; with `extreme`, far from standard
    sizes."""
    female = rng.random() < 0.55
    features = rng.dirichlet([0.6, 0.6, 0.6])
    lean = np.clip(rng.normal(size=5) * 0.35, -0.9, 0.9)
    weight = float(rng.triangular(0.15, 0.4, 0.85))
    height = float(np.clip(rng.normal(0.4, 0.06), 0.27, 0.53))
    proportions = float(rng.uniform(0.45, 1.0))
    belly = max(0.0, weight - 0.5) * float(rng.uniform(0.0, 0.9))
    if extreme:
        weight = float(rng.choice([rng.uniform(0.0, 0.03), rng.uniform(0.95, 1.0)]))
        height = float(rng.choice([rng.uniform(0.15, 0.22), rng.uniform(0.58, 0.64)]))
        proportions = float(rng.uniform(0.4, 0.5))
        lean = np.sign(lean) * np.clip(np.abs(lean) + 0.5, 0, 1)
        belly = float(rng.uniform(0.5, 1.0)) if weight > 0.5 else 0.0
    return Shape(
        gender=float(rng.uniform(0.85, 1.0) if female else rng.uniform(0.0, 0.15)),
        age=float(rng.uniform(0.6, 0.67) if rng.random() < 0.25 else rng.uniform(0.66, 0.92)),
        muscle=float(rng.uniform(0.25, 0.75)),
        weight=weight,
        height=height,
        proportions=proportions,
        cupsize=float(rng.uniform(0.2, 0.75)),
        african=float(features[0]),
        asian=float(features[1]),
        caucasian=float(features[2]),
        shoulders=float(lean[0]),
        bust=float(lean[1]),
        waist=float(lean[2]),
        hips=float(lean[3]),
        buttocks=float(lean[4]),
        belly=belly,
        torso=float(np.clip(rng.normal() * 0.3, -0.8, 0.8)),
    )
