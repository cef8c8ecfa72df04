"""Random choices for shoes, bags, walls and floors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...synthetic.art.palette import LIGHT, Rgb, garment_colours, mixed, pick, scaled
from ..base.panels import Panel
from .cloth.families import LEATHER, NEUTRAL, jittered
from .materials import Coat, Ground


def draw_shoe(rng: np.random.Generator) -> Coat:
    if rng.random() < 0.45:  # trainers
        main = pick(rng, ((240, 240, 238), (240, 240, 238), (28, 28, 30), *LIGHT, (196, 52, 52), (52, 84, 160)))
        return Coat(main, pick(rng, ((244, 243, 240), (30, 30, 32), (190, 150, 104))), (180, 180, 184), 0.08)
    main = jittered(rng, pick(rng, LEATHER + ((228, 214, 196), (140, 26, 36), (206, 180, 140))))
    return Coat(main, scaled(main, 0.5), (200, 176, 120), float(rng.uniform(0.2, 0.8)))


def draw_bag(rng: np.random.Generator) -> Coat:
    main = jittered(rng, pick(rng, LEATHER + ((196, 40, 52), (226, 214, 196), (60, 84, 74), (48, 58, 90))))
    return Coat(main, scaled(main, 0.7), pick(rng, ((210, 182, 116), (196, 198, 202))), float(rng.uniform(0.1, 0.6)))


def draw_grounds(rng: np.random.Generator, panels: Sequence[Panel]) -> tuple[Ground, Ground]:
    """Wall and floor for a set: mostly the pale paper of a studio, or masonry in a street."""
    names = {panel.name for panel in panels if panel.kind in ("wall", "floor")}
    if "backdrop" not in names and rng.random() < STUDIOS:
        return _studio(rng)
    if "backdrop" in names:
        walls, floors = ("brick", "concrete", "plaster", "tiles", "street"), ("asphalt", "concrete", "tiles")
    elif "floor" not in names:
        walls, floors = ("plain", "gradient", "paper"), ("paper",)
    else:
        walls = ("plain", "plain", "plain", "plaster", "plaster", "brick", "concrete", "planks", "tiles", "gradient")
        floors = ("planks", "planks", "concrete", "carpet", "tiles", "paper")
    wall, floor = _ground(rng, pick_one(rng, walls)), _ground(rng, pick_one(rng, floors))
    blur = float(rng.uniform(0.5, 3.5)) if rng.random() < (0.8 if "backdrop" in names else 0.35) else 0.0
    return replace(wall, blur=blur), replace(floor, blur=0.3 * blur)


def _studio(rng: np.random.Generator) -> tuple[Ground, Ground]:
    """A wall and floor made of one sheet of paper, mostly white or light grey, often lit by separate lamps."""
    level = float(rng.choice(STUDIO_GREYS, p=STUDIO_SHARES)) + float(rng.uniform(-4, 4))
    warmth = float(rng.normal(0, 0.006)) if rng.random() < 0.8 else float(rng.uniform(0, 0.05))
    red, green, blue = level * (1 + 0.4 * warmth), level, level * (1 - warmth)
    base = (int(min(red, 254)), int(min(green, 254)), int(min(blue, 254)))
    evened = float(rng.uniform(0.4, 1.0)) if rng.random() < 0.75 else 0.0
    material = pick_one(rng, ("paper", "paper", "paper", "gradient"))
    second = scaled(base, float(rng.uniform(0.82, 0.97)))
    lit = float(rng.uniform(1.0, 1.4)) if evened and level > WHITE_PAPER else 1.0
    ground = Ground(material, (base, second, second), 1.0, 0.0, int(rng.integers(1 << 30)), evened=evened, lit=lit)
    return ground, replace(ground, evened=0.7 * evened)


def pick_one(rng: np.random.Generator, names: Sequence[str]) -> str:
    """Draw one of `names`, all equally likely."""
    return names[int(rng.integers(len(names)))]


STUDIOS = 0.66
"""Probability that an indoor set is a studio with one sheet of paper."""
WHITE_PAPER = 230
"""sRGB level above which a studio's paper may be lit to pure white, as is common in shop photos."""
STUDIO_GREYS = (250, 242, 234, 222, 206, 180, 120, 60)
STUDIO_SHARES = (0.26, 0.24, 0.2, 0.14, 0.08, 0.04, 0.02, 0.02)
"""sRGB levels of a studio's paper, and their probabilities."""

MATERIAL_COLOURS: dict[str, tuple[Rgb, ...]] = {
    "brick": ((156, 92, 72), (172, 112, 88), (128, 80, 68), (226, 222, 216), (70, 66, 66), (186, 158, 130)),
    "concrete": ((158, 156, 152), (186, 184, 180), (128, 128, 128)),
    "planks": ((168, 128, 90), (120, 84, 58), (206, 178, 142), (90, 66, 52), (222, 216, 206)),
    "asphalt": ((92, 92, 94), (118, 116, 114), (74, 75, 78)),
    "tiles": ((226, 226, 222), (190, 196, 196), (146, 164, 166), (206, 186, 164), (90, 104, 104)),
    "carpet": ((150, 144, 138), (96, 98, 104), (186, 172, 152), (120, 70, 66)),
    "street": ((128, 126, 124), (96, 104, 112), (150, 138, 124)),
}


def _ground(rng: np.random.Generator, material: str) -> Ground:
    if material in MATERIAL_COLOURS:
        base = pick(rng, MATERIAL_COLOURS[material])
    elif rng.random() < 0.62:  # studio white and grey
        level = int(rng.choice([235, 224, 208, 190, 160, 96], p=[0.3, 0.22, 0.18, 0.14, 0.1, 0.06]))
        base = mixed((level,) * 3, (level, int(level * 0.97), int(level * 0.92)), float(rng.uniform(-1, 1.2)))
    else:
        base = mixed(pick(rng, LIGHT + tuple(NEUTRAL)), garment_colours(rng)[0], float(rng.uniform(0, 0.55)))
    base = jittered(rng, base)
    second = scaled(base, float(rng.uniform(0.55, 0.9)))
    if material == "street":
        second = jittered(rng, pick(rng, ((92, 112, 84), (120, 140, 160), (170, 120, 90))))
    joint = mixed(base, pick(rng, ((200, 196, 190), (120, 116, 112))), 0.75)
    if material in ("planks",):
        joint = scaled(base, 0.5)
    gloss = {"tiles": 0.5, "planks": 0.25, "concrete": 0.08}.get(material, 0.0) * float(rng.uniform(0.3, 1))
    return Ground(material, (base, second, joint), float(rng.uniform(0.75, 1.35)), gloss, int(rng.integers(1 << 30)))
