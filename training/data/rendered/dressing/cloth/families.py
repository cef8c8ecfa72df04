"""Usual weaves, patterns, prints and colours of each kind of garment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....synthetic.art.palette import Rgb

NEUTRAL: tuple[Rgb, ...] = (
    (26, 26, 29), (26, 26, 29), (247, 246, 243), (247, 246, 243), (34, 40, 62), (168, 168, 170), (92, 93, 98),
    (214, 200, 176), (226, 218, 204), (112, 112, 84), (128, 98, 70), (62, 48, 42), (188, 168, 136), (126, 34, 48),
    (196, 176, 168), (130, 148, 164),
)  # fmt: skip
"""The most common colours: black, white, navy, greys, beiges, browns."""
LEATHER: tuple[Rgb, ...] = ((30, 27, 27), (30, 27, 27), (92, 58, 38), (134, 88, 54), (70, 34, 34), (190, 160, 124))
TROUSERS: tuple[Rgb, ...] = (
    (28, 28, 31), (40, 44, 58), (186, 168, 138), (96, 96, 76), (84, 84, 90), (112, 84, 62), (228, 222, 210),
    (150, 148, 142),
)  # fmt: skip

PERIODS: dict[str, tuple[float, float]] = {
    "stripes_h": (0.018, 0.09), "stripes_v": (0.014, 0.07), "stripes_d": (0.03, 0.11), "gingham": (0.012, 0.05),
    "checks": (0.02, 0.08), "tartan": (0.06, 0.15), "dots": (0.018, 0.07), "flowers": (0.045, 0.11),
    "camouflage": (0.09, 0.16), "stars": (0.04, 0.1), "hearts": (0.04, 0.1),
}  # fmt: skip
"""Shortest and longest repeat in metres of the patterns in textures.PATTERNS."""

HELD_OUT_PATTERNS = ("argyle", "terrazzo", "paisley")
"""Patterns that only the held-out set uses; drawn pairs do not use them either."""


@dataclass(frozen=True)
class Family:
    """The usual look of a kind of garment."""

    weaves: dict[str, float]
    """Probabilities of weaves."""
    patterned: float
    """Probability of a pattern."""
    patterns: tuple[str, ...]
    """Possible patterns, all equally likely."""
    printed: float
    """Probability of a print on a plain garment."""
    trimmed: float
    """Probability of trims or ribs in another colour."""


_BANDS = ("stripes_h", "stripes_h", "stripes_h", "uneven_stripes", "blocks", "chest_band", "contrast_sleeves")
_WOVEN = (
    "stripes_v", "stripes_v", "pinstripe", "gingham", "gingham", "tartan", "tartan", "checks", "windowpane", "dots",
    "ditsy_floral", "meadow", "stripes_h", "houndstooth", "terrazzo",
)  # fmt: skip
_PRINTED = (
    "dots", "flowers", "large_floral", "large_floral", "ditsy_floral", "ditsy_floral", "meadow", "tropical", "leopard",
    "zebra", "paisley", "geometric", "strokes", "hearts", "stars", "stripes_v", "stripes_h", "stripes_d", "tie_dye",
    "gradient", "gingham", "checks", "terrazzo",
)  # fmt: skip
_SPORTY = ("camouflage", "tie_dye", "gradient", "blocks", "stripes_d", "stars", "hearts", "dots", "checks")
_COARSE = ("stripes_h", "stripes_h", "uneven_stripes", "fair_isle", "fair_isle", "argyle", "chest_band", "blocks")
_TWEED = ("houndstooth", "herringbone", "windowpane", "tartan", "pinstripe", "checks")

FAMILIES: dict[str, Family] = {
    "tee": Family({"jersey": 0.7, "melange": 0.2, "rib": 0.1}, 0.34, _BANDS + _SPORTY + _PRINTED[:10], 0.66, 0.25),
    "polo": Family({"jersey": 0.4, "waffle": 0.4, "knit": 0.2}, 0.35, _BANDS + ("checks",), 0.15, 0.4),
    "hoodie": Family({"fleece": 0.5, "melange": 0.5}, 0.22, _SPORTY + _BANDS, 0.6, 0.25),
    "shirt": Family({"plain": 0.5, "linen": 0.2, "twill": 0.12, "denim": 0.12, "satin": 0.06}, 0.55, _WOVEN, 0.03, 0.1),
    "blouse": Family({"plain": 0.45, "satin": 0.35, "linen": 0.2}, 0.5, _PRINTED, 0.0, 0.12),
    "knit": Family({"knit": 0.38, "chunky": 0.18, "rib": 0.24, "cable": 0.12, "boucle": 0.08}, 0.3, _COARSE, 0.06, 0.2),
    "jacket": Family(
        {"twill": 0.26, "denim": 0.2, "leather": 0.18, "quilted": 0.1, "boucle": 0.1, "corduroy": 0.08, "fleece": 0.08},
        0.15, _TWEED + ("camouflage", "blocks"), 0.08, 0.25,
    ),
    "jeans": Family({"denim": 1.0}, 0.0, ("dots",), 0.0, 0.0),
    "trousers": Family(
        {"twill": 0.5, "plain": 0.14, "linen": 0.14, "corduroy": 0.12, "leather": 0.05, "satin": 0.05},
        0.16, _TWEED + ("stripes_v", "camouflage", "ditsy_floral"), 0.02, 0.04,
    ),
    "shorts": Family(
        {"twill": 0.34, "denim": 0.26, "jersey": 0.2, "linen": 0.2}, 0.26,
        _WOVEN + ("camouflage", "tropical"), 0.14, 0.2,
    ),
    "leggings": Family({"jersey": 0.9, "leather": 0.1}, 0.25, _SPORTY + ("leopard", "zebra", "geometric"), 0.12, 0.2),
    "skirt": Family(
        {"plain": 0.3, "twill": 0.2, "satin": 0.2, "denim": 0.14, "leather": 0.08, "corduroy": 0.08},
        0.45, _PRINTED + _TWEED, 0.0, 0.1,
    ),
    "dress": Family(
        {"plain": 0.4, "jersey": 0.2, "satin": 0.18, "linen": 0.12, "knit": 0.05, "denim": 0.05},
        0.55, _PRINTED, 0.05, 0.1,
    ),
}  # fmt: skip

KINDS: tuple[tuple[str, str], ...] = (
    ("jeans", "jeans"), ("legging", "leggings"), ("short_", "tee"), ("shorts", "shorts"), ("trouser", "trousers"),
    ("skirt", "skirt"), ("dress", "dress"), ("jumpsuit", "dress"), ("overall", "jeans"), ("polo", "polo"),
    ("hoodie", "hoodie"), ("sweatshirt", "hoodie"), ("sweater", "knit"), ("cardigan", "knit"), ("jacket", "jacket"),
    ("coat", "jacket"), ("blazer", "jacket"), ("blouse", "blouse"), ("tee", "tee"), ("shirt", "shirt"),
)  # fmt: skip
"""Family of each cut, by a part of the cut's name; the first match is used."""

GLOSS = {"satin": 0.3, "leather": 0.75, "quilted": 0.15, "jersey": 0.012, "twill": 0.02}
"""Mean gloss of weaves, 0..1; other weaves have no gloss."""
PALE_STITCH: Rgb = (206, 154, 84)
"""Mean colour of pale thread on jeans."""


def family_of(cut: str) -> str:
    """The member of FAMILIES for a cut's name; `tee` for tops and unknown names."""
    return next((family for part, family in KINDS if part in cut), "tee")


def jittered(rng: np.random.Generator, colour: Rgb) -> Rgb:
    """A random colour near the given one."""
    moved = np.array(colour) * rng.uniform(0.92, 1.06) + rng.normal(0, 4.0, 3)
    r, g, b = (int(c) for c in np.clip(moved, 8, 250))
    return r, g, b
