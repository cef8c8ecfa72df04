"""Colours of people: skin tones over the whole scale, hair, lips, eyes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...synthetic.art.palette import Rgb, mixed, scaled
from .cloth.relief import SIDE, Tile, streaks
from .materials import Skin

TONES: tuple[Rgb, ...] = (
    (230, 196, 176),
    (226, 188, 164),
    (216, 174, 146),
    (204, 160, 130),
    (188, 142, 110),
    (166, 120, 88),
    (140, 98, 71),
    (113, 78, 57),
    (86, 59, 45),
    (63, 43, 35),
)
"""Colours of lit skin in ten steps from the palest to the deepest, as on the Monk scale."""

HAIR: tuple[Rgb, ...] = (
    (44, 36, 34),
    (58, 44, 36),
    (84, 60, 44),
    (112, 80, 56),
    (146, 106, 72),
    (186, 144, 98),
    (216, 184, 138),
    (150, 76, 44),
    (172, 168, 164),
    (222, 218, 212),
)
"""Colours of bright strands of natural hair."""
HAIR_SHARES = (0.2, 0.19, 0.16, 0.12, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03)
IRIS: tuple[Rgb, ...] = ((64, 42, 28), (86, 58, 36), (110, 96, 60), (92, 116, 92), (96, 124, 150))


def tone_at(place: float) -> Rgb:
    """Skin colour at a position on the scale, from 0 (palest) to 1 (deepest)."""
    at = float(np.clip(place, 0, 1)) * (len(TONES) - 1)
    low = min(int(at), len(TONES) - 2)
    return mixed(TONES[low], TONES[low + 1], at - low)


def draw_skin(rng: np.random.Generator) -> Skin:
    """Draw a person's colours: skin tones evenly over the scale, with matching hair and eyes."""
    place = float(rng.random())
    tone = tone_at(place)
    warm = rng.normal(0, 3.0, 3) * (1, 0.6, 1)
    tone = tuple(int(np.clip(c + w, 20, 248)) for c, w in zip(tone, warm, strict=True))
    if rng.random() < 0.04:
        hair = ((176, 70, 96), (80, 110, 170), (122, 84, 150), (230, 150, 170))[int(rng.integers(4))]
    else:
        black = rng.random() < place * 1.2 - 0.2
        hair = HAIR[int(rng.integers(2))] if black else HAIR[int(rng.choice(len(HAIR), p=HAIR_SHARES))]
    hair = scaled(hair, float(rng.uniform(0.85, 1.12)))
    made_up = rng.random() < 0.3
    dark = 0.55 + 0.45 * sum(tone) / 640  # lips are darker on darker skin
    lipstick, natural = scaled((176, 40, 56), dark), scaled((170, 78, 78), dark)
    rosy = mixed(tone, lipstick, 0.6) if made_up else mixed(tone, natural, float(rng.uniform(0.3, 0.45)))
    painted = rng.random() < 0.2
    colours = ((176, 30, 46), (40, 36, 44), (220, 150, 160), (240, 240, 236))
    nail = colours[int(rng.integers(4))] if painted else mixed(tone, (238, 190, 184), 0.45)
    iris = IRIS[int(rng.integers(2))] if place > 0.5 else IRIS[int(rng.integers(len(IRIS)))]
    return Skin(
        tone, rosy, mixed(tone, scaled(hair, 0.5), 0.8), nail, iris, hair,
        gloss=float(rng.uniform(0.25, 0.6)), freckles=float(rng.uniform(0.0, 1.0)),
    )  # fmt: skip


@lru_cache(maxsize=16)
def skin_tile(freckles: float) -> Tile:
    """Uneven skin: blotches the size of a fingertip, and small dark spots of strength `freckles` (0..1)."""
    rng = np.random.default_rng([int(freckles * 10), 5150])
    blotches = 0.02 * streaks(rng, 14, 14) + 0.012 * streaks(rng, 3, 3)
    spots = np.clip(streaks(rng, 1.6, 1.6) - 2.1, 0, 1) * 0.3 * freckles
    red = np.array([0.7, 1.05, 1.1])
    pixels = 1 + (blotches - spots)[..., None] * red + 0.012 * streaks(rng, 20, 20)[..., None] * [1, -0.6, -0.6]
    assert pixels.shape == (SIDE, SIDE, 3)
    return Tile(0.32, np.ascontiguousarray(pixels.astype(np.float32)))
