"""Objects in front of the garment: hair over the shoulders, bags, and large objects for defective pairs."""

import numpy as np

from ..art.curves import smooth
from ..art.palette import DARK, LIGHT, VIVID, Rgb, pick, scaled
from ..painting.canvas import Canvas
from ..painting.pose import Pose

KINDS = ("none", "arm", "hair", "strap", "handbag")


def paint_hair_over(canvas: Canvas, pose: Pose, hair: Rgb, rng: np.random.Generator) -> None:
    """Strands of long hair falling over the chest."""
    spine, canvas = pose.bones["spine"], canvas.of("hair")
    low = float(rng.uniform(0.07, 0.13))
    for s in (-1, 1):
        j = float(rng.uniform(-0.006, 0.006))
        points = smooth(
            [
                (s * 0.05, -0.11),
                (s * 0.066, -0.05),
                (s * (0.072 + j), 0.03),
                (s * (0.07 + j), low - 0.02),
                (s * (0.056 + j), low + 0.02),
                (s * 0.046, low - 0.03),
                (s * 0.04, 0.02),
                (s * 0.046, -0.05),
            ],
            5,
        )
        canvas.polygon(canvas.view.pixels(spine.forward(points)), hair, 0.3, shadow=0.18)
        for k in (0.35, 0.65):
            x = 0.044 + 0.026 * k
            strand = smooth([(s * x, -0.06), (s * (x + 0.004), 0.02), (s * (x + j), low - 0.03)], 4)
            thin = np.concatenate([strand, strand[::-1] + np.array([0.002, 0], np.float32)])
            canvas.polygon(canvas.view.pixels(spine.forward(thin)), scaled(hair, 0.72), 0.0)


def paint_strap(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A narrow cross-body strap with a small bag at the hip."""
    canvas = canvas.of("bag")
    spine, s = pose.bones["spine"], -1 if rng.random() < 0.5 else 1
    colour = scaled(pick(rng, DARK + VIVID), 0.9)
    centre = smooth([(s * 0.06, -0.004), (s * 0.03, 0.1), (-s * 0.06, 0.22), (-s * 0.1, 0.31)], 6)
    w = np.array([0.006, 0.002], np.float32)
    canvas.polygon(
        canvas.view.pixels(spine.forward(np.concatenate([centre - w, (centre + w)[::-1]]))), colour, 0.1, shadow=0.1
    )
    x, y = -s * 0.115, 0.34
    bag = smooth(
        [
            (x - 0.04, y - 0.035),
            (x + 0.04, y - 0.035),
            (x + 0.044, y + 0.03),
            (x, y + 0.04),
            (x - 0.044, y + 0.03),
            (x - 0.04, y - 0.035),
        ],
        4,
    )
    canvas.polygon(canvas.view.pixels(spine.forward(bag)), colour, 0.3, shadow=0.25)


def paint_handbag(canvas: Canvas, pose: Pose, rng: np.random.Generator, side: str) -> None:
    """A handbag carried in one hand."""
    bone, canvas = pose.bones[f"arm_{side}"], canvas.of("bag")
    hand = bone.forward(np.array([[0, 0.33]], np.float32))[0]
    colour = pick(rng, DARK + VIVID + LIGHT[1:3])
    size = float(rng.uniform(0.05, 0.075))
    x, y = float(hand[0]), float(hand[1])
    for s in (-1, 1):
        loop = smooth([(x + s * size * 0.5, y + 0.05), (x + s * size * 0.35, y + 0.01), (x, y)], 5)
        band = np.concatenate([loop, loop[::-1] + np.array([0.005, 0.004], np.float32)])
        canvas.polygon(canvas.view.pixels(band), scaled(colour, 0.7), 0.0)
    top, low = y + 0.045, y + 0.045 + size * 1.4
    bag = np.array([(x - size * 0.8, top), (x + size * 0.8, top), (x + size, low), (x - size, low)], np.float32)
    canvas.polygon(canvas.view.pixels(bag), colour, 0.26, shadow=0.2)
    flap = np.array(
        [
            (x - size * 0.82, top),
            (x + size * 0.82, top),
            (x + size * 0.6, top + size * 0.5),
            (x - size * 0.6, top + size * 0.5),
        ]
    )
    canvas.polygon(canvas.view.pixels(flap.astype(np.float32)), scaled(colour, 0.85), 0.1)


def paint_big_object(canvas: Canvas, pose: Pose, rng: np.random.Generator, centre_y: float) -> None:
    """A large box or balloon in front of the garment: a severe occlusion, one of the paper's defects."""
    spine, canvas = pose.bones["spine"], canvas.of("object")
    colour = pick(rng, DARK + VIVID + LIGHT)
    w, h, x = float(rng.uniform(0.08, 0.11)), float(rng.uniform(0.09, 0.14)), float(rng.uniform(-0.02, 0.02))
    if rng.random() < 0.5:
        points = np.array(
            [(x - w, centre_y - h), (x + w, centre_y - h), (x + w, centre_y + h), (x - w, centre_y + h)], np.float32
        )
    else:
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        points = np.stack([x + 1.1 * w * np.cos(t), centre_y + 1.1 * h * np.sin(t)], 1).astype(np.float32)
    canvas.polygon(canvas.view.pixels(spine.forward(points)), colour, 0.3, shadow=0.3)
    band = points * np.array([1, 0.12], np.float32) + np.array([0, centre_y * 0.88], np.float32)
    canvas.polygon(canvas.view.pixels(spine.forward(band)), scaled(colour, 0.7), 0.0)
