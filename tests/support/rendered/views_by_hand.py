"""Views without a studio: a shirt of bent sheets, an arm of skin, a head with hair and eyes, in front of a wall."""

from __future__ import annotations

import numpy as np

from training.data.rendered.base.panels import Line, Panel
from training.data.rendered.base.views import SUBSAMPLES, Label, View

POCKET = (0.06, 0.2), (0.18, 0.2), (0.18, 0.34), (0.06, 0.34), (0.06, 0.2)


def shirt_panels() -> list[Panel]:
    """front, sleeve, collar and legs of a garment and of the other clothes, then wall and floor."""

    def line(role, *points):
        return Line(role, np.array(points, np.float32))

    across = np.linspace(-0.1, 0.1, 15)
    neck = line("neck", *[(x, 0.1 * (1 - (x / 0.1) ** 2)) for x in across])
    front = Panel(
        "front", "garment", "body", (-0.28, 0.0, 0.28, 0.68),
        (line("hem", (-0.28, 0.68), (0.28, 0.68)), neck, line("pocket", *POCKET)),
        tuple((0.0, 0.16 + 0.09 * k, 0.006) for k in range(6)), (-0.17, 0.16, 0.17, 0.5), (0.0, 0.68),
    )  # fmt: skip
    sleeve = Panel(
        "sleeve_left", "garment", "sleeve", (-0.16, 0.0, 0.16, 0.26), (line("cuff", (-0.16, 0.26), (0.16, 0.26)),)
    )
    rib = Panel("collar", "garment", "rib", (-0.3, 0.0, 0.3, 0.03))
    leg = Panel(
        "leg_left", "other_1", "leg", (-0.2, 0.0, 0.2, 1.0),
        (line("fly", (-0.12, 0.04), (-0.12, 0.2), (-0.17, 0.24)), line("seam", (0.19, 0), (0.19, 1.0))),
        (), (-0.1, 0.2, 0.1, 0.4), (0.0, 1.0),
    )  # fmt: skip
    wall = Panel("wall", "wall", "wall", (-7.0, 0.0, 7.0, 5.0))
    floor = Panel("floor", "floor", "floor", (-7.0, 0.0, 7.0, 5.0))
    return [front, sleeve, rib, leg, wall, floor]


TABLE = (
    Label("garment", 0), Label("garment", 1), Label("garment", 2), Label("garment", 0, inside=True),
    Label("other_1", 3), Label("wall", 4), Label("floor", 5), Label("skin"), Label("hair"), Label("eye"), Label("shoe"),
    Label("bag"),
)  # fmt: skip
FRONT, SLEEVE, COLLAR, INSIDE, LEG, WALL, FLOOR, SKIN, HAIR, EYE, SHOE, BAG = range(len(TABLE))


def _labels(x: np.ndarray, y: np.ndarray, product: bool) -> np.ndarray:
    """Numbers of TABLE at positions x, y in metres; the middle of the shirt's top edge is (0, 0)."""
    out = np.full(np.broadcast(x, y).shape, 255 if product else WALL, np.uint8)
    if not product:
        out[np.broadcast_to(y > 1.0, out.shape)] = FLOOR
        out[(np.hypot(x, y + 0.16) < 0.125)] = HAIR
        out[np.hypot(x / 0.85, y + 0.13) < 0.12] = SKIN
        for side in (-1, 1):
            out[np.hypot((x - side * 0.04) / 1.6, y + 0.14) < 0.009] = EYE
        out[(np.abs(x) < 0.2) & (y > 0.6)] = LEG
        out[(np.abs(np.abs(x) - 0.36) < 0.045) & (y > 0.1) & (y < 0.7)] = SKIN
        out[(np.abs(x - 0.42) < 0.1) & (y > 0.7) & (y < 0.9)] = BAG
        out[(np.abs(np.abs(x) - 0.1) < 0.08) & (y > 1.02) & (y < 1.1)] = SHOE
    out[(np.abs(x) < 0.1) & (y > -0.012) & (y < 0.08)] = INSIDE
    inside_neck = y > 0.1 * (1 - (x / 0.1) ** 2)
    half = 0.24 + 0.02 * np.sin(6 * y)
    out[(np.abs(x) < half) & (y > 0.08 * (np.abs(x) - 0.1)) & (y < 0.66) & inside_neck & (y > 0)] = FRONT
    ring = np.abs(y - 0.1 * (1 - (x / 0.1) ** 2))
    out[(ring < 0.012) & (np.abs(x) < 0.1)] = COLLAR
    out[(np.abs(np.abs(x) - 0.31) < 0.08) & (y > 0.03) & (y < 0.28)] = SLEEVE
    return out


def shirt_view(width: int = 384, height: int = 512, product: bool = False, zoom: float = 1.0) -> View:
    """A frontal photo of the worn shirt, or its product shot, with folds in the light."""
    scale = zoom * height / 1.45
    n = SUBSAMPLES
    fine_x = ((np.arange(width * n) + 0.5) / n - width / 2)[None] / scale
    fine_y = ((np.arange(height * n) + 0.5) / n - 0.22 * height)[:, None] / scale
    labels = _labels(fine_x, fine_y, product)
    centres = labels[n // 2 :: n, n // 2 :: n]
    x = np.broadcast_to(fine_x[:, n // 2 :: n], (height, width))
    y = np.broadcast_to(fine_y[n // 2 :: n], (height, width))
    fold = 0.008 * np.sin(11 * x + 5 * y + 1.5 * np.sin(9 * y))
    uv = np.full((height, width, 2), np.nan, np.float32)
    bent = 0.26 * np.arcsin(np.clip(x / 0.265, -0.99, 0.99))
    places = {
        FRONT: (bent + fold, y), INSIDE: (-bent, y),
        SLEEVE: (np.sign(x) * (np.abs(x) - 0.31) * 1.5 + fold, y - 0.03),
        COLLAR: (x, y - 0.1 * (1 - (x / 0.1) ** 2) + 0.012), LEG: (x + fold, y - 0.6),
        WALL: (x, y + 1.0), FLOOR: (x, 8 * (y - 1.0)),
    }  # fmt: skip
    for number, (u, v) in places.items():
        here = centres == number
        uv[here] = np.stack([u, v], -1)[here]
    shade = 0.85 + 0.35 * np.sin(11 * x + 5 * y + 1.5 * np.sin(9 * y)) * np.cos(7 * y) - 0.25 * (x / 0.3)
    lit = np.where(np.isin(centres, (WALL, FLOOR)), 0.9 - 0.1 * y, np.clip(shade, 0.15, 1.4))
    ball = np.sqrt(np.clip(1 - np.hypot(x, y + 0.13) ** 2 / 0.0225, 0, 1))
    lit = np.where((centres == SKIN) & (y < 0.05), 0.35 + 0.7 * ball - x, lit)
    light = (lit[..., None] * np.array([1.0, 0.98, 0.95])).astype(np.float32)
    gloss = (0.5 * np.clip(shade - 0.9, 0, 1) ** 2).astype(np.float32)
    paint = np.zeros((height, width, 3), np.float32)
    paint[..., 0] = np.where(centres == HAIR, 0.5 + 0.4 * np.sin(160 * x + 20 * y), np.isin(centres, (SHOE, BAG)))
    paint[..., 0] += (centres == SKIN) & (np.hypot(x / 2, y + 0.085) < 0.009)
    paint[..., 1] = ((centres == SKIN) & (np.abs(np.abs(x) - 0.04) < 0.018) & (np.abs(y + 0.165) < 0.004)) * 1.0
    gaze = np.hypot(np.abs(x) - 0.04, y + 0.14)
    eye = centres == EYE
    paint[eye] = np.stack([gaze > 0.007, (gaze <= 0.007) & (gaze > 0.003), gaze <= 0.003], -1)[eye]
    return View(labels, TABLE, uv, light, gloss, paint, scale)
