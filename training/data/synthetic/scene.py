"""Random choice of a scene: garment, other clothes, pose, framing, light, occlusion, defect."""

from dataclasses import dataclass, replace

import numpy as np

from .art.arrays import Array
from .garments.garment import design, open_jacket
from .garments.parts import Garment
from .painting.flat import bounds
from .painting.pose import Pose, draw_pose, flat_pose
from .photo.body import Look, draw_look

FRAMINGS = ("full", "knee", "torso")
FRAMING_SHARES = {"upper": (0.15, 0.4, 0.45), "lower": (0.25, 0.4, 0.35), "full": (0.4, 0.5, 0.1)}


@dataclass(frozen=True)
class Scene:
    """All random choices for a pair, in unit coordinates; painting involves no further choices."""

    seed: int
    garment: Garment
    other: Garment | None  # the other half of the outfit
    over: Garment | None  # an open jacket over the garment
    pose: Pose
    flat: Pose
    look: Look
    occlusion: str
    defect: str
    framing: str
    scale: float  # body height as a fraction of the image height
    offset: tuple[float, float]
    light: tuple[float, float, float]  # gain of red, green, blue
    contrast: float
    flat_fill: float
    tucked: bool


def _frame(
    rng: np.random.Generator, garment: Garment, pose: Pose, framing: str, defect: str
) -> tuple[float, tuple[float, float]]:
    """Scale and offset that keep the garment inside the image (or cut it off, for truncated pairs)."""
    low, high = bounds(garment.parts, pose)
    scale = {"full": rng.uniform(0.8, 0.9), "knee": rng.uniform(1.05, 1.25), "torso": rng.uniform(1.4, 1.75)}[framing]
    scale = float(scale) * float(rng.uniform(0.92, 1.06))
    fit = min(0.94 / float(high[1] - low[1]), 0.71 / float(high[0] - low[0]))
    if defect == "truncated":
        scale = fit * float(rng.uniform(1.25, 1.6))
    else:
        scale = min(scale, fit)
    middle = float(low[0] + high[0]) / 2
    x = 0.375 - middle * scale + float(rng.uniform(-0.03, 0.03)) * (defect != "truncated")
    if garment.category == "lower" and framing == "torso":
        y = 0.5 - float(low[1] + high[1]) / 2 * scale + float(rng.uniform(-0.05, 0.05))
    else:
        y = 0.06 + 0.2 * scale + float(rng.uniform(-0.03, 0.02))
    if defect == "truncated":
        side = int(rng.integers(3))
        cut = float(rng.uniform(0.25, 0.4))
        if side == 0:
            y = 1.0 - float(low[1] + (high[1] - low[1]) * (1 - cut)) * scale
        else:
            y = 0.05 - float(low[1]) * scale
            x += 0.22 if side == 1 else -0.22
        return scale, (x, y)
    x = float(np.clip(x, 0.018 - low[0] * scale, 0.732 - high[0] * scale))
    y = float(np.clip(y, 0.022 - low[1] * scale, 0.978 - high[1] * scale))
    return scale, (x, y)


def _occlusion(rng: np.random.Generator, category: str) -> str:
    if rng.random() > 0.36:
        return "none"
    worn = ("arm", "hair", "strap", "handbag")
    # the jacket is rare, because it hides the sleeves
    kinds = worn * 3 + ("jacket",) if category != "lower" else ("handbag", "strap")
    return kinds[int(rng.integers(len(kinds)))]


def _other(rng: np.random.Generator, category: str) -> Garment | None:
    """The other half of the outfit."""
    if category == "upper":
        return design(rng, "lower", plain=True)
    if category == "lower":
        tops = ("tee", "long_sleeve", "shirt", "tank", "crop_top", "crop_top", "blouse")
        return design(rng, "upper", tops[int(rng.integers(len(tops)))], plain=True)
    return None


def _flat(rng: np.random.Generator, garment: Garment, defect: str | None) -> tuple[Pose, float]:
    """Pose of the flat garment, and the fraction of the canvas that it fills."""
    fill = float(rng.uniform(0.85, 0.9))
    wide = 1.0
    if defect == "extreme_proportion":
        tiny, wide = rng.random() < 0.5, float(rng.uniform(0.28, 0.38))
        fill, wide = (float(rng.uniform(0.22, 0.38)), 1.0) if tiny else (fill, wide)
    elif defect == "side_view" and rng.random() < 0.5:
        wide = 0.5
    return flat_pose(garment.flat_arm, garment.flat_leg, wide), fill


def draw_scene(seed: int, category: str | None = None, defect: str | None = None, coarse: float = 0.0) -> Scene:
    """Make every random choice for a pair from its seed."""
    rng = np.random.default_rng([seed, 20261123])
    drawn = ("upper", "lower", "full")[int(rng.integers(3))]
    category = category or drawn
    garment = design(rng, category, coarse=coarse)
    side = np.random.default_rng([seed, 5])
    over = None
    occlusion = _occlusion(rng, category)
    if garment.cut in ("jacket", "hoodie") and occlusion == "jacket":
        occlusion = "arm"
    if occlusion == "jacket":
        over = open_jacket(side)
    turn = float(rng.uniform(0.42, 0.55)) if defect == "side_view" else None
    pose = draw_pose(rng, occlusion == "arm", turn)
    other = _other(side, category)
    framing = FRAMINGS[int(rng.choice(3, p=FRAMING_SHARES[category]))]
    scale, offset = _frame(rng, garment, pose, framing, defect or "")
    warm = float(rng.normal(0, 0.025))
    gain = float(rng.uniform(0.9, 1.06))
    flat, fill = _flat(rng, garment, defect)
    look = draw_look(rng)
    if occlusion == "hair" and look.hairstyle not in ("long", "long_front"):
        look = replace(look, hairstyle="long")
    return Scene(
        seed,
        garment,
        other,
        over,
        pose,
        flat,
        look,
        occlusion,
        defect or "none",
        framing,
        scale,
        offset,
        (gain * (1 + warm), gain, gain * (1 - warm)),
        float(rng.uniform(0.9, 1.06)),
        fill,
        bool(rng.random() < (0.95 if category == "lower" else 0.15)),
    )


def wobble_grid(seed: int) -> Array:
    """Low-frequency displacement of the cloth (2, rows, cols) in body units, before it is enlarged."""
    rng = np.random.default_rng([seed, 9])
    return (rng.standard_normal((2, 7, 6)) * 0.0035).astype(np.float32)
