"""Sets: walls and floors behind a person, and the lighting."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...base.panels import Panel
from ...base.surfaces import Kind, Surface
from .lights import MOODS, Lamp, SoftBox, draw_light, light_of


@dataclass(frozen=True)
class Set:
    """The surroundings of a person, including the lighting."""

    name: str
    """sweep, plain, corner, street, or product."""
    mood: str
    """Light, one of lights.MOODS."""
    surfaces: tuple[Surface, ...]
    """Walls and floors."""
    panels: tuple[Panel, ...]
    """Panels of the walls and floors; their numbers start at draw_set's `first_panel`."""
    environment: np.ndarray
    """(64, 128, 3) float32, linear: radiance by direction. Rows start at the zenith; columns start behind the person
    and continue to the person's left (see lights.environment_directions)."""
    lamps: tuple[Lamp, ...]
    """Bright parts of the environment."""


def draw_set(rng: np.random.Generator, yaw: float = 0.0, floor: float = 0.0, first_panel: int = 0) -> Set:
    """A set for a camera that is `yaw` degrees to the person's left, with the floor at a height of `floor` metres.

    The set's panels are numbered starting at `first_panel`; append them to the garments' panels.
    """
    name = str(rng.choice(list(_BUILDERS), p=[0.4, 0.28, 0.14, 0.18]))
    pieces = _BUILDERS[name](rng)
    mood = str(rng.choice(MOODS[name]))
    environment, lamps = draw_light(rng, mood, yaw)
    turn = _turn(yaw)
    surfaces = tuple(_surface(piece, turn, floor, first_panel + number) for number, piece in enumerate(pieces))
    panels = tuple(piece.panel() for piece in pieces)
    return Set(name, mood, surfaces, panels, environment, lamps)


def _turn(yaw: float) -> np.ndarray:
    angle = np.deg2rad(yaw)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


@functools.cache
def product_set() -> Set:
    """The light of product shots: soft boxes on both sides and above, and light from below as from a white table."""
    environment, lamps = light_of(
        sky=0.5,
        ground=0.34,
        boxes=(SoftBox(-52, 32, 26, 34, 2.1), SoftBox(55, 22, 24, 34, 0.7), SoftBox(0, 80, 40, 25, 0.9)),
    )
    return Set("product", "product", (), (), environment, lamps)


@dataclass(frozen=True)
class _Piece:
    """A strip of wall or floor: a profile extruded sideways."""

    name: str
    """Name of the piece's panel."""
    kind: Kind
    profile: np.ndarray
    """(N, 2): distance behind the person and height in metres, from the top or back towards the camera."""
    left: float
    """Left end, metres."""
    right: float
    """Right end, metres."""
    pivot: tuple[float, float] = (0.0, 0.0)
    """x, y of the centre of rotation."""
    angle: float = 0.0
    """Rotation in degrees."""

    def panel(self) -> Panel:
        length = float(np.linalg.norm(np.diff(self.profile, axis=0), axis=1).sum())
        role = "floor" if self.kind == "floor" else "wall"
        return Panel(self.name, self.kind, role, (float(self.left), 0.0, float(self.right), length))


def _surface(piece: _Piece, turn: np.ndarray, floor: float, number: int) -> Surface:
    profile = piece.profile
    down = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    across = np.array([piece.left, piece.right])
    count = len(profile)
    points = np.empty((count, 2, 3))
    points[..., 0] = across
    points[..., 1:] = profile[:, None]
    pivot = np.array([*piece.pivot, 0.0])
    points = ((points.reshape(-1, 3) - pivot) @ _turn(piece.angle).T + pivot) @ turn.T + (0.0, 0.0, floor)
    plane = np.stack(np.broadcast_arrays(across[None, :], down[:, None]), axis=-1).reshape(-1, 2)
    corner = 2 * np.arange(count - 1)
    faces = np.concatenate(
        [np.stack([corner, corner + 2, corner + 1], 1), np.stack([corner + 1, corner + 2, corner + 3], 1)]
    )
    return Surface(
        kind=piece.kind,
        vertices=points,
        faces=faces.astype(np.int32),
        uv=plane[faces].astype(np.float32),
        panel=np.full(len(faces), number, np.int16),
    )


def _floor(back: float, left: float = -7.0, right: float = 7.0, front: float = -6.0) -> _Piece:
    return _Piece("floor", "floor", np.array([[back, 0.0], [front, 0.0]]), left, right)


def _sweep(rng: np.random.Generator) -> list[_Piece]:
    """A roll of paper or a cyclorama, whose wall curves into the floor."""
    back, radius = rng.uniform(1.2, 3.0), rng.uniform(0.4, 1.0)
    angles = np.linspace(0, np.pi / 2, 16)
    curve = np.stack([back - radius + radius * np.cos(angles), radius - radius * np.sin(angles)], axis=1)
    profile = np.concatenate([[[back, 5.5]], curve, [[-6.0, 0.0]]])
    return [_Piece("wall", "wall", profile, -7.0, 7.0)]


def _plain(rng: np.random.Generator) -> list[_Piece]:
    """A wall and a floor, often with a skirting board between them."""
    back = rng.uniform(0.7, 2.6)
    pieces = [_Piece("wall", "wall", np.array([[back, 5.5], [back, 0.0]]), -7.0, 7.0), _floor(back)]
    return [*pieces, *_skirting(rng, back)]


def _skirting(rng: np.random.Generator, back: float, left: float = -7.0, right: float = 7.0) -> list[_Piece]:
    if rng.random() < 0.4:
        return []
    height, depth = rng.uniform(0.06, 0.14), rng.uniform(0.01, 0.02)
    profile = np.array([[back, height], [back - depth, height - 0.005], [back - depth, 0.0]])
    return [_Piece("skirting", "wall", profile, left, right)]


def _corner(rng: np.random.Generator) -> list[_Piece]:
    """Two walls that meet behind the person."""
    back, aside = rng.uniform(1.2, 2.8), rng.uniform(0.3, 1.3) * rng.choice([-1, 1])
    angle = rng.uniform(20, 70)
    profile = np.array([[back, 5.5], [back, 0.0]])
    pivot = (float(aside), float(back))
    left = _Piece("wall", "wall", profile, aside - 9.0, aside, pivot, angle)
    right = _Piece("wall_right", "wall", profile, aside, aside + 9.0, pivot, angle - 90)
    return [left, right, _floor(back + 6.0, -9.0, 9.0)]


def _street(rng: np.random.Generator) -> list[_Piece]:
    """Ground, a house front at an angle, a second house front further back, and a distant background."""
    back, angle = rng.uniform(3.0, 9.0), rng.uniform(-32, 32)
    height = rng.uniform(6.0, 9.0)
    edge = rng.uniform(-0.8, 3.0) * rng.choice([-1, 1])
    spans = [(-14.0, edge)] if edge > 0 else [(edge, 14.0)]
    pieces = [_Piece("backdrop", "wall", np.array([[30.0, 28.0], [30.0, 0.0]]), -45.0, 45.0)]
    pivot = (0.0, float(back))
    for left, right in spans:
        pieces.append(_Piece("wall", "wall", np.array([[back, height], [back, 0.0]]), left, right, pivot, angle))
        pieces += [_turned(piece, pivot, angle) for piece in _skirting(rng, back, left, right)]
    far = back + rng.uniform(3.0, 8.0)
    pieces.append(_Piece("wall_far", "wall", np.array([[far, 8.0], [far, 0.0]]), -edge - 12.0, -edge + 12.0))
    return [*pieces, _floor(30.0, -45.0, 45.0, -8.0)]


def _turned(piece: _Piece, pivot: tuple[float, float], angle: float) -> _Piece:
    return _Piece(piece.name, piece.kind, piece.profile, piece.left, piece.right, pivot, angle)


_BUILDERS: dict[str, Callable[[np.random.Generator], list[_Piece]]] = {
    "sweep": _sweep,
    "plain": _plain,
    "corner": _corner,
    "street": _street,
}
