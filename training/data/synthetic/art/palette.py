"""Colours of garments, skin and hair, and helpers for RGB triples (0..255)."""

import numpy as np

Rgb = tuple[int, int, int]

DARK: tuple[Rgb, ...] = (
    (28, 30, 38),
    (32, 44, 82),
    (24, 60, 56),
    (84, 26, 40),
    (58, 40, 34),
    (52, 32, 76),
    (46, 62, 38),
    (70, 72, 80),
)
LIGHT: tuple[Rgb, ...] = (
    (248, 247, 244),
    (238, 226, 204),
    (214, 228, 240),
    (248, 216, 220),
    (220, 236, 216),
    (250, 236, 180),
    (226, 216, 240),
    (206, 208, 212),
)
VIVID: tuple[Rgb, ...] = (
    (206, 44, 52),
    (226, 112, 38),
    (240, 186, 44),
    (58, 146, 86),
    (40, 132, 172),
    (44, 84, 188),
    (126, 70, 168),
    (222, 92, 142),
    (38, 166, 160),
    (150, 96, 58),
    (120, 150, 60),
    (108, 160, 214),
)
DENIM: tuple[Rgb, ...] = ((44, 62, 100), (74, 104, 150), (128, 158, 194), (36, 38, 46), (176, 196, 214))
SKIN: tuple[Rgb, ...] = (
    (244, 212, 190),
    (232, 190, 160),
    (214, 164, 128),
    (186, 132, 96),
    (142, 96, 68),
    (98, 66, 48),
)
HAIR: tuple[Rgb, ...] = (
    (26, 22, 22),
    (54, 38, 30),
    (92, 62, 40),
    (142, 98, 58),
    (206, 168, 104),
    (150, 66, 40),
    (150, 146, 142),
)


def pick(rng: np.random.Generator, colours: tuple[Rgb, ...]) -> Rgb:
    """Draw one colour from a list."""
    return colours[int(rng.integers(len(colours)))]


def luminance(colour: Rgb) -> float:
    """Perceived brightness of a colour, 0..255."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def scaled(colour: Rgb, factor: float) -> Rgb:
    """A colour made darker (< 1) or lighter (> 1), clipped to 0..255."""
    r, g, b = (int(min(255, max(0, round(c * factor)))) for c in colour)
    return r, g, b


def mixed(first: Rgb, second: Rgb, weight: float) -> Rgb:
    """Blend two colours; weight 0 is the first, 1 the second."""
    r, g, b = (int(round(a + (b - a) * weight)) for a, b in zip(first, second, strict=True))
    return r, g, b


def seam_colour(colour: Rgb) -> Rgb:
    """A line colour that stays visible on the given cloth colour."""
    return scaled(colour, 0.62) if luminance(colour) > 70 else mixed(colour, (255, 255, 255), 0.26)


def garment_colours(rng: np.random.Generator) -> tuple[Rgb, Rgb, Rgb]:
    """Base colour and two companions that each stand out from the base."""
    base = pick(rng, (DARK, LIGHT, VIVID)[int(rng.choice(3, p=[0.3, 0.27, 0.43]))])
    every = DARK + LIGHT + VIVID
    second, third = (contrasting(rng, base, every, 75.0), contrasting(rng, base, every, 45.0))
    return base, second, third


def contrasting(rng: np.random.Generator, base: Rgb, colours: tuple[Rgb, ...], least: float) -> Rgb:
    """Draw a colour whose luminance differs from the base by at least `least`; black or white if there is none."""
    fit = tuple(c for c in colours if abs(luminance(c) - luminance(base)) >= least)
    if not fit:
        return (250, 250, 250) if luminance(base) < 128 else (24, 24, 28)
    return pick(rng, fit)
