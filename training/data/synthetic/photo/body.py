"""The person under the clothes: limbs, torso, neck, head, hair, shoes."""

from dataclasses import dataclass

import numpy as np

from ..art.arrays import Array
from ..art.curves import ellipse, mirrored, smooth
from ..art.palette import DARK, HAIR, LIGHT, SKIN, VIVID, Rgb, mixed, pick, scaled
from ..garments.parts import ANKLE, FOREARM, SOLE, UPPER_ARM
from ..painting.canvas import Canvas
from ..painting.pose import Pose

HAIRSTYLES = ("bald", "short", "short", "bob", "long", "long_front", "bun", "curly")
WRIST = UPPER_ARM + FOREARM


@dataclass(frozen=True)
class Look:
    """The person's appearance."""

    skin: Rgb
    hair: Rgb
    hairstyle: str  # one of HAIRSTYLES
    shoes: Rgb
    shoe_kind: int
    build: float  # width of limbs and torso, about 0.92 to 1.08
    smile: float


def draw_look(rng: np.random.Generator) -> Look:
    """Draw a person's appearance."""
    base = pick(rng, SKIN)
    skin = mixed(base, pick(rng, SKIN), float(rng.uniform(0, 0.3)))
    return Look(
        skin,
        pick(rng, HAIR),
        HAIRSTYLES[int(rng.integers(len(HAIRSTYLES)))],
        pick(rng, DARK + LIGHT + VIVID[:3]),
        int(rng.integers(3)),
        float(rng.uniform(0.93, 1.05)),
        float(rng.uniform(-0.2, 1)),
    )


class _At:
    """Map outlines on a bone to pixels."""

    def __init__(self, canvas: Canvas, pose: Pose, bone: str):
        self.canvas, self.bone = canvas, pose.bones[bone]

    def __call__(self, points: Array) -> Array:
        return self.canvas.view.pixels(self.bone.forward(np.asarray(points, np.float32)))


def limb_outline(knots: list[tuple[float, float]], build: float) -> Array:
    """Closed outline along a bone, from (along, half width) knots."""
    side = smooth([(w * build, s) for s, w in knots], 4)
    return np.concatenate([side, side[::-1] * [-1, 1]]).astype(np.float32)


def paint_leg(canvas: Canvas, pose: Pose, look: Look, side: str) -> None:
    """A leg and its shoe."""
    own = "right" if side == "l" else "left"
    at, canvas = _At(canvas, pose, f"leg_{side}"), canvas.of(f"{own}_leg")
    s = -1 if side == "l" else 1
    knots = [
        (0.3, 0.047),
        (0.38, 0.049),
        (0.48, 0.04),
        (0.57, 0.031),
        (0.64, 0.032),
        (0.75, 0.02),
        (ANKLE + 0.012, 0.018),
    ]
    canvas.polygon(at(limb_outline(knots, look.build)), look.skin, 0.3)
    toe = s * 0.01
    shoe = [
        (-0.02, ANKLE - 0.012),
        (0.02, ANKLE - 0.012),
        (0.027 + toe, SOLE),
        (0.02 + toe, SOLE + 0.018),
        (-0.02 + toe, SOLE + 0.018),
        (-0.027 + toe, SOLE),
    ]
    if look.shoe_kind == 1:
        shoe[:2] = [(-0.022, ANKLE - 0.05), (0.022, ANKLE - 0.05)]
    canvas = canvas.of(f"{own}_shoe")
    canvas.polygon(at(smooth([*shoe, shoe[0]], 4)), look.shoes, 0.3, shadow=0.15)
    if look.shoe_kind == 2:
        sole = np.array(
            [
                (-0.027 + toe, SOLE + 0.012),
                (0.027 + toe, SOLE + 0.012),
                (0.022 + toe, SOLE + 0.02),
                (-0.022 + toe, SOLE + 0.02),
            ]
        )
        canvas.polygon(at(sole), (240, 240, 238), 0.0)


def paint_torso(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Neck and torso, mostly hidden by clothes."""
    at, canvas = _At(canvas, pose, "spine"), canvas.of("skin")
    half = smooth(
        [
            (0.0, -0.02),
            (0.03, -0.014),
            (0.07, 0.004),
            (0.1, 0.022),
            (0.098, 0.06),
            (0.086, 0.115),
            (0.073, 0.21),
            (0.094, 0.33),
            (0.09, 0.36),
            (0.0, 0.375),
        ],
        4,
    )
    canvas.polygon(at(mirrored(half * [look.build, 1])), look.skin, 0.22)
    neck = np.array(
        [(-0.027, -0.075), (0.027, -0.075), (0.03, -0.02), (0.045, 0.0), (0, 0.03), (-0.045, 0.0), (-0.03, -0.02)]
    )
    canvas.polygon(at(neck * [look.build, 1]), scaled(look.skin, 0.9), 0.12)
    bones = [np.array([(s * 0.014, 0.012), (s * 0.05, 0.008), (s * 0.05, 0.011), (s * 0.014, 0.016)]) for s in (-1, 1)]
    for outline in bones:
        canvas.polygon(at(outline), scaled(look.skin, 0.84), 0.0)


def paint_arm(canvas: Canvas, pose: Pose, look: Look, side: str, hand: bool = True) -> None:
    """An arm, and its hand if `hand` is set."""
    at, canvas = _At(canvas, pose, f"arm_{side}"), canvas.of("right_arm" if side == "l" else "left_arm")
    knots = [
        (-0.028, 0.012),
        (-0.02, 0.024),
        (0.0, 0.033),
        (0.07, 0.029),
        (0.145, 0.0235),
        (0.18, 0.025),
        (WRIST, 0.0165),
    ]
    canvas.polygon(at(limb_outline(knots, look.build)), look.skin, 0.26, shadow=0.1)
    if not hand:
        return
    s = -1 if side == "l" else 1
    palm = smooth(
        [
            (-0.015, WRIST - 0.006),
            (0.015, WRIST - 0.006),
            (0.021, WRIST + 0.028),
            (0.015, WRIST + 0.062),
            (0.002, WRIST + 0.074),
            (-0.013, WRIST + 0.064),
            (-0.02, WRIST + 0.028),
            (-0.015, WRIST - 0.006),
        ],
        4,
    )
    thumb = smooth(
        [
            (-s * 0.012, WRIST + 0.004),
            (-s * 0.028, WRIST + 0.026),
            (-s * 0.025, WRIST + 0.045),
            (-s * 0.012, WRIST + 0.03),
        ],
        4,
    )
    canvas.polygon(at(palm), look.skin, 0.24)
    canvas.polygon(at(thumb), scaled(look.skin, 0.97), 0.2)
    for x in (-0.006, 0.004):
        finger = np.array(
            [(x, WRIST + 0.042), (x + 0.0016, WRIST + 0.042), (x + 0.0012, WRIST + 0.066), (x, WRIST + 0.066)]
        )
        canvas.polygon(at(finger), scaled(look.skin, 0.78), 0.0)


@dataclass(frozen=True)
class HeadPlace:
    """Head coordinates: the origin is between chin and neck, y points down, and `tilt` rotates them."""

    canvas: Canvas
    base: Array
    tilt: float

    def __call__(self, points: Array) -> Array:
        p = np.asarray(points, np.float32)
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        turned = np.stack([p[:, 0] * c + p[:, 1] * -s, p[:, 0] * s + p[:, 1] * c], 1)
        return self.canvas.view.pixels(turned + self.base)


def head_place(canvas: Canvas, pose: Pose) -> HeadPlace:
    """Map from head coordinates (chin to crown, tilted) to pixels."""
    base = pose.bones["spine"].forward(np.array([[0, -0.05]], np.float32))[0]
    return HeadPlace(canvas, base, pose.head_tilt)


def paint_hair_back(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Hair behind the neck and shoulders."""
    at, canvas, dark = head_place(canvas, pose), canvas.of("hair"), scaled(look.hair, 0.8)
    if look.hairstyle in ("long", "long_front"):
        half = smooth(
            [(0, -0.145), (0.045, -0.13), (0.062, -0.08), (0.066, 0.0), (0.07, 0.07), (0.04, 0.1), (0.0, 0.1)], 5
        )
        canvas.polygon(at(mirrored(half)), dark, 0.2)
    elif look.hairstyle == "bob":
        half = smooth([(0, -0.145), (0.045, -0.13), (0.062, -0.08), (0.064, -0.02), (0.05, 0.012), (0.0, 0.015)], 5)
        canvas.polygon(at(mirrored(half)), dark, 0.2)
    elif look.hairstyle == "curly":
        for k in range(9):
            t = np.pi * (k / 8 * 1.5 - 0.25)
            canvas.polygon(at(ellipse(-0.05 * np.cos(t), -0.08 - 0.055 * np.sin(t), 0.03, 0.03, 14)), dark, 0.2)
    elif look.hairstyle == "bun":
        canvas.polygon(at(ellipse(0.0, -0.155, 0.026, 0.024, 18)), dark, 0.2)


def paint_head(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Face, features and front hair."""
    at, canvas = head_place(canvas, pose), canvas.of("face")
    skin, line = look.skin, scaled(look.skin, 0.55)
    for s in (-1, 1):
        canvas.polygon(at(ellipse(s * 0.047, -0.062, 0.008, 0.014, 12)), scaled(skin, 0.92), 0.2)
    face = smooth(
        [(0, 0.006), (0.022, 0.0), (0.04, -0.026), (0.047, -0.066), (0.044, -0.105), (0.024, -0.134), (0, -0.14)], 4
    )
    canvas.polygon(at(mirrored(face)), skin, 0.16, shadow=0.2)
    for s in (-1, 1):
        canvas.polygon(at(ellipse(s * 0.018, -0.067, 0.0075, 0.0045, 12)), (246, 244, 240), 0.0)
        canvas.polygon(at(ellipse(s * 0.018, -0.067, 0.0038, 0.0046, 10)), (52, 40, 34), 0.0)
        brow = [(s * 0.009, -0.081), (s * 0.018, -0.085), (s * 0.028, -0.08), (s * 0.018, -0.082)]
        canvas.polygon(at(np.array(brow)), scaled(look.hair, 0.8), 0.0)
    canvas.polygon(
        at(np.array([(0.001, -0.062), (0.006, -0.042), (-0.001, -0.039), (0.003, -0.043)])), scaled(skin, 0.8), 0.0
    )
    curve = 0.005 * look.smile
    lips = smooth(
        [
            (-0.014, -0.024 - curve),
            (0, -0.023),
            (0.014, -0.024 - curve),
            (0, -0.0165 + curve),
            (-0.014, -0.024 - curve),
        ],
        5,
    )
    canvas.polygon(at(lips), mixed(line, (178, 70, 76), 0.6), 0.0)
    _front_hair(canvas.of("hair"), at, look)


def _front_hair(canvas: Canvas, at: HeadPlace, look: Look) -> None:
    if look.hairstyle == "bald":
        return
    hair = look.hair
    crown = smooth(
        [(-0.05, -0.07), (-0.052, -0.11), (-0.03, -0.146), (0, -0.153), (0.03, -0.146), (0.052, -0.11), (0.05, -0.07)],
        5,
    )
    fringe = smooth([(0.042, -0.09), (0.03, -0.112), (-0.012, -0.117), (-0.034, -0.108), (-0.043, -0.086)], 5)
    canvas.polygon(at(np.concatenate([crown, fringe])), hair, 0.24)
    if look.hairstyle in ("long", "bob", "long_front", "curly"):
        low = {"long": 0.02, "bob": 0.0, "long_front": 0.1, "curly": -0.03}[look.hairstyle]
        for s in (-1, 1):
            lock = smooth(
                [
                    (s * 0.044, -0.115),
                    (s * 0.06, -0.07),
                    (s * 0.064, low),
                    (s * 0.05, low + 0.025),
                    (s * 0.044, low),
                    (s * 0.046, -0.06),
                ],
                5,
            )
            canvas.polygon(at(lock), scaled(hair, 0.95), 0.24)
